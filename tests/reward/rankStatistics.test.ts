import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areaUnderCurve, rankCorrelation, ranks, valueOrderCorrelation } from '#reward/rankStatistics';

/** Small whole numbers, so that ties are frequent. */
const values = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 2, maxLength: 30 });

/** Kendall-like count of pairs, the definition of the area. */
function pairs(scores: readonly number[], success: readonly boolean[]): number {
  let [won, all] = [0, 0];
  for (const [i, up] of success.entries()) {
    for (const [j, down] of success.entries()) {
      if (!up || down) continue;
      all++;
      won += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    }
  }
  return won / all;
}

describe('ranks', () => {
  it('are shared by equal values', () => {
    expect([...ranks([3, 1, 3, 2, 3])]).toEqual([4, 1, 4, 2, 4]);
  });

  it('add up to the same whatever the values', () => {
    fc.assert(
      fc.property(values, (list) => {
        const sum = ranks(list).reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo((list.length * (list.length + 1)) / 2, 9);
      }),
    );
  });
});

describe('rank correlation', () => {
  // scipy 1.17.1: scipy.stats.spearmanr([1,2,3,4,5,6,7], [2,1,4,4,3,7,7]).statistic
  it('agrees with worked examples, ties included', () => {
    expect(rankCorrelation([1, 2, 3, 4, 5, 6, 7], [2, 1, 4, 4, 3, 7, 7])).toBeCloseTo(0.8365019125713042, 12);
    // without ties: 1 - 6 sum d^2 / (n (n^2 - 1)), here d^2 = 1 + 1 + 4 + 4
    expect(rankCorrelation([1, 2, 3, 4, 5], [2, 1, 5, 4, 3])).toBeCloseTo(1 - (6 * 10) / (5 * 24), 12);
  });

  it('is symmetric, bounded, turned by negation, and deaf to any rising function', () => {
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.integer({ min: -3, max: 3 })), (a, stream) => {
        const b = a.map(() => stream.next().value as number);
        const r = rankCorrelation(a, b);
        expect(rankCorrelation(b, a)).toBe(r);
        if (Number.isNaN(r)) {
          expect(new Set(a).size === 1 || new Set(b).size === 1).toBe(true);
          return;
        }
        expect(Math.abs(r)).toBeLessThanOrEqual(1);
        expect(
          rankCorrelation(
            a.map((x) => -x),
            b,
          ),
        ).toBeCloseTo(-r, 12);
        expect(
          rankCorrelation(
            a.map((x) => Math.exp(x)),
            b,
          ),
        ).toBe(r);
      }),
    );
  });

  it('leaves pairs out of which one is missing, and refuses lists of two lengths', () => {
    expect(rankCorrelation([1, Number.NaN, 3, 4], [1, 9, 2, Number.NaN])).toBe(1);
    expect(rankCorrelation([1, Number.NaN], [1, 2])).toBeNaN();
    expect(() => rankCorrelation([1], [1, 2])).toThrow(expect.objectContaining({ code: 'SHAPE' }));
  });
});

describe('value-order correlation', () => {
  it('is 1 for scores that rise, -1 for such that fall, 0 for such that stay', () => {
    expect(valueOrderCorrelation([0, 0.1, 0.5, 0.9])).toBe(1);
    expect(valueOrderCorrelation([0.9, 0.5, 0.1, 0])).toBe(-1);
    expect(valueOrderCorrelation([0.3, 0.3, 0.3])).toBe(0);
  });

  it('is what it would be without the missing scores', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { maxLength: 25 }), (list) => {
        const known = list.filter((value) => value !== null);
        const whole = valueOrderCorrelation(list.map((value) => value ?? Number.NaN));
        expect(whole).toEqual(valueOrderCorrelation(known));
        expect(Number.isNaN(whole)).toBe(known.length < 2);
      }),
    );
  });
});

describe('area under the curve', () => {
  it('is the share of pairs in which the success has the higher score', () => {
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.boolean()), (scores, stream) => {
        const success = scores.map(() => stream.next().value as boolean);
        const area = areaUnderCurve(scores, success);
        if (new Set(success).size < 2) expect(area).toBeNaN();
        else expect(area).toBeCloseTo(pairs(scores, success), 9);
      }),
    );
  });

  it('leaves missing scores out', () => {
    expect(areaUnderCurve([0.9, Number.NaN, 0.1], [1, 1, 0])).toBe(1);
    expect(areaUnderCurve([0.9, Number.NaN], [1, 0])).toBeNaN();
  });
});
