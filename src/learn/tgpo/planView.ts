import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import type { Guide, Situation } from '#learn/tgpo/guide';
import type { StageTracker } from '#learn/tgpo/stages';
import type { Allocation } from '#stl/allocation';

export interface PlanViewOptions {
  /** The plans of new episodes in these rows, whose first samples the environment shows. */
  readonly choose: (rows: Int32Array) => readonly Allocation[];
  /** How many stages of a plan an episode skips: where there are some it is practice, over when the others are done. */
  readonly practise?: (plan: Allocation) => number;
  /** Where an episode sets out on the way that was found; undefined where it begins as always. */
  readonly setOut?: (guide: Guide) => Situation | undefined;
  /** Reward of practice that is completed. */
  readonly success?: number;
}

/** How an episode began, or what became of it. */
const EPISODE = { whole: 0, practice: 1, completedPractice: 2, onTheWay: 3 } as const;

/** TGPO's view: the task's observation and the plan that each environment follows. */
export class PlanView implements EpisodeView {
  readonly width: number;
  readonly tracker: StageTracker;
  readonly #env: FormulaEnv;
  readonly #options: PlanViewOptions;
  readonly #P: number;
  /** [B] of EPISODE */
  readonly #episode: Uint8Array;
  #guide: Guide | undefined;

  constructor(env: FormulaEnv, tracker: StageTracker, options: PlanViewOptions) {
    this.#env = env;
    this.tracker = tracker;
    this.#options = options;
    this.#P = env.predicates.length / env.B;
    this.width = env.O + tracker.width;
    this.#episode = new Uint8Array(env.B);
  }

  get guide(): Guide | undefined {
    return this.#guide;
  }

  set guide(guide: Guide | undefined) {
    this.#guide = guide;
    this.tracker.guide = guide?.costs;
  }

  begin(rows: Int32Array): void {
    const plans = this.#options.choose(rows);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      this.#episode[row] = this.#begin(row, plans[i]!);
    }
  }

  #begin(row: number, plan: Allocation): number {
    const { practise, setOut } = this.#options;
    const { predicates } = this.#env;
    const situation = this.#guide && setOut?.(this.#guide);
    if (situation) {
      this.#env.setEnvironment(row, situation.state);
      this.tracker.setRow(row, situation.plan);
      return EPISODE.onTheWay;
    }
    this.tracker.begin(row, plan, predicates, row * this.#P);
    const skipped = this.#guide ? 0 : (practise?.(plan) ?? 0);
    if (skipped === 0) return EPISODE.whole;
    this.tracker.skip(row, skipped, predicates, row * this.#P);
    return EPISODE.practice;
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
    if (!this.isPractice(row)) return reward;
    if (tracker.completed(row)) {
      this.#episode[row] = EPISODE.completedPractice;
      return reward + (this.#options.success ?? 0);
    }
    // Its clock runs ahead of the environment's.
    if (tracker.sample[row]! >= tracker.table.last) tracker.failed[row] = 1;
    return reward;
  }

  isOver(row: number): boolean {
    return this.tracker.failed[row] === 1 || this.#episode[row] === EPISODE.completedPractice;
  }

  isPractice(row: number): boolean {
    const episode = this.#episode[row]!;
    return episode === EPISODE.practice || episode === EPISODE.completedPractice;
  }

  isWhole(row: number): boolean {
    return this.#episode[row] === EPISODE.whole;
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
    return { ...this.tracker.arrays(), episode: this.#episode };
  }
}
