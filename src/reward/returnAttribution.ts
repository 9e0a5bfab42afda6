import type { FinishedEpisode, RewardMethod } from '#reward/method';

/** Spreads the return of an episode over its steps: c_t = w . f_t, with f_t the factors of the sample that step t led to
 * and w from a ridge regression of returns R on their sums. The steps get c_t + (R - sum c) / T, the last one gives R
 * back, so that the undiscounted return is what it was. Nothing is moved before returns have differed.
 * @source Wang et al. 2025, arXiv:2505.20732 (SPA-RL), min (sum c_t - R)^2; Qu et al. 2024, arXiv:2412.11120 (LaRe), coded
 * factors; Arjona-Medina et al. 2019, arXiv:1806.07857, return equivalence; differs: linear in the factors */
export class ReturnAttribution implements RewardMethod {
  readonly #d: number;
  /** Sums over episodes of F F' (with the ridge) and F R. @shape [d,d], [d] */
  readonly #gram: Float64Array;
  readonly #moment: Float64Array;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;

  constructor(factors: number, ridge: number) {
    this.#d = factors;
    this.#gram = new Float64Array(factors * factors);
    this.#moment = new Float64Array(factors);
    for (let i = 0; i < factors; i++) this.#gram[i * factors + i] = ridge;
  }

  begin(): void {}

  step(): number {
    return 0;
  }

  finish(_row: number, { steps, trace, outcome }: FinishedEpisode, outCredits: Float64Array): void {
    const d = this.#d;
    const sums = new Float64Array(d);
    for (let at = d; at < trace.length; at++) sums[at % d]! += trace[at]!;
    if (!sums.every(Number.isFinite)) return;
    this.#observe(sums, outcome);
    if (this.#most - this.#least === 0) return;
    const weights = solve(this.#gram, this.#moment, d);
    let attributed = 0;
    for (let i = 0; i < d; i++) attributed += weights[i]! * sums[i]!;
    const rest = (outcome - attributed) / steps;
    for (let t = 0; t < steps; t++) {
      let credit = rest;
      for (let i = 0; i < d; i++) credit += weights[i]! * trace[(t + 1) * d + i]!;
      outCredits[t]! += credit;
    }
    outCredits[steps - 1]! -= outcome;
  }

  #observe(sums: Float64Array, outcome: number): void {
    const d = this.#d;
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) this.#gram[i * d + j]! += sums[i]! * sums[j]!;
      this.#moment[i]! += sums[i]! * outcome;
    }
    this.#least = Math.min(this.#least, outcome);
    this.#most = Math.max(this.#most, outcome);
  }

  save(): unknown {
    const seen = this.#most >= this.#least ? [this.#least, this.#most] : undefined;
    return { gram: [...this.#gram], moment: [...this.#moment], seen };
  }

  restore(state: unknown): void {
    const saved = state as { gram: number[]; moment: number[]; seen?: [number, number] };
    this.#gram.set(saved.gram);
    this.#moment.set(saved.moment);
    [this.#least, this.#most] = saved.seen ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  }
}

/** x of A x = b for a symmetric positive definite A, by Cholesky's factorisation. @shape a [d,d]; b, result [d] */
function solve(a: Float64Array, b: Float64Array, d: number): Float64Array {
  const lower = new Float64Array(d * d);
  const x = Float64Array.from(b);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * d + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * d + k]! * lower[j * d + k]!;
      lower[i * d + j] = i === j ? Math.sqrt(sum) : sum / lower[j * d + j]!;
    }
    for (let k = 0; k < i; k++) x[i]! -= lower[i * d + k]! * x[k]!;
    x[i]! /= lower[i * d + i]!;
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++) x[i]! -= lower[k * d + i]! * x[k]!;
    x[i]! /= lower[i * d + i]!;
  }
  return x;
}
