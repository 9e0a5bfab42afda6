import {
  defaultSemantics,
  type Formula,
  type Interval,
  negationNormalForm,
  type SemanticsOptions,
} from '#stl/formula';
import { checkSignals, type PredicateSignals } from '#stl/sampled';

/** Robustness with smooth extrema, which every sample moves and not the deciding one alone. */

/** lse: -1/k ln sum exp(-k x), at most ln(m)/k below the least of m values.
 * weighted: the mean with the weights exp(-k x); lies between the least and the mean.
 * agm: with all x > 0 the geometric mean of 1 + x less 1, else the mean of min(x, 0) (Mehdipour, Vasile, Belta 2019);
 * positive exactly where the least is, meant for values of about [-1, 1]. */
export type Smoothing =
  | { readonly kind: 'lse' | 'weighted'; readonly sharpness: number }
  | { readonly kind: 'agm' };

/** The smooth least of one or more finite values. */
export function smoothMinimum(values: readonly number[], smoothing: Smoothing): number {
  const least = Math.min(...values);
  if (smoothing.kind === 'agm') {
    if (least <= 0) return values.reduce((sum, x) => sum + Math.min(x, 0), 0) / values.length;
    return Math.expm1(values.reduce((sum, x) => sum + Math.log1p(x), 0) / values.length);
  }
  const weights = values.map((x) => Math.exp(-smoothing.sharpness * (x - least)));
  const total = weights.reduce((sum, w) => sum + w, 0);
  if (smoothing.kind === 'lse') return least - Math.log(total) / smoothing.sharpness;
  return weights.reduce((sum, w, i) => sum + w * values[i]!, 0) / total;
}

/** Smooth robustness at every sample, windows cut off at the end; infinite where a window is empty. The left side of an
 * until is gathered sample by sample, each smooth minimum of two taking the one before; for lse that is the smooth
 * minimum of all. #reward/smoothRobustness is the same on tensors. @shape signals[p], out [T] */
export function smoothRobustness(
  formula: Formula,
  signals: PredicateSignals,
  smoothing: Smoothing,
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): Float64Array {
  const { until } = { ...defaultSemantics, ...options };
  const length = checkSignals(formula, signals);
  const evaluation = new SmoothEvaluation(signals, length, smoothing, until === 'closed');
  return Float64Array.from(evaluation.evaluate(negationNormalForm(formula)));
}

class SmoothEvaluation {
  readonly #signals: PredicateSignals;
  readonly #length: number;
  readonly #smoothing: Smoothing;
  readonly #closed: boolean;

  constructor(signals: PredicateSignals, length: number, smoothing: Smoothing, closed: boolean) {
    this.#signals = signals;
    this.#length = length;
    this.#smoothing = smoothing;
    this.#closed = closed;
  }

  evaluate(formula: Formula): number[] {
    switch (formula.kind) {
      case 'true':
      case 'false':
        return this.#each(() => (formula.kind === 'true' ? Infinity : -Infinity));
      case 'atom':
        return [...this.#signals[formula.predicate]!];
      case 'not':
        return this.evaluate(formula.operand).map((v) => -v);
      case 'and':
      case 'or': {
        const parts = formula.operands.map((operand) => this.evaluate(operand));
        return this.#each((t) =>
          this.#extremum(
            parts.map((part) => part[t]!),
            formula.kind === 'or',
          ),
        );
      }
      case 'always':
      case 'eventually':
      case 'once':
      case 'historically': {
        const x = this.evaluate(formula.operand);
        const isMaximum = formula.kind === 'eventually' || formula.kind === 'once';
        const past = formula.kind === 'once' || formula.kind === 'historically';
        return this.#each((t) =>
          this.#extremum(
            this.#window(t, formula.interval, past).map((s) => x[s]!),
            isMaximum,
          ),
        );
      }
      case 'until':
      case 'release':
      case 'since':
      case 'trigger': {
        const sign = formula.kind === 'until' || formula.kind === 'since' ? 1 : -1;
        const past = formula.kind === 'since' || formula.kind === 'trigger';
        const phi = this.evaluate(formula.left).map((v) => sign * v);
        const psi = this.evaluate(formula.right).map((v) => sign * v);
        return this.#each((t) => sign * this.#until(phi, psi, t, formula.interval, past));
      }
      default:
        // The negation normal form has no other kind.
        throw new Error(`unexpanded ${formula.kind}`);
    }
  }

  #each(f: (t: number) => number): number[] {
    return Array.from({ length: this.#length }, (_, t) => f(t));
  }

  #window(t: number, { from, to }: Interval, past: boolean): number[] {
    const last = past ? t : this.#length - 1 - t;
    const window: number[] = [];
    for (let d = from; d <= Math.min(to, last); d++) window.push(past ? t - d : t + d);
    return window;
  }

  #until(
    phi: readonly number[],
    psi: readonly number[],
    t: number,
    { from, to }: Interval,
    past: boolean,
  ): number {
    const terms: number[] = [];
    let held = Number.POSITIVE_INFINITY;
    for (const [d, s] of this.#window(t, { from: 0, to }, past).entries()) {
      const next = this.#extremum([held, phi[s]!], false);
      if (d >= from) terms.push(this.#extremum([this.#closed ? next : held, psi[s]!], false));
      held = next;
    }
    return this.#extremum(terms, true);
  }

  /** An infinite value either decides or does not count; of no values the minimum is +inf. */
  #extremum(values: readonly number[], isMaximum: boolean): number {
    const sign = isMaximum ? -1 : 1;
    const signed = values.map((v) => sign * v).filter((v) => v !== Number.POSITIVE_INFINITY);
    if (signed.length === 0) return sign * Number.POSITIVE_INFINITY;
    if (signed.includes(Number.NEGATIVE_INFINITY)) return sign * Number.NEGATIVE_INFINITY;
    return sign * smoothMinimum(signed, this.#smoothing);
  }
}
