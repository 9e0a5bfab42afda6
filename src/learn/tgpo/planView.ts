import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import type { StageTracker } from '#learn/tgpo/stages';
import type { Allocation } from '#stl/allocation';

/** TGPO's view: the task's observation and the plan that each environment follows. */
export class PlanView implements EpisodeView {
  readonly width: number;
  readonly tracker: StageTracker;
  readonly #env: FormulaEnv;
  readonly #choose: (rows: Int32Array) => readonly Allocation[];
  readonly #P: number;

  /** @param choose the plans of new episodes in these rows, whose first samples the environment shows */
  constructor(env: FormulaEnv, tracker: StageTracker, choose: (rows: Int32Array) => readonly Allocation[]) {
    this.#env = env;
    this.tracker = tracker;
    this.#choose = choose;
    this.#P = env.predicates.length / env.B;
    this.width = env.O + tracker.width;
  }

  begin(rows: Int32Array): void {
    const plans = this.#choose(rows);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      this.tracker.begin(row, plans[i]!, this.#env.predicates, row * this.#P);
    }
  }

  advance(row: number): number {
    return this.tracker.advance(row, this.#env.predicates, row * this.#P);
  }

  finish(row: number): number {
    return this.tracker.advance(row, this.#env.finalPredicates, row * this.#P);
  }

  isOver(row: number): boolean {
    return this.tracker.failed[row] === 1;
  }

  observe(out: Float32Array): void {
    const { B, O, observation, predicates } = this.#env;
    for (let row = 0; row < B; row++) {
      const at = row * this.width;
      for (let i = 0; i < O; i++) out[at + i] = observation[row * O + i]!;
      this.tracker.observe(row, predicates, row * this.#P, out, at + O);
    }
  }

  arrays() {
    return this.tracker.arrays();
  }
}
