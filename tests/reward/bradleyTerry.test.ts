import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import {
  bradleyTerry,
  type Comparison,
  enoughRounds,
  expectedWins,
  swissTournament,
} from '#reward/bradleyTerry';
import { rankCorrelation } from '#reward/rankStatistics';

/** A judge that finds i better than j with the probability of Bradley and Terry for strengths i * step. */
function noisyJudge(step: number, draws: Draws) {
  return async (a: number, b: number) => (draws.uniform() < 1 / (1 + Math.exp((b - a) * step)) ? a : b);
}
const truth = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('strengths from comparisons', () => {
  it('are those that comparisons were drawn with', () => {
    const strengths = [-1, -0.3, 0.2, 1.1];
    const draws = new Draws(3, 0);
    const comparisons: Comparison[] = [];
    for (let k = 0; k < 20_000; k++) {
      const a = draws.below(4);
      const b = (a + 1 + draws.below(3)) % 4;
      const won = draws.uniform() < 1 / (1 + Math.exp(strengths[b]! - strengths[a]!));
      comparisons.push(won ? { winner: a, loser: b } : { winner: b, loser: a });
    }
    const fitted = bradleyTerry(4, comparisons);
    for (let i = 1; i < 4; i++) expect(fitted[i]! - fitted[0]!).toBeCloseTo(strengths[i]! - strengths[0]!, 1);
  });

  it('are finite, and turn round when all comparisons do', () => {
    const pair = fc.tuple(fc.nat(5), fc.nat(5)).filter(([a, b]) => a !== b);
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 30 }), (pairs) => {
        const forward = bradleyTerry(
          6,
          pairs.map(([winner, loser]) => ({ winner, loser })),
        );
        const backward = bradleyTerry(
          6,
          pairs.map(([loser, winner]) => ({ winner, loser })),
        );
        for (let i = 0; i < 6; i++) {
          expect(Number.isFinite(forward[i])).toBe(true);
          expect(forward[i]! + backward[i]!).toBeCloseTo(0, 5);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('make expected wins that average to a half', () => {
    const wins = expectedWins(Float64Array.of(-2, 0, 0.5, 3));
    expect(wins.reduce((a, b) => a + b) / 4).toBeCloseTo(0.5, 12);
    expect([...wins].sort()).toEqual([...wins]);
  });
});

describe('a Swiss tournament', () => {
  it('finds the order of 32 with n log n comparisons by a sure judge', async () => {
    const { strengths, asked } = await swissTournament(
      32,
      enoughRounds(32),
      async (a, b) => Math.max(a, b),
      new Draws(1, 0),
    );
    expect(asked).toBeLessThanOrEqual(32 * Math.log2(32));
    expect(rankCorrelation(strengths, truth(32))).toBeGreaterThan(0.97);
  });

  it('finds it through noise, and the better the surer the judge', async () => {
    const found = async (step: number) => {
      let sum = 0;
      for (let seed = 0; seed < 10; seed++) {
        const judge = noisyJudge(step, new Draws(seed, 9));
        const { strengths } = await swissTournament(24, enoughRounds(24), judge, new Draws(seed, 1));
        sum += rankCorrelation(strengths, truth(24)) / 10;
      }
      return sum;
    };
    const [none, weak, strong] = [await found(0), await found(0.1), await found(0.5)];
    expect(Math.abs(none)).toBeLessThan(0.3);
    expect(weak).toBeGreaterThan(0.4);
    expect(strong).toBeGreaterThan(0.9);
  });

  it('lets nobody meet another twice, and learns nothing where nothing is decided', async () => {
    const seen = new Set<string>();
    const { strengths, decided } = await swissTournament(
      7,
      20,
      async (a, b) => {
        const name = [a, b].sort().join();
        expect(seen.has(name)).toBe(false);
        seen.add(name);
        return undefined;
      },
      new Draws(2, 0),
    );
    expect(decided).toEqual([]);
    expect([...strengths].every((value) => Math.abs(value) < 1e-9)).toBe(true);
    expect(seen.size).toBeGreaterThanOrEqual(18);
  });
});
