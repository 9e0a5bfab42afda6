import {
  atom,
  childrenOf,
  defaultSemantics,
  type Formula,
  mapChildren,
  negationNormalForm,
  predicatesOf,
  type SemanticsOptions,
} from '#stl/formula';
import { checkSignals, evaluateInto, type PredicateSignals, SampledEvaluation } from '#stl/sampled';

/** What the robustness can still become when the signals go on: at every sample, lower <= final value <= upper.
 * @shape lower, upper [T] */
export interface RobustInterval {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** The robust interval of a formula on signals that may go on in any way behind their last sample. Unbounded operators
 * included: always keeps -inf below, eventually +inf above.
 * Method: unknown samples are appended, as many as it takes until nothing changes any more, with the least (greatest)
 * value for every literal of the negation normal form, in which every operator is monotone. */
export function robustInterval(
  formula: Formula,
  signals: PredicateSignals,
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): RobustInterval {
  const { until } = { ...defaultSemantics, ...options };
  const length = checkSignals(formula, signals);
  const count = signals.length;
  const literals = separateLiterals(negationNormalForm(formula), count);
  const extended = length + settlingTime(literals) + 1;
  const bound = (unknown: number): Float64Array => {
    const known = new Map<number, Float64Array>();
    for (const p of predicatesOf(literals)) {
      const signal = new Float64Array(extended).fill(unknown);
      signal.set(p < count ? signals[p]! : signals[p - count]!.map((v) => -v));
      known.set(p, signal);
    }
    const all = Array.from({ length: 2 * count }, (_, p) => known.get(p) ?? new Float64Array());
    const evaluation = new SampledEvaluation(all, extended, until === 'closed', 'hold');
    return evaluateInto(literals, evaluation, new Map()).slice(0, length);
  };
  return { lower: bound(Number.NEGATIVE_INFINITY), upper: bound(Number.POSITIVE_INFINITY) };
}

/** What is certain about the formula at sample t: 1 it holds, 0 it does not, however the signals go on; -1 still open.
 * @param truth per predicate 1 or -1, from `truthSignals` */
export function earlyVerdict(
  formula: Formula,
  truth: PredicateSignals,
  t = 0,
  until = defaultSemantics.until,
): -1 | 0 | 1 {
  const { lower, upper } = robustInterval(formula, truth, { until });
  if (lower[t]! > 0) return 1;
  return upper[t]! < 0 ? 0 : -1;
}

/** The first sample whose arrival decides the formula at sample 0, or undefined. A decided verdict stays, so the sample
 * is found by halving. */
export function decidedAt(
  formula: Formula,
  truth: PredicateSignals,
  until = defaultSemantics.until,
): number | undefined {
  const length = checkSignals(formula, truth);
  const isOpen = (samples: number): boolean =>
    earlyVerdict(
      formula,
      truth.map((signal) => signal.subarray(0, samples)),
      0,
      until,
    ) === -1;
  if (length === 0 || isOpen(length)) return undefined;
  let [open, decided] = [0, length];
  while (decided - open > 1) {
    const middle = (open + decided) >> 1;
    if (isOpen(middle)) open = middle;
    else decided = middle;
  }
  return decided - 1;
}

/** Predicate p stays p, its negation becomes count + p. */
function separateLiterals(formula: Formula, count: number): Formula {
  if (formula.kind === 'not' && formula.operand.kind === 'atom')
    return atom(count + formula.operand.predicate);
  return mapChildren(formula, (child) => separateLiterals(child, count));
}

/** Samples behind the last known one after which the value no longer changes. An unbounded past operator settles one
 * sample after its operands, as its recursion is idempotent. */
function settlingTime(formula: Formula): number {
  const inner = Math.max(0, ...childrenOf(formula).map(settlingTime));
  if (!('interval' in formula)) return inner;
  const { from, to } = formula.interval;
  return inner + (Number.isFinite(to) ? to : from) + 1;
}
