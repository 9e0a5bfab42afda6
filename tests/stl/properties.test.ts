import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { robustness, satisfaction, truthSignals } from '#stl/evaluate';
import {
  childrenOf,
  expand,
  type Formula,
  horizon,
  negationNormalForm,
  type SemanticsOptions,
  subformulas,
} from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { printFormula } from '#stl/print';
import { decidedAt, earlyVerdict, robustInterval } from '#stl/robustInterval';
import { formulas, signalSets } from './arbitrary.js';

type Signals = readonly Float64Array[];
const untils = fc.constantFrom<SemanticsOptions['until'][]>('halfopen', 'closed');

/** Robustness by the definitions, sample by sample; knows expanded formulas only. */
function byDefinition(
  formula: Formula,
  signals: Signals,
  t: number,
  until: SemanticsOptions['until'],
): number {
  const length = signals[0]!.length;
  const at = (f: Formula, s: number): number => byDefinition(f, signals, s, until);
  const [a, b] = childrenOf(formula);
  switch (formula.kind) {
    case 'atom':
      return signals[formula.predicate]![t]!;
    case 'not':
      return -at(a!, t);
    case 'and':
      return Math.min(...formula.operands.map((f) => at(f, t)));
    case 'or':
      return Math.max(...formula.operands.map((f) => at(f, t)));
  }
  if (!('interval' in formula)) throw new Error(formula.kind);
  const past = ['once', 'historically', 'since', 'trigger'].includes(formula.kind);
  const step = past ? -1 : 1;
  const window: number[] = [];
  for (let d = formula.interval.from; d <= formula.interval.to && d <= length; d++) {
    const s = t + step * d;
    if (s >= 0 && s < length) window.push(s);
  }
  const before = (s: number): number[] => {
    const all: number[] = [];
    for (let u = t; u !== s; u += step) all.push(u);
    return until === 'closed' ? [...all, s] : all;
  };
  const strong = (f: (s: number) => number, g: (s: number) => number): number =>
    Math.max(...window.map((s) => Math.min(g(s), ...before(s).map(f))));
  switch (formula.kind) {
    case 'always':
    case 'historically':
      return Math.min(...window.map((s) => at(a!, s)));
    case 'eventually':
    case 'once':
      return Math.max(...window.map((s) => at(a!, s)));
    case 'until':
    case 'since':
      return strong(
        (s) => at(a!, s),
        (s) => at(b!, s),
      );
    case 'release':
    case 'trigger':
      return -strong(
        (s) => -at(a!, s),
        (s) => -at(b!, s),
      );
    default:
      throw new Error(formula.kind);
  }
}

/** Equal values; 0 and -0 are. */
function expectSame(received: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(Array.from(received, (v) => v + 0)).toEqual(Array.from(expected, (v) => v + 0));
}

describe('robustness', () => {
  it('is that of the definitions', () => {
    fc.assert(
      fc.property(formulas({ depth: 2 }), signalSets(2, 1, 9), untils, (formula, signals, until) => {
        const expanded = expand(formula);
        const expected = Array.from(signals[0]!, (_, t) => byDefinition(expanded, signals, t, until));
        expectSame(robustness(formula, signals, { until }), expected);
      }),
      { numRuns: 600 },
    );
  });

  it('is the same in negation normal form, and changes its sign under negation', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 12), untils, (formula, signals, until) => {
        const value = robustness(formula, signals, { until });
        const normal = negationNormalForm(formula);
        for (const part of subformulas(normal)) {
          expect(part.kind !== 'not' || part.operand.kind === 'atom').toBe(true);
        }
        expectSame(robustness(normal, signals, { until }), value);
        const negated = negationNormalForm({ kind: 'not', operand: formula });
        expectSame(
          robustness(negated, signals, { until }),
          value.map((v) => -v),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('has the sign of the Boolean verdict', () => {
    fc.assert(
      fc.property(
        formulas(),
        signalSets(2, 1, 12),
        untils,
        fc.boolean(),
        (formula, signals, until, atZero) => {
          const value = robustness(formula, signals, { until });
          const holds = satisfaction(formula, signals, [atZero, !atZero], { until });
          for (const [t, v] of value.entries()) if (v !== 0) expect(holds[t]).toBe(v > 0 ? 1 : 0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('rises with every signal where a formula has no negation', () => {
    const monotone = formulas().map(withoutNegation);
    fc.assert(
      fc.property(monotone, signalSets(2, 1, 12), fc.nat(7), (formula, signals, seed) => {
        const raised = signals.map((signal, p) => signal.map((v, t) => v + ((t * 5 + p * 3 + seed) % 4)));
        const [low, high] = [robustness(formula, signals), robustness(formula, raised)];
        for (const [t, v] of low.entries()) expect(high[t]).toBeGreaterThanOrEqual(v);
      }),
      { numRuns: 300 },
    );
  });

  it('is left open exactly where the horizon passes the end', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 12), (formula, signals) => {
        const value = robustness(formula, signals, { end: 'undefined' });
        const vacuous = robustness(formula, signals);
        for (const [t, v] of value.entries()) {
          if (t + horizon(formula) < value.length) expect(v).toBe(vacuous[t]);
          else expect(v).toBeNaN();
        }
      }),
    );
  });
});

function withoutNegation(formula: Formula): Formula {
  const strip = (f: Formula): Formula => (f.kind === 'not' ? f.operand : f);
  const visit = (f: Formula): Formula => {
    const bare = strip(f);
    if ('operands' in bare) return { ...bare, operands: bare.operands.map(visit) };
    if ('operand' in bare) return { ...bare, operand: visit(bare.operand) };
    if ('left' in bare) return { ...bare, left: visit(bare.left), right: visit(bare.right) } as Formula;
    return bare;
  };
  return visit(negationNormalForm(formula));
}

describe('robust interval', () => {
  it('shrinks as samples arrive and holds every later value', () => {
    fc.assert(
      fc.property(formulas({ unbounded: true }), signalSets(2, 4, 14), untils, (formula, signals, until) => {
        const length = signals[0]!.length;
        let last = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
        for (let n = 1; n <= length; n++) {
          const prefix = signals.map((signal) => signal.subarray(0, n));
          const { lower, upper } = robustInterval(formula, prefix, { until });
          expect(lower[0]).toBeGreaterThanOrEqual(last.low);
          expect(upper[0]).toBeLessThanOrEqual(last.high);
          expect(lower[0]).toBeLessThanOrEqual(upper[0]!);
          last = { low: lower[0]!, high: upper[0]! };
        }
        if (horizon(formula) < length) {
          const final = robustness(formula, signals, { until })[0]!;
          expectSame([last.low, last.high], [final, final]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('contains the value of any continuation', () => {
    fc.assert(
      fc.property(
        formulas({ unbounded: true }),
        signalSets(2, 2, 30),
        fc.integer({ min: 1, max: 8 }),
        (formula, signals, known) => {
          const prefix = signals.map((signal) => signal.subarray(0, known));
          const { lower, upper } = robustInterval(formula, prefix);
          // Held for long, so that unbounded operators have seen all there is.
          const long = signals.map((signal) => {
            const held = new Float64Array(signal.length + 40).fill(signal.at(-1)!);
            held.set(signal);
            return held;
          });
          const value = robustness(formula, long);
          for (let t = 0; t < prefix[0]!.length; t++) {
            expect(value[t]).toBeGreaterThanOrEqual(lower[t]!);
            expect(value[t]).toBeLessThanOrEqual(upper[t]!);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is the pessimistic value below', () => {
    const { formula } = parseFormula('G[0,3] x and F[0,3] x');
    const signals = [Float64Array.from([1, 2, 3])];
    expect([...robustness(formula, signals, { end: 'pessimistic' })]).toEqual([
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(robustness(parseFormula('F[0,3] x').formula, signals, { end: 'pessimistic' })[0]).toBe(3);
  });

  it('decides early, and at the first possible sample', () => {
    const { formula } = parseFormula('F[0,10] (x > 2) and G[0,10] (x < 5)');
    const truth = truthSignals(
      [Float64Array.from([0, 3, 1, 6]), Float64Array.from([1, 1, 1, -1])],
      [false, false],
    );
    expect(earlyVerdict(formula, truth)).toBe(0);
    expect(decidedAt(formula, truth)).toBe(3);
    expect(decidedAt(parseFormula('F[0,10] x').formula, truth)).toBe(1);
    expect(decidedAt(parseFormula('G[0,10] x').formula, [Float64Array.from([1, 1])])).toBeUndefined();
  });
});

it('prints a formula that reads back as the same', () => {
  fc.assert(
    fc.property(formulas({ predicates: 3 }), (formula) => {
      const text = (p: number): string => ['x > 0', "'y z'", '-a * (b + 1) <= [c, d].y'][p]!;
      const parsed = parseFormula(printFormula(formula, text));
      expect(printFormula(parsed.formula, (p) => parsed.predicates[p]!.text)).toBe(
        printFormula(formula, text),
      );
      expect(parsed.warnings).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
