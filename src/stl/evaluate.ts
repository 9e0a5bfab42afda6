import { defaultSemantics, type Formula, horizon, type SemanticsOptions, subformulas } from '#stl/formula';
import { robustInterval } from '#stl/robustInterval';
import { checkSignals, evaluateInto, type PredicateSignals, SampledEvaluation } from '#stl/sampled';

/** Robustness of the formula at every sample; NaN where `end: 'undefined'` leaves it open. In time linear in samples
 * times sub-formulas, whatever the windows. @shape signals[p], out [T] */
export function robustness(
  formula: Formula,
  signals: PredicateSignals,
  options: Partial<SemanticsOptions> = {},
): Float64Array {
  return robustnessOfParts(formula, signals, options).get(formula)!;
}

/** Robustness of every sub-formula (by its object) at every sample. */
export function robustnessOfParts(
  formula: Formula,
  signals: PredicateSignals,
  options: Partial<SemanticsOptions> = {},
): ReadonlyMap<Formula, Float64Array> {
  const { until, end } = { ...defaultSemantics, ...options };
  const length = checkSignals(formula, signals);
  if (end === 'pessimistic') {
    const parts = subformulas(formula);
    return new Map(parts.map((part) => [part, robustInterval(part, signals, { until }).lower]));
  }
  const values = new Map<Formula, Float64Array>();
  evaluateInto(formula, new SampledEvaluation(signals, length, until === 'closed', 'cut'), values);
  if (end === 'undefined') {
    for (const [part, value] of values) {
      value.fill(Number.NaN, Math.max(0, length - Math.min(length, horizon(part))));
    }
  }
  return values;
}

/** Whether the formula holds at each sample: 1, 0, or -1 where `end: 'undefined'` leaves it open. Comparisons are
 * taken as written, so that x > 3 is false at 3 and x >= 3 true.
 * @param holdsAtZero per predicate, as in `Specification.predicates` */
export function satisfaction(
  formula: Formula,
  signals: PredicateSignals,
  holdsAtZero: readonly boolean[],
  options: Partial<SemanticsOptions> = {},
): Int8Array {
  const value = robustness(formula, truthSignals(signals, holdsAtZero), options);
  return Int8Array.from(value, (v) => (Number.isNaN(v) ? -1 : v > 0 ? 1 : 0));
}

/** The predicates' truth as robustness: 1 or -1. */
export function truthSignals(signals: PredicateSignals, holdsAtZero: readonly boolean[]): Float64Array[] {
  return signals.map((signal, p) => signal.map((v) => (v > 0 || (v === 0 && holdsAtZero[p]!) ? 1 : -1)));
}
