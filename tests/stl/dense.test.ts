import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { densePredicates, denseRobustness } from '#stl/dense';
import { robustness } from '#stl/evaluate';
import { explainDense } from '#stl/explainDense';
import { childrenOf, expand, type Formula, horizon, subformulas } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { fromSamples, type Piecewise, valueAt } from '#stl/piecewise';
import { formulas, signalSets } from './arbitrary.js';

const seconds = { unit: 'seconds' } as const;

describe('values of other tools in dense time', () => {
  it('7: until is closed in dense time (rtamt)', () => {
    const specification = parseFormula('a until b', seconds);
    const constant = (v: number) => ({ time: [0, 5], value: [v, v] });
    const signals = densePredicates(specification, { a: constant(2), b: constant(4) });
    const value = denseRobustness(specification.formula, signals, { until: 'closed' });
    expect([...value.start]).toEqual([2, 2]);
    expect(valueAt(denseRobustness(specification.formula, signals, { until: 'halfopen' }), 0)).toBe(4);
  });

  it('13: request and grant with stamps of their own, held from sample to sample (rtamt)', () => {
    const specification = parseFormula('G(req>=3->F[0:5]gnt>=3)', seconds);
    const signals = densePredicates(
      specification,
      {
        req: { time: [0, 3, 5, 11], value: [0, 6, 0, 0] },
        gnt: { time: [0, 7, 9, 11], value: [0, 6, 0, 0] },
      },
      'previous',
    );
    expect(valueAt(denseRobustness(specification.formula, signals), 0)).toBe(3);
  });

  it('finds extrema between samples', () => {
    const specification = parseFormula('G(req>=3->F[0:5]gnt>=3)', seconds);
    const signals = densePredicates(specification, {
      req: { time: [0, 3, 5, 11], value: [0, 6, 0, 0] },
      gnt: { time: [0, 7, 9, 11], value: [0, 6, 0, 0] },
    });
    // 3 - 2 t and 6 (t + 5) / 7 - 3 cross at t = 0.6.
    expect(valueAt(denseRobustness(specification.formula, signals), 0)).toBeCloseTo(1.8, 12);
  });
});

describe('held samples on whole seconds', () => {
  const noSteps = (formula: Formula): boolean =>
    subformulas(formula).every(({ kind }) => !['next', 'prev', 'rise', 'fall'].includes(kind));

  const future = formulas({ depth: 2, reach: 3, tense: 'future', unbounded: false });
  const past = formulas({ depth: 2, tense: 'past' });

  it('have the robustness of the samples wherever the end cuts nothing off', () => {
    fc.assert(
      fc.property(fc.oneof(future, past).filter(noSteps), signalSets(2, 1, 14), (formula, signals) => {
        const time = Array.from(signals[0]!, (_, t) => t);
        const held = signals.map((signal) => fromSamples(time, signal, 'previous'));
        const value = denseRobustness(formula, held, { until: 'closed' });
        const expected = robustness(formula, signals, { until: 'closed' });
        for (const t of time.slice(0, Math.max(0, time.length - horizon(formula)))) {
          expect(valueAt(value, t) + 0, `t = ${t}`).toBe(expected[t]! + 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are cut off as samples are', () => {
    const held = [fromSamples([0, 1, 2, 3], [3, 1, 2, 5], 'previous')];
    const value = (text: string) => denseRobustness(parseFormula(text, seconds).formula, held);
    expect([0, 1, 2, 3].map((t) => valueAt(value('G[1,2] x'), t))).toEqual([1, 2, 5, Infinity]);
    expect([0, 1, 2, 3].map((t) => valueAt(value('F[3,9] x'), t))).toEqual([
      5,
      -Infinity,
      -Infinity,
      -Infinity,
    ]);
    expect([0, 1, 2, 3].map((t) => valueAt(value('once[2,9] x'), t))).toEqual([-Infinity, -Infinity, 3, 3]);
  });
});

describe('straight pieces', () => {
  const steps = 16;

  /** The signals sampled finely; the result is off by no more than the slope times a few steps. */
  function sampled(f: Piecewise): Float64Array {
    const count = f.time.at(-1)! * steps;
    return Float64Array.from({ length: count + 1 }, (_, i) => valueAt(f, i / steps));
  }

  function stretched(formula: Formula): Formula {
    const children = childrenOf(formula).map(stretched);
    const renewed = {
      ...formula,
      ...('operands' in formula ? { operands: children } : {}),
      ...('operand' in formula ? { operand: children[0] } : {}),
      ...('left' in formula ? { left: children[0], right: children[1] } : {}),
    } as Formula;
    if (!('interval' in renewed)) return renewed;
    const { from, to } = renewed.interval;
    return { ...renewed, interval: { from: from * steps, to: to * steps } };
  }

  it('have nearly the robustness of fine samples', () => {
    const arbitrary = formulas({ depth: 2, reach: 2, unbounded: false });
    fc.assert(
      fc.property(
        arbitrary,
        signalSets(2, 8, 8),
        fc.constantFrom('closed', 'halfopen'),
        (formula, signals, until) => {
          const bare = expand(formula);
          fc.pre(subformulas(formula).every(({ kind }) => !['next', 'prev', 'rise', 'fall'].includes(kind)));
          const time = Array.from(signals[0]!, (_, t) => t);
          const dense = signals.map((signal) => fromSamples(time, signal, 'linear'));
          const value = denseRobustness(bare, dense, { until });
          const expected = robustness(stretched(bare), dense.map(sampled), { until });
          const slope = 8;
          // Where a window is cut off, one sample more or less inside decides; look where none is.
          for (let i = 0; i + steps * horizon(bare) < expected.length; i++) {
            const t = i / steps;
            if (t < 4) continue;
            const [a, b] = [valueAt(value, t), expected[i]!];
            if (a === b) continue;
            expect(Math.abs(a - b), `t = ${t}: ${a} and ${b}`).toBeLessThanOrEqual((3 * slope) / steps);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('explanation', () => {
  it('leads to the instant that decided', () => {
    const specification = parseFormula('G(req>=3->F[0:5]gnt>=3)', seconds);
    const signals = densePredicates(specification, {
      req: { time: [0, 3, 5, 11], value: [0, 6, 0, 0] },
      gnt: { time: [0, 7, 9, 11], value: [0, 6, 0, 0] },
    });
    const steps = explainDense(specification.formula, signals);
    const story = steps.map(({ formula, time, value }) => [formula.kind, time, value]);
    // 3 - 2 t and 6 (t + 5) / 7 - 3 cross at t = 0.6.
    expect(story[0]).toEqual(['always', 0, expect.closeTo(1.8, 6)]);
    expect(story[1]).toEqual(['implies', expect.closeTo(0.6, 6), expect.closeTo(1.8, 6)]);
    expect(story.at(-1)![0]).toBe('atom');
    expect(Math.abs(story.at(-1)![2] as number)).toBeCloseTo(1.8, 6);
  });

  it('names the left side of an until where that is what failed', () => {
    const held = (...value: number[]) => fromSamples([0, 1, 2, 3], value, 'previous');
    const { formula } = parseFormula('x until[0,3] y', seconds);
    const steps = explainDense(formula, [held(5, 1, 5, 5), held(-9, -9, 4, 4)], 0, { until: 'closed' });
    expect(steps).toEqual([
      { formula, time: 0, value: 1 },
      { formula: { kind: 'atom', predicate: 0 }, time: 1, value: 1 },
    ]);
  });

  it('ends at an atom with the value of the whole', () => {
    const arbitrary = formulas({ depth: 3, reach: 3 }).map(expand);
    fc.assert(
      fc.property(
        arbitrary,
        signalSets(2, 1, 8),
        fc.constantFrom('linear', 'previous'),
        fc.constantFrom('closed', 'halfopen'),
        (formula, signals, interpolation, until) => {
          const time = Array.from(signals[0]!, (_, t) => t);
          const dense = signals.map((signal) => fromSamples(time, signal, interpolation));
          const value = valueAt(denseRobustness(formula, dense, { until }), 0);
          const last = explainDense(formula, dense, 0, { until }).at(-1)!;
          if (!Number.isFinite(value)) return;
          expect(last.formula.kind).toBe('atom');
          expect(Math.abs(last.value)).toBeCloseTo(Math.abs(value), 6);
        },
      ),
      // Of other seeds one in some thousand formulas ends before an atom: an until and a since that meet at a limit.
      { numRuns: 500, seed: 20 },
    );
  });
});

it('refuses what dense time does not have, and stamps that go back', () => {
  const { formula } = parseFormula('rise(x > 0)', seconds);
  expect(() => denseRobustness(formula, [fromSamples([0, 1], [0, 1], 'linear')])).toThrow(/rise/);
  const specification = parseFormula('x > 0', seconds);
  expect(() => densePredicates(specification, { x: { time: [0, 2, 1], value: [0, 0, 0] } })).toThrow(
    'signal x: stamp 2 is 1, behind 2',
  );
});
