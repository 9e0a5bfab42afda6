/** The aids of a task's reward section, looked up: src/reward makes of them what steps add. */

export interface ResolvedReward {
  readonly entries: readonly RewardEntry[];
  /** Entries that look at scores of models: they are credited when those are there, some time after the episode. */
  readonly scored?: readonly ScoredEntry[];
  /** Soft penalties: their places among the signals. */
  readonly factors: readonly number[];
}

interface Aid {
  readonly name: string;
  readonly weight: number;
  /** Most that it adds up to in an episode, either way; of a potential, its largest value. */
  readonly cap: number | undefined;
  /** What decides whether the entry counts in an episode: its success, or a condition among the signals. */
  readonly gate: number | 'success' | undefined;
  /** Whether the best policy is the same whatever its values are. */
  readonly invariant: boolean;
  readonly method: MethodSpec;
}

export interface RewardEntry extends Aid {
  /** Where its values stand among the signals of an environment. */
  readonly offset: number;
  readonly length: number;
}

export interface ScoredEntry extends Aid {
  /** Where each of its values comes from. */
  readonly sources: readonly ValueSource[];
}

/** A place among the signals, or the score of a model where that is sure enough. */
export type ValueSource =
  | { readonly signal: number }
  | { readonly score: string; readonly confidence: number };

export type MethodSpec =
  | { readonly kind: 'potential'; readonly veto: number | undefined }
  | { readonly kind: 'bonus' }
  | { readonly kind: 'stages' }
  | { readonly kind: 'partial'; readonly inaction: number }
  | { readonly kind: 'process'; readonly form: 'clip' | 'delta'; readonly margin: number }
  | { readonly kind: 'novelty'; readonly cell: number; readonly exponent: number }
  | { readonly kind: 'coverage'; readonly cell: number }
  | { readonly kind: 'attribution'; readonly ridge: number };
