import type { Moment } from '#core/frame';

/** The contract of everything that judges pictures: a scorer is asked how far along a task is, and answers for each
 * moment with a number or with nothing. It never guesses: what it cannot tell, and what it answers unreadably, is missing. */

export type { Frame, Moment } from '#core/frame';

/** Moments of one episode in the order of time. */
export interface ScoreRequest {
  readonly moments: readonly Moment[];
  /** What is to be done, in words; empty where the task says nothing. */
  readonly instruction: string;
  /** What reference scorers compare with: a start of the task, and an end with success. */
  readonly start?: Moment;
  readonly goal?: Moment;
}

/** @shape phi, confidence [moments] */
export interface Scores {
  /** Progress in [0,1]; NaN where it is missing. */
  readonly phi: Float64Array;
  /** In [0,1]: how far the scorer trusts itself; 1 where it cannot tell. */
  readonly confidence: Float64Array;
  /** Milliseconds that the model took. */
  readonly latencyMs: number;
}

export interface Scorer {
  /** `moment`: the same picture gets the same score whatever stands beside it, so scores can be kept one by one and batched
   * over episodes. `episode`: it depends on the whole request. */
  readonly scope: 'moment' | 'episode';
  /** Hex hashes of the weights with their preprocessing, and of the words with the settings: with the frames' hashes they say
   * which question was answered. */
  readonly model: string;
  readonly prompt: string;
  /** One answer per request, in their order.
   * @throws VernierError when the model cannot be reached or breaks: then nothing is known of any of them */
  score(requests: readonly ScoreRequest[]): Promise<readonly Scores[]>;
  close(): Promise<void>;
}

/** What a scorer is made with beside its settings. */
export interface ScorerContext {
  /** Absolute: what paths in the settings are relative to. */
  readonly directory: string;
  readonly instruction: string;
  /** The first and the last moment of a demonstration that succeeded, where there is one. */
  readonly start?: Moment;
  readonly goal?: Moment;
}
