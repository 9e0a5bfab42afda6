import { describe, expect, it } from 'vitest';
import { robustness } from '#stl/evaluate';
import type { SemanticsOptions } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { robustInterval } from '#stl/robustInterval';
import { evaluatePredicates, type SampledTrace } from '#stl/signals';

/** Values that other tools gave for the same formula and samples (rtamt, FeSTL, stlcg++, reelay), each under the options
 * that stand for the tool's choices. Unit sampling from t = 0. */

const inf = Number.POSITIVE_INFINITY;

function values(
  text: string,
  columns: SampledTrace['columns'],
  options: Partial<SemanticsOptions> = {},
): number[] {
  const specification = parseFormula(text);
  return [...robustness(specification.formula, evaluatePredicates(specification, { columns }), options)];
}

const rtamt = { until: 'halfopen', end: 'vacuous' } as const;
const festl = { end: 'undefined' } as const;

function expectClose(received: readonly number[], expected: readonly number[]): void {
  expect(received.length).toBe(expected.length);
  for (const [t, value] of expected.entries()) {
    if (Number.isFinite(value)) expect(received[t], `sample ${t}`).toBeCloseTo(value, 9);
    else expect(received[t], `sample ${t}`).toBe(value);
  }
}

describe('values of other tools on sampled signals', () => {
  it('1: bounded always, cut off at the end or left open (rtamt, FeSTL)', () => {
    const x = [5, 4, 6, 2, 5];
    expectClose(values('G[0,2](x>3)', { x }, rtamt), [1, -1, -1, -1, 2]);
    expectClose(values('G[0,2](x>3)', { x }, festl), [1, -1, -1, Number.NaN, Number.NaN]);
  });

  it('2: until of always and eventually (FeSTL)', () => {
    const x = [1, 1, 1, 2, 3, 4, 0, 0, 0, 1, 2];
    const received = values('(G[0,2]x>0)U[0,6](F[0,2]x>3)', { x }, festl);
    expectClose(received.slice(0, 3), [1, 1, 1]);
    expect(received.slice(3).every(Number.isNaN)).toBe(true);
  });

  it('3: robust interval of a partial trace (FeSTL)', () => {
    const specification = parseFormula('G[0,2](x>5)');
    const interval = (x: number[]): number[] => {
      const signals = evaluatePredicates(specification, { columns: { x } });
      const { lower, upper } = robustInterval(specification.formula, signals);
      return [lower[0]!, upper[0]!];
    };
    expect(interval([7])).toEqual([-inf, 2]);
    expect(interval([7, 4])).toEqual([-inf, -1]);
    expect(interval([7, 4, 9])).toEqual([-1, -1]);
  });

  const a = [100, -1, -2, 5, -1];
  const b = [20, -2, 10, 4, -1];

  it('4: unbounded until of bare numbers (rtamt)', () => {
    expectClose(values('a until b', { a, b }, rtamt), [20, -1, 10, 4, -1]);
  });

  it('5: since (rtamt)', () => {
    expectClose(values('a since[0,1] b', { a, b }, rtamt), [20, -1, 10, 5, -1]);
  });

  it('6: eventually (rtamt)', () => {
    expectClose(values('eventually[0,1] r', { r: [-1, -1, -2, 5, -1] }, rtamt), [-1, -1, 5, 5, -1]);
  });

  const x = [2, 1, -1, 3];
  const y = [-1, -2, 0.5, 1];

  it('8: half-open and closed until (rtamt and stlpy; stlcg++)', () => {
    expect(values('(x>0)U[0,3](y>0)', { x, y }, { until: 'halfopen' })[0]).toBe(0.5);
    expect(values('(x>0)U[0,3](y>0)', { x, y }, { until: 'closed', end: 'pessimistic' })[0]).toBe(-1);
  });

  it('9: until demands its left side from now on, not from the start of the interval (rtamt)', () => {
    expect(values('(x>0)U[1,2](y>0)', { x: [-5, 1, 2, 3], y }, rtamt)[0]).toBe(-5);
  });

  it('10: eventually always (by hand)', () => {
    expect(values('F[0,4]G[0,2](x>=1)', { x: [0, 2, 3, 1.5, 0.5, 4, 4, 0] })[0]).toBe(0.5);
  });

  it('11: always eventually (by hand)', () => {
    expect(values('G[0,3]F[0,2](x>0)', { x: [1, -1, -2, 3, -4, -5, 2] })[0]).toBe(1);
  });

  it('12: request and grant (by hand)', () => {
    const columns = { req: [0, 6, 0, 0, 5, 0], gnt: [0, 0, 0, 4, 0, 2] };
    expect(values('G(req>=3 -> F[0:2]gnt>=3)', columns)[0]).toBe(-1);
  });

  it('14: since over a condition (reelay)', () => {
    const speed = [3.3, 6.3, 9.3, 13.3, 13.4, 13.3, 13.2, 13.2];
    const on = [0, 0, 1, 0, 0, 0, 0, 0].map((v) => v === 1);
    const expected = [-inf, -inf, inf, 0.3, 0.3, 0.3, -inf, -inf];
    expectClose(values('speed > 13 since[:3] on', { speed, on }), expected);
  });

  it('once with an interval off the present, rise, and a chain of implications', () => {
    expectClose(values('once[1,2](x>0)', { x }), [-inf, 2, 2, 1]);
    expectClose(values('rise(x>0)', { x: [1, -1, 2] }), [1, -1, 1]);
    expectClose(values('fall(x>0)', { x: [1, -1, 2] }), [-1, 1, -2]);
    const one = { x: [-5], y: [-3], z: [-1] };
    expectClose(values('x>0 -> y>0 -> z>0', one), [5]);
    expectClose(values('(x>0 -> y>0) -> z>0', one), [-1]);
  });
});
