import { VernierError } from '#core/errors';
import { childrenOf, type Formula, predicatesOf } from '#stl/formula';
import { type Edge, futureExtremum, futureUntil, pastExtremum, pastSince } from '#stl/windows';

/** The signals of a formula: `signals[p][t]` is the robustness of predicate p at sample t. */
export type PredicateSignals = readonly Float64Array[];

/** Number of samples. @throws SHAPE when the signals differ in length, NUMERIC at a NaN */
export function checkSignals(formula: Formula, signals: PredicateSignals): number {
  const length = signals[0]?.length ?? 0;
  for (const p of predicatesOf(formula)) {
    const signal = signals[p];
    if (signal?.length !== length) {
      const received = signal === undefined ? 'none' : `${signal.length} samples`;
      throw new VernierError('SHAPE', `predicate ${p}: expected ${length} samples, received ${received}`);
    }
    const bad = signal.findIndex(Number.isNaN);
    if (bad >= 0) throw new VernierError('NUMERIC', `predicate ${p}: the robustness at sample ${bad} is NaN`);
  }
  return length;
}

/** One pass over sampled values. A constant formula has no signal, so the length comes from outside. */
export class SampledEvaluation {
  readonly signals: PredicateSignals;
  readonly length: number;
  readonly closed: boolean;
  readonly edge: Edge;

  constructor(signals: PredicateSignals, length: number, closed: boolean, edge: Edge) {
    this.signals = signals;
    this.length = length;
    this.closed = closed;
    this.edge = edge;
  }

  /** The values of a formula from those of its children. */
  combine(formula: Formula, children: readonly Float64Array[]): Float64Array {
    const [a, b] = children as [Float64Array, Float64Array];
    const { closed, edge } = this;
    switch (formula.kind) {
      case 'true':
      case 'false':
        return new Float64Array(this.length).fill(
          formula.kind === 'true' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
        );
      case 'atom':
        return this.signals[formula.predicate]!.slice();
      case 'not':
        return negative(a);
      case 'and':
        return children.reduce(minimum);
      case 'or':
        return children.reduce(maximum);
      case 'implies':
        return maximum(negative(a), b);
      case 'iff':
        return minimum(maximum(negative(a), b), maximum(a, negative(b)));
      case 'xor':
        return maximum(minimum(a, negative(b)), minimum(negative(a), b));
      case 'always':
        return futureExtremum(a, formula.interval.from, formula.interval.to, 'min', edge);
      case 'eventually':
        return futureExtremum(a, formula.interval.from, formula.interval.to, 'max', edge);
      case 'historically':
        return pastExtremum(a, formula.interval.from, formula.interval.to, 'min');
      case 'once':
        return pastExtremum(a, formula.interval.from, formula.interval.to, 'max');
      case 'until':
        return futureUntil(a, b, formula.interval.from, formula.interval.to, closed, edge);
      case 'weakUntil': {
        const { from, to } = formula.interval;
        return maximum(futureUntil(a, b, from, to, closed, edge), futureExtremum(a, 0, to, 'min', edge));
      }
      case 'release': {
        const { from, to } = formula.interval;
        return negative(futureUntil(negative(a), negative(b), from, to, closed, edge));
      }
      case 'since':
        return pastSince(a, b, formula.interval.from, formula.interval.to, closed);
      case 'trigger': {
        const { from, to } = formula.interval;
        return negative(pastSince(negative(a), negative(b), from, to, closed));
      }
      case 'next':
        return futureExtremum(a, 1, 1, 'max', edge);
      case 'prev':
        return pastExtremum(a, 1, 1, 'max');
      case 'rise':
        return minimum(a, negative(pastExtremum(a, 1, 1, 'max')));
      case 'fall':
        return minimum(negative(a), pastExtremum(a, 1, 1, 'min'));
      default:
        throw formula satisfies never;
    }
  }
}

/** Fills in the values of a formula and all its parts. */
export function evaluateInto(
  formula: Formula,
  evaluation: SampledEvaluation,
  outValues: Map<Formula, Float64Array>,
): Float64Array {
  const known = outValues.get(formula);
  if (known) return known;
  const children = childrenOf(formula).map((child) => evaluateInto(child, evaluation, outValues));
  const value = evaluation.combine(formula, children);
  outValues.set(formula, value);
  return value;
}

function negative(x: Float64Array): Float64Array {
  return x.map((v) => -v);
}

function minimum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, t) => Math.min(v, b[t]!));
}

function maximum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, t) => Math.max(v, b[t]!));
}
