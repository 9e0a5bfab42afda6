import fc from 'fast-check';
import {
  and,
  atom,
  type BinaryTemporalKind,
  binaryTemporal,
  connective,
  type Formula,
  type Interval,
  not,
  or,
  type StepKind,
  stepOperator,
  temporal,
  type UnaryTemporalKind,
} from '#stl/formula';

/** Random formulas over `predicates` predicates. */

export interface FormulaLimits {
  readonly predicates: number;
  readonly depth: number;
  /** Largest bound of an interval. */
  readonly reach: number;
  readonly unbounded: boolean;
  /** `future` and `past` leave the other half out. */
  readonly tense: 'both' | 'future' | 'past';
}

const defaults: FormulaLimits = { predicates: 2, depth: 3, reach: 4, unbounded: true, tense: 'both' };

const kinds = {
  future: { unary: ['always', 'eventually'], binary: ['until', 'release', 'weakUntil'], step: ['next'] },
  past: { unary: ['once', 'historically'], binary: ['since', 'trigger'], step: ['prev', 'rise', 'fall'] },
} as const;

export function formulas(limits: Partial<FormulaLimits> = {}): fc.Arbitrary<Formula> {
  const { predicates, depth, reach, unbounded, tense } = { ...defaults, ...limits };
  const tenses = tense === 'both' ? (['future', 'past'] as const) : ([tense] as const);
  const interval: fc.Arbitrary<Interval> = fc
    .tuple(fc.nat(reach), fc.nat(reach), unbounded ? fc.nat(4) : fc.constant(1))
    .map(([a, b, open]) => ({
      from: Math.min(a, b),
      to: open === 0 ? Number.POSITIVE_INFINITY : Math.max(a, b),
    }));
  const level = (n: number): fc.Arbitrary<Formula> => {
    const leaf = fc.nat(predicates - 1).map(atom);
    if (n === 0) return leaf;
    const inner = level(n - 1);
    const unary = fc.constantFrom<UnaryTemporalKind[]>(...tenses.flatMap((t) => kinds[t].unary));
    const binary = fc.constantFrom<BinaryTemporalKind[]>(...tenses.flatMap((t) => kinds[t].binary));
    const step = fc.constantFrom<StepKind[]>(...tenses.flatMap((t) => kinds[t].step));
    return fc.oneof(
      leaf,
      inner.map(not),
      fc.array(inner, { minLength: 2, maxLength: 3 }).map((operands) => and(...operands)),
      fc.array(inner, { minLength: 2, maxLength: 3 }).map((operands) => or(...operands)),
      fc
        .tuple(fc.constantFrom('implies', 'iff', 'xor'), inner, inner)
        .map(([kind, a, b]) => connective(kind as 'implies', a, b)),
      fc.tuple(unary, inner, interval).map(([kind, f, i]) => temporal(kind, f, i)),
      fc.tuple(binary, inner, inner, interval).map(([kind, a, b, i]) => binaryTemporal(kind, a, b, i)),
      fc.tuple(step, inner).map(([kind, f]) => stepOperator(kind, f)),
    );
  };
  return level(depth);
}

/** One signal per predicate, all of one length. */
export function signalSets(predicates: number, least: number, most: number): fc.Arbitrary<Float64Array[]> {
  return fc.integer({ min: least, max: most }).chain((length) =>
    fc.array(
      fc
        .array(fc.integer({ min: -8, max: 8 }), { minLength: length, maxLength: length })
        .map((values) => Float64Array.from(values, (v) => v / 2)),
      { minLength: predicates, maxLength: predicates },
    ),
  );
}
