import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';

/** What the baselines see and earn. They know the formula through its robustness only: no plan, no subgoals. */

export interface BaselineOptions {
  /** Control steps of an episode. */
  readonly horizon: number;
  /** Reward of one unit of robustness. */
  readonly weight: number;
  /** Robustness that counts as one unit; it is clipped to two of them. */
  readonly distance: number;
  /** Observations of tau_mdp. */
  readonly memory: number;
}

/** Time and what the task shows; rewarded with the formula's robustness when the episode ends. */
export class SparseView implements EpisodeView {
  readonly width: number;
  protected readonly env: FormulaEnv;
  protected readonly options: BaselineOptions;

  constructor(env: FormulaEnv, options: BaselineOptions, width = env.O + 1) {
    this.env = env;
    this.options = options;
    this.width = width;
  }

  begin(_rows: Int32Array): void {}

  advance(_row: number): number {
    return 0;
  }

  finish(row: number): number {
    return this.options.weight * this.clipped(this.env.finalRobustness[row]!);
  }

  isOver(_row: number): boolean {
    return false;
  }

  isPractice(_row: number): boolean {
    return false;
  }

  isWhole(_row: number): boolean {
    return true;
  }

  observe(out: Float32Array): void {
    const { B, O, observation, steps } = this.env;
    for (let row = 0; row < B; row++) {
      const at = row * this.width;
      for (let i = 0; i < O; i++) out[at + i] = observation[row * O + i]!;
      out[at + O] = 1 - steps[row]! / this.options.horizon;
    }
  }

  arrays(): ReturnType<EpisodeView['arrays']> {
    return {};
  }

  /** In units, within two of them. */
  protected clipped(robustness: number): number {
    return Math.max(-2, Math.min(2, robustness / this.options.distance));
  }
}

/** Rewarded at every step with the change of the robust interval's middle. */
abstract class IntervalView extends SparseView {
  readonly #before: Float64Array;

  constructor(env: FormulaEnv, options: BaselineOptions, width: number) {
    super(env, options, width);
    this.#before = new Float64Array(env.B);
  }

  override begin(rows: Int32Array): void {
    for (const row of rows) this.#before[row] = this.#middle(row);
  }

  override advance(row: number): number {
    return this.#change(row, this.#middle(row));
  }

  override finish(row: number): number {
    return this.#change(row, this.clipped(this.env.finalRobustness[row]!));
  }

  #middle(row: number): number {
    const { robustness } = this.env;
    return (this.clipped(robustness[2 * row]!) + this.clipped(robustness[2 * row + 1]!)) / 2;
  }

  #change(row: number, now: number): number {
    const reward = this.options.weight * (now - this.#before[row]!);
    this.#before[row] = now;
    return reward;
  }

  override arrays(): ReturnType<EpisodeView['arrays']> {
    return { before: this.#before };
  }
}

/** The last observations, in place of what the formula remembers.
 * @source Aksaray et al. 2016, arXiv:1609.07409 (tau-MDP); differs: PPO and not tables, a fixed number of observations
 * whatever the formula's horizon, and the reward of IntervalView */
export class HistoryView extends IntervalView {
  /** [B, memory, O], newest last */
  readonly #history: Float32Array;

  constructor(env: FormulaEnv, options: BaselineOptions) {
    super(env, options, env.O * options.memory + 1);
    this.#history = new Float32Array(env.B * options.memory * env.O);
  }

  override begin(rows: Int32Array): void {
    super.begin(rows);
    for (const row of rows) for (let i = 0; i < this.options.memory; i++) this.#put(row, i);
  }

  override advance(row: number): number {
    const { memory } = this.options;
    const { O } = this.env;
    const start = row * memory * O;
    this.#history.copyWithin(start, start + O, start + memory * O);
    this.#put(row, memory - 1);
    return super.advance(row);
  }

  #put(row: number, place: number): void {
    const { O, observation } = this.env;
    const at = (row * this.options.memory + place) * O;
    for (let i = 0; i < O; i++) this.#history[at + i] = observation[row * O + i]!;
  }

  override observe(out: Float32Array): void {
    const { B, O, steps } = this.env;
    const { memory, horizon } = this.options;
    for (let row = 0; row < B; row++) {
      const at = row * this.width;
      out.set(this.#history.subarray(row * memory * O, (row + 1) * memory * O), at);
      out[at + memory * O] = 1 - steps[row]! / horizon;
    }
  }

  override arrays(): ReturnType<EpisodeView['arrays']> {
    return { ...super.arrays(), history: this.#history };
  }
}

/** Flags of every predicate: whether it held at some sample, whether at all of them, how long ago last.
 * @source Venkataraman et al. 2020, F-MDP; differs: flags of predicates and not of sub-formulas, the reward of
 * IntervalView */
export class FlagView extends IntervalView {
  readonly #P: number;
  /** [B,P,3] */
  readonly #flags: Float32Array;

  constructor(env: FormulaEnv, options: BaselineOptions) {
    const P = env.predicates.length / env.B;
    super(env, options, env.O + 1 + 4 * P);
    this.#P = P;
    this.#flags = new Float32Array(env.B * P * 3);
  }

  override begin(rows: Int32Array): void {
    super.begin(rows);
    for (const row of rows)
      for (let p = 0; p < this.#P; p++) {
        const holds = this.env.predicates[row * this.#P + p]! >= 0 ? 1 : 0;
        this.#flags.fill(holds, 3 * (row * this.#P + p), 3 * (row * this.#P + p + 1));
      }
  }

  override advance(row: number): number {
    for (let p = 0; p < this.#P; p++) {
      const at = 3 * (row * this.#P + p);
      const holds = this.env.predicates[row * this.#P + p]! >= 0;
      if (holds) this.#flags[at] = 1;
      else this.#flags[at + 1] = 0;
      this.#flags[at + 2] = holds ? 1 : Math.max(0, this.#flags[at + 2]! - 1 / this.options.horizon);
    }
    return super.advance(row);
  }

  override observe(out: Float32Array): void {
    super.observe(out);
    const { B, O, predicates } = this.env;
    const { distance } = this.options;
    const P = this.#P;
    for (let row = 0; row < B; row++) {
      const at = row * this.width + O + 1;
      out.set(this.#flags.subarray(3 * row * P, 3 * (row + 1) * P), at);
      for (let p = 0; p < P; p++) out[at + 3 * P + p] = Math.tanh(predicates[row * P + p]! / distance);
    }
  }

  override arrays(): ReturnType<EpisodeView['arrays']> {
    return { ...super.arrays(), flags: this.#flags };
  }
}
