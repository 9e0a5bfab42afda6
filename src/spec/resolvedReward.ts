/** The aids of a task's reward section, looked up: src/reward makes of them what steps add. */

export interface ResolvedReward {
  readonly entries: readonly RewardEntry[];
  /** Soft penalties: their places among the signals. */
  readonly factors: readonly number[];
}

export interface RewardEntry {
  readonly name: string;
  readonly weight: number;
  /** Where its values stand among the signals of an environment. */
  readonly offset: number;
  readonly length: number;
  /** Most that it adds up to in an episode, either way; of a potential, its largest value. */
  readonly cap: number | undefined;
  /** What decides whether the entry counts in an episode: its success, or a condition among the signals. */
  readonly gate: number | 'success' | undefined;
  /** Whether the best policy is the same whatever its values are. */
  readonly invariant: boolean;
  readonly method: MethodSpec;
}

export type MethodSpec =
  | { readonly kind: 'potential'; readonly veto: number | undefined }
  | { readonly kind: 'bonus' }
  | { readonly kind: 'stages' }
  | { readonly kind: 'partial'; readonly inaction: number }
  | { readonly kind: 'process'; readonly form: 'clip' | 'delta'; readonly margin: number }
  | { readonly kind: 'novelty'; readonly cell: number; readonly exponent: number }
  | { readonly kind: 'coverage'; readonly cell: number }
  | { readonly kind: 'attribution'; readonly ridge: number };
