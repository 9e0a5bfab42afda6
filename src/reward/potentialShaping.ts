import type { MethodStep, RewardMethod, Values } from '#reward/method';

/** Potential-based shaping: a step adds gamma * P(s') - P(s), with P(s') = 0 where the episode ended for good and as it
 * is at a timeout; n-step returns telescope to gamma^n P(s_n) - P(s_0). The best policy stays the best.
 * @source Ng, Harada, Russell 1999, ICML, theorem 1; Grzes 2017, AAMAS, for the end of episodes; differs: an ensemble's
 * mean is the potential, and a step is left out where one of its ends is vetoed or not finite */
export class PotentialShaping implements RewardMethod {
  readonly #gamma: number;
  readonly #limit: number;
  readonly #veto: number;

  /** @param limit of the potential, either way
   * @param veto standard deviation of the ensemble above which its potential is not known */
  constructor(gamma: number, limit = Number.POSITIVE_INFINITY, veto = Number.POSITIVE_INFINITY) {
    this.#gamma = gamma;
    this.#limit = limit;
    this.#veto = veto;
  }

  begin(): void {}

  step(_row: number, { before, after, terminated }: MethodStep): number {
    const from = this.#potential(before);
    const to = terminated ? 0 : this.#potential(after);
    const added = this.#gamma * to - from;
    return Number.isNaN(added) ? 0 : added;
  }

  /** NaN where it is not known. */
  #potential(members: Values): number {
    const n = members.length;
    let mean = 0;
    for (let i = 0; i < n; i++) mean += members[i]! / n;
    if (!Number.isFinite(mean)) return Number.NaN;
    let variance = 0;
    for (let i = 0; i < n; i++) variance += (members[i]! - mean) ** 2 / n;
    if (Math.sqrt(variance) > this.#veto) return Number.NaN;
    return Math.min(this.#limit, Math.max(-this.#limit, mean));
  }
}
