import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeScores, meanInterval } from '#reward/scoreVerdict';

const rising = { success: true, phi: [0, 0.2, 0.5, 0.9] };
const falling = { success: true, phi: [0.9, 0.5, 0.2, 0.1] };
const lost = { success: false, phi: [0, 0.3, 0.2, 0.2] };

describe('what a scorer is worth', () => {
  it('counts the order in time over successes only, and the last score over all', () => {
    const verdict = judgeScores([rising, falling, lost]);
    expect(verdict).toMatchObject({ episodes: 3, successes: 2, missing: 0, area: 0.5, lastOfSuccess: 0.5 });
    expect(verdict.valueOrder.mean).toBe(0);
    expect([verdict.valueOrder.low, verdict.valueOrder.high]).toEqual([-1, 1]);
    expect(judgeScores([rising, lost])).toMatchObject({ area: 1, lastOfFailure: 0.2 });
  });

  it('leaves missing scores out and counts them', () => {
    const verdict = judgeScores([
      { success: true, phi: [0, Number.NaN, 0.5, 0.9] },
      { success: false, phi: [0.1, 0.2, 0.3, Number.NaN] },
    ]);
    expect(verdict.valueOrder.mean).toBe(1);
    expect(verdict.missing).toBe(0.25);
    expect(verdict.area).toBeNaN(); // no failure ends in a score
    expect(verdict.lastOfFailure).toBeNaN();
  });

  it('says nothing of what there was none of', () => {
    const verdict = judgeScores([lost]);
    expect(verdict.valueOrder).toMatchObject({ mean: Number.NaN, count: 0 });
    expect(verdict.area).toBeNaN();
    expect(judgeScores([]).missing).toBeNaN();
  });
});

describe('a mean with its interval', () => {
  // scipy 1.17.1: scipy.stats.t.interval(0.95, 4, 3, scipy.stats.sem([1, 2, 3, 4, 5]))
  it('agrees with a worked example', () => {
    const { mean, low, high } = meanInterval([1, 2, 3, 4, 5]);
    expect(mean).toBe(3);
    expect(low).toBeCloseTo(1.036756838522439, 3);
    expect(high).toBeCloseTo(4.9632431614775605, 3);
  });

  it('narrows as the square root of how often the values are repeated', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 40, maxLength: 60 }), (values) => {
        const once = meanInterval(values);
        const often = meanInterval(Array.from({ length: 9 }, () => values).flat());
        expect(often.mean).toBeCloseTo(once.mean, 9);
        const ratio = (once.high - once.low) / (often.high - often.low);
        if (once.high > once.low) expect(Math.abs(ratio / 3 - 1)).toBeLessThan(0.06);
      }),
    );
  });

  it('has no ends for one value', () => {
    expect(meanInterval([2, Number.NaN])).toEqual({ mean: 2, low: Number.NaN, high: Number.NaN, count: 1 });
  });
});
