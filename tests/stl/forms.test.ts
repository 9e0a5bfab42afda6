import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { robustness, satisfaction, truthSignals } from '#stl/evaluate';
import { explain } from '#stl/explain';
import { parseFormula } from '#stl/parse';
import { type Smoothing, smoothMinimum, smoothRobustness } from '#stl/smooth';
import { printSpecification } from '#stl/specification';
import { timeRobustness } from '#stl/timeRobustness';
import { formulas, signalSets } from './arbitrary.js';

const x = [Float64Array.from([2, 1, -1, 3])];
const [always, eventually] = ['G (x > 0)', 'F (x > 0)'].map((text) => parseFormula(text).formula);

describe('smooth robustness', () => {
  it('15: is that of stlcg++ for lse and weighted', () => {
    const at = (formula: typeof always, kind: 'lse' | 'weighted'): number =>
      smoothRobustness(formula!, x, { kind, sharpness: 1 })[0]!;
    expect(at(always, 'lse')).toBeCloseTo(-1.185182, 6);
    expect(at(eventually, 'lse')).toBeCloseTo(3.419717, 6);
    expect(at(always, 'weighted')).toBeCloseTo(-0.590096, 6);
    expect(at(eventually, 'weighted')).toBeCloseTo(2.532173, 6);
  });

  it('has the geometric mean where all is well', () => {
    expect(smoothMinimum([2, 1, 0.5, 3], { kind: 'agm' })).toBeCloseTo(1.44949, 6);
    expect(smoothMinimum([2, -1, 0.5, -3], { kind: 'agm' })).toBe(-1);
  });

  it('comes near the robustness as it sharpens, and lse stays below a minimum', () => {
    const kinds = fc.constantFrom<('lse' | 'weighted')[]>('lse', 'weighted');
    fc.assert(
      fc.property(formulas({ depth: 2 }), signalSets(2, 1, 8), kinds, (formula, signals, kind) => {
        const exact = robustness(formula, signals);
        const smooth = smoothRobustness(formula, signals, { kind, sharpness: 200 });
        for (const [t, v] of exact.entries()) {
          if (Number.isFinite(v)) expect(smooth[t]! - v, `sample ${t}`).toBeCloseTo(0, 1);
          else expect(smooth[t]).toBe(v);
        }
      }),
    );
    const values = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(values, (all) => {
        const least = Math.min(...all);
        const lse = smoothMinimum(all, { kind: 'lse', sharpness: 3 });
        expect(lse).toBeLessThanOrEqual(least);
        expect(lse).toBeGreaterThanOrEqual(least - Math.log(all.length) / 3 - 1e-12);
      }),
    );
  });

  it('keeps the sign with the arithmetic-geometric mean of a conjunction', () => {
    const smoothing: Smoothing = { kind: 'agm' };
    fc.assert(
      fc.property(signalSets(2, 4, 8), (signals) => {
        const { formula } = parseFormula('G[0,3] (a > 0) and F[0,3] (b > 0)');
        const exact = robustness(formula, signals)[0]!;
        const smooth = smoothRobustness(formula, signals, smoothing)[0]!;
        if (exact !== 0) expect(Math.sign(smooth)).toBe(Math.sign(exact));
      }),
    );
  });
});

describe('time robustness', () => {
  it('counts the samples until the verdict turns', () => {
    const truth = truthSignals([Float64Array.from([1, 1, -1, 1, 1, 1])], [false]);
    const { formula } = parseFormula('x > 0');
    expect([...timeRobustness(formula, truth)]).toEqual([2, 1, -1, 3, 2, 1]);
    expect([...timeRobustness(formula, truth, 'early')]).toEqual([1, 2, -1, 1, 2, 3]);
    expect(timeRobustness(parseFormula('F[0,3] (x > 0)').formula, truth)[0]).toBe(3);
  });

  it('has the sign of the verdict', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 10), (formula, signals) => {
        const flags = [true, false];
        const value = timeRobustness(formula, truthSignals(signals, flags));
        const holds = satisfaction(formula, signals, flags);
        for (const [t, v] of value.entries()) expect(v > 0).toBe(holds[t] === 1);
      }),
    );
  });
});

describe('explanation', () => {
  function story(text: string, signals: readonly number[][], sample = 0): string[] {
    const specification = parseFormula(text);
    const arrays = signals.map((signal) => Float64Array.from(signal));
    return explain(specification.formula, arrays, sample).map(
      (step) => `${printSpecification(specification, step.formula)} @${step.sample} = ${step.value}`,
    );
  }

  it('leads to the sample that decided', () => {
    expect(story('G[0,2] (x > 3)', [[2, 1, 3, -1]])).toEqual(['always[0,2] (x > 3) @0 = 1', 'x > 3 @1 = 1']);
    expect(
      story('x until y', [
        [2, 1, 9],
        [0, 0, 5],
      ]),
    ).toEqual(['x until y @0 = 1', 'x @1 = 1']);
    expect(
      story('not F (x and y)', [
        [1, 4],
        [3, 2],
      ]),
    ).toEqual([
      'not eventually (x and y) @0 = -2',
      'eventually (x and y) @0 = 2',
      'x and y @1 = 2',
      'y @1 = 2',
    ]);
    expect(story('F[5,9] x', [[1, 2]])).toEqual(['eventually[5,9] (x) @0 = -Infinity']);
  });

  it('ends at an atom with the value of the whole', () => {
    fc.assert(
      fc.property(
        formulas(),
        signalSets(2, 1, 10),
        fc.constantFrom('closed', 'halfopen'),
        (formula, signals, until) => {
          const value = robustness(formula, signals, { until })[0]!;
          const last = explain(formula, signals, 0, { until }).at(-1)!;
          expect(Math.abs(last.value)).toBe(Math.abs(value));
          if (last.formula.kind === 'atom')
            expect(signals[last.formula.predicate]![last.sample]).toBe(last.value);
          else expect(Math.abs(value)).toBe(Number.POSITIVE_INFINITY);
        },
      ),
      { numRuns: 500 },
    );
  });
});
