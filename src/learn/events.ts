import type { Evaluation } from '#learn/evaluate';
import type { PairedComparison } from '#learn/statistics';

/** What a training run tells while it goes on: shown live, and written to metrics.jsonl line by line. */

export type PhaseName =
  | 'demos'
  | 'base'
  | 'scores'
  | 'warm-up'
  | 'critic only'
  | 'online'
  | 'final evaluation'
  | 'done';

/** A success rate with its 95 % Wilson interval. */
export interface Score {
  readonly successes: number;
  readonly episodes: number;
  readonly rate: number;
  readonly low: number;
  readonly high: number;
  /** Control steps of an episode, on average. */
  readonly meanLength: number;
}

export type TrainEvent =
  | { readonly kind: 'phase'; readonly phase: PhaseName; readonly environmentSteps: number }
  | { readonly kind: 'demos'; readonly kept: number; readonly wanted: number; readonly tried: number }
  | {
      readonly kind: 'bc';
      readonly step: number;
      readonly total: number;
      readonly loss: number;
      readonly validation: number | undefined;
    }
  | {
      readonly kind: 'progress';
      readonly phase: PhaseName;
      readonly environmentSteps: number;
      readonly total: number;
      readonly updates: number;
      readonly stepsPerSecond: number;
      readonly updatesPerSecond: number;
      /** Success over the last 100 training episodes, exploration included; undefined before the first one. */
      readonly success: number | undefined;
      /** Seconds to the end at the present rate; undefined while no environment steps. */
      readonly eta: number | undefined;
      /** Averages since the last progress event: criticLoss, value, target, actorLoss, ... */
      readonly losses: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: 'evaluation';
      /** base: the base alone; policy: what has been learned so far; final: both on the episodes that are reported */
      readonly what: 'base' | 'policy' | 'final';
      readonly environmentSteps: number;
      readonly score: Score;
      /** final only */
      readonly base?: Score;
      readonly paired?: PairedComparison;
    }
  | ScoringEvent
  | { readonly kind: 'scored demos'; readonly done: number; readonly total: number }
  | { readonly kind: 'checkpoint'; readonly environmentSteps: number; readonly path: string }
  | { readonly kind: 'note'; readonly text: string };

/** How models score the episodes of a run; numbers count from its beginning. */
export interface ScoringEvent {
  readonly kind: 'scoring';
  readonly environmentSteps: number;
  /** Episodes with all their scores, and those that wait for some. */
  readonly scored: number;
  readonly pending: number;
  /** Episodes without scores: no place in the queue, no longer in the replay, or over a stop of the run. */
  readonly dropped: number;
  readonly stale: number;
  readonly lost: number;
  /** Shares of all scores: those that are missing, and those that the cache knew. */
  readonly missing: number;
  readonly hits: number;
  /** Calls of models in this session, and milliseconds that one picture took. */
  readonly calls: number;
  readonly momentMs: number;
  /** Milliseconds from an episode's end to its last score, on average. */
  readonly waitedMs: number;
  /** Scores whose model fails at the moment. */
  readonly broken: readonly string[];
}

export function scoreOf(evaluation: Evaluation): Score {
  const { successes, episodes, rate, wilson, meanLength } = evaluation;
  return { successes, episodes, rate, low: wilson[0], high: wilson[1], meanLength };
}
