/** A way to add signal to a sparse reward, over B rows at once. Its values are those of the entry's expressions at a
 * sample; step t of an episode goes from sample t to sample t + 1. */
export interface RewardMethod {
  /** A new episode of a row. @param values at sample 0 */
  begin(row: number, values: Values): void;

  /** What a step adds at once, before weight and cap. */
  step(row: number, step: MethodStep): number;

  /** What is known only when the episode is over: added to `outCredits`, one entry per step, before weight and cap.
   * @shape outCredits [T] */
  finish?(row: number, episode: FinishedEpisode, outCredits: Float64Array): void;

  /** What a continuation needs beside the rows' running episodes, JSON. */
  save?(): unknown;
  restore?(state: unknown): void;
}

export type Values = Readonly<ArrayLike<number>>;

export interface MethodStep {
  readonly before: Values;
  readonly after: Values;
  /** Success or failure: nothing follows. Not a timeout, behind which the value goes on. */
  readonly terminated: boolean;
}

export interface FinishedEpisode {
  /** T */
  readonly steps: number;
  /** The entry's values, sample after sample. @shape [T + 1, n] */
  readonly trace: Float64Array;
  /** n */
  readonly width: number;
  readonly success: boolean;
  /** Sum of the task's own reward. */
  readonly outcome: number;
}
