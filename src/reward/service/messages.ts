import type { ScenePose } from '#env/renderer';
import type { CameraTask } from '#env/taskCameras';
import type { ResolvedScore } from '#spec/resolved';

/** What the thread of the trainer and that of the scorers tell each other. */

export interface ScoringSetup {
  readonly task: CameraTask;
  readonly scores: readonly ResolvedScore[];
  /** A start of the task, and an end with success: what reference scorers compare with. */
  readonly reference: { readonly start?: ScenePose; readonly goal?: ScenePose };
  /** File of the answers' log; none when left out. */
  readonly log?: string;
  /** How long the first picture of a batch waits for others, ms. */
  readonly deadlineMs: number;
}

/** A finished episode, or as much of it as scorers look at. */
export interface PosedEpisode {
  readonly id: number;
  /** The samples that the poses are of, ascending. @shape samples, poses [n] */
  readonly samples: readonly number[];
  readonly poses: readonly ScenePose[];
}

export type ScoringCommand =
  | { readonly kind: 'score'; readonly episode: PosedEpisode }
  | { readonly kind: 'close' };

/** One score of an episode. @shape samples, phi, confidence [n]; NaN is missing */
export interface EpisodeScore {
  readonly id: number;
  readonly score: string;
  readonly samples: readonly number[];
  readonly phi: Float64Array;
  readonly confidence: Float64Array;
  readonly hits: number;
  readonly unanswered: number;
  /** Counts the models that this score has had, from 1. */
  readonly version: number;
}

/** What the model of a score has done so far. */
export interface Spent {
  readonly calls: number;
  readonly moments: number;
  readonly latencyMs: number;
}

export type ScoringEvent =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'failed';
      /** An ErrorCode, or `DEFECT`. */
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
    }
  | ({ readonly kind: 'scored'; readonly spent: Spent } & EpisodeScore)
  | {
      readonly kind: 'breaker';
      readonly score: string;
      readonly opened: boolean;
      readonly why?: string;
    }
  | { readonly kind: 'version'; readonly score: string; readonly version: number }
  | { readonly kind: 'note'; readonly text: string };
