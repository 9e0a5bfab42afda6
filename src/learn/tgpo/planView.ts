import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import type { StageTracker } from '#learn/tgpo/stages';
import type { Allocation } from '#stl/allocation';

export interface PlanViewOptions {
  /** The plans of new episodes in these rows, whose first samples the environment shows. */
  readonly choose: (rows: Int32Array) => readonly Allocation[];
  /** How many stages of a plan an episode skips: where there are some it is practice, over when the others are done. */
  readonly practise?: (plan: Allocation) => number;
  /** Reward of practice that is completed. */
  readonly success?: number;
}

/** TGPO's view: the task's observation and the plan that each environment follows. */
export class PlanView implements EpisodeView {
  readonly width: number;
  readonly tracker: StageTracker;
  readonly #env: FormulaEnv;
  readonly #options: PlanViewOptions;
  readonly #P: number;
  /** [B] 1: practice, 2: practice that was completed */
  readonly #practice: Uint8Array;

  constructor(env: FormulaEnv, tracker: StageTracker, options: PlanViewOptions) {
    this.#env = env;
    this.tracker = tracker;
    this.#options = options;
    this.#P = env.predicates.length / env.B;
    this.width = env.O + tracker.width;
    this.#practice = new Uint8Array(env.B);
  }

  begin(rows: Int32Array): void {
    const { choose, practise } = this.#options;
    const { predicates } = this.#env;
    const plans = choose(rows);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      this.tracker.begin(row, plans[i]!, predicates, row * this.#P);
      const skipped = practise?.(plans[i]!) ?? 0;
      this.#practice[row] = skipped > 0 ? 1 : 0;
      if (skipped > 0) this.tracker.skip(row, skipped, predicates, row * this.#P);
    }
  }

  advance(row: number): number {
    return this.#advance(row, this.#env.predicates);
  }

  finish(row: number): number {
    return this.#advance(row, this.#env.finalPredicates);
  }

  #advance(row: number, predicates: Float64Array): number {
    if (this.isOver(row)) return 0;
    const { tracker } = this;
    const reward = tracker.advance(row, predicates, row * this.#P);
    if (this.#practice[row] === 0) return reward;
    if (tracker.completed(row)) {
      this.#practice[row] = 2;
      return reward + (this.#options.success ?? 0);
    }
    // Its clock runs ahead of the environment's.
    if (tracker.sample[row]! >= tracker.table.last) tracker.failed[row] = 1;
    return reward;
  }

  isOver(row: number): boolean {
    return this.tracker.failed[row] === 1 || this.#practice[row] === 2;
  }

  isPractice(row: number): boolean {
    return this.#practice[row] !== 0;
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
    return { ...this.tracker.arrays(), practice: this.#practice };
  }
}
