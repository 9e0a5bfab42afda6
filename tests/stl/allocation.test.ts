import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { type Allocation, AllocationSpace } from '#stl/allocation';
import { decompose } from '#stl/decompose';
import { AllocationChains } from '#stl/metropolis';
import { parseFormula } from '#stl/parse';
import { TimeNetwork } from '#stl/timeNetwork';
import { everyAllocation } from './allocations.js';

function spaceOf(text: string, samples: number): AllocationSpace {
  return new AllocationSpace(decompose(parseFormula(text).formula, { samples }));
}

function keyOf({ choices, times }: Allocation): string {
  return `${choices.join()};${times.join()}`;
}

/** Sum over cells of (observed - expected)^2 / expected, less its mean, in standard deviations. */
function chiSquareExcess(observed: readonly number[], expected: readonly number[]): number {
  const chi = observed.reduce((sum, n, i) => sum + (n - expected[i]!) ** 2 / expected[i]!, 0);
  const degrees = observed.length - 1;
  return (chi - degrees) / Math.sqrt(2 * degrees);
}

describe('time network', () => {
  it('tightens by all paths', () => {
    const network = TimeNetwork.tighten(
      [0, 1],
      [
        { left: 0, right: 1, bound: -3 },
        { left: 1, right: 0, bound: 5 },
        { left: 1, right: -1, bound: 9 },
      ],
      100,
    )!;
    expect([network.earliest(0), network.latest(0)]).toEqual([0, 6]);
    expect([network.earliest(1), network.latest(1)]).toEqual([3, 9]);
    expect(network.contains([2, 5])).toBe(true);
    expect(network.contains([2, 4])).toBe(false);
    expect(network.contains([5, 10])).toBe(false);
  });

  it('finds a negative cycle', () => {
    const cycle = [
      { left: 0, right: 1, bound: -3 },
      { left: 1, right: 2, bound: 1 },
      { left: 2, right: 0, bound: 1 },
    ];
    expect(TimeNetwork.tighten([0, 1, 2], cycle, 100)).toBeUndefined();
    expect(
      TimeNetwork.tighten([0, 1, 2], [...cycle.slice(0, 2), { left: 2, right: 0, bound: 2 }], 100),
    ).toBeDefined();
  });

  it('samples a chain of ordered times uniformly, those at a fixed distance with their partner', () => {
    const constraints = [
      { left: 0, right: 1, bound: 0 },
      { left: 1, right: 2, bound: 0 },
      { left: 3, right: 2, bound: 2 },
      { left: 2, right: 3, bound: -2 },
      { left: 3, right: -1, bound: 8 },
    ];
    const network = TimeNetwork.tighten([0, 1, 2, 3], constraints, 30)!;
    const draws = new Draws(3, 0);
    const counts = new Map<string, number>();
    const times = new Int32Array(4);
    const samples = 84 * 500;
    for (let i = 0; i < samples; i++) {
      network.sample(draws, times, 6);
      expect(network.contains(times)).toBe(true);
      counts.set(times.join(), (counts.get(times.join()) ?? 0) + 1);
    }
    // Ordered triples of 0..6 with repetition: 9 over 3.
    expect(counts.size).toBe(84);
    const excess = chiSquareExcess([...counts.values()], new Array(84).fill(500));
    expect(Math.abs(excess)).toBeLessThan(4);
  });
});

describe('allocations', () => {
  const text =
    'F[0,3] (p0 and F[0,2] (p1 or G[1,1] p2)) or (F[1,4] p2 and F[0,1] G[0,2] p0 or p1 until[2,4] p2)';
  const space = spaceOf(text, 6);
  const all = [...everyAllocation(space.decomposition, 10_000)];

  it('draws only what keeps the constraints, and all of it', () => {
    const draws = new Draws(5, 2);
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const allocation = space.sample(draws);
      expect(space.contains(allocation)).toBe(true);
      seen.add(keyOf(allocation));
    }
    expect(seen).toEqual(new Set(all.map(keyOf)));
  });

  it('gives the same draws for the same seed', () => {
    const first = Array.from({ length: 20 }, () => keyOf(space.sample(new Draws(7, 1))));
    expect(new Set(first).size).toBe(1);
    expect(keyOf(space.sample(new Draws(8, 1)))).not.toBe(first[0]);
  });

  it('draws a share anew whatever the scores', () => {
    const chains = new AllocationChains(space, new Draws(2, 0), {
      count: 10,
      temperature: 1e-3,
      uniformShare: 0.3,
    });
    const best = keyOf(all.at(-1)!);
    const score = (rows: readonly Allocation[], outScores: Float32Array): void => {
      for (const [i, row] of rows.entries()) outScores[i] = keyOf(row) === best ? 1 : 0;
    };
    chains.advance(({ rows }, outScores) => score(rows, outScores), 1000);
    expect(chains.chains).toBe(7);
    const isBest = chains.current.rows.map((row) => keyOf(row) === best);
    expect(isBest.slice(0, 7)).toEqual(new Array(7).fill(true));
    const fresh = new Set<string>();
    for (let i = 0; i < 50; i++) {
      chains.advance(({ rows }, outScores) => score(rows, outScores), 0);
      for (const row of chains.current.rows.slice(7)) fresh.add(keyOf(row));
    }
    expect(fresh.size).toBeGreaterThan(20);
  });

  it('refuses a score that is no number', () => {
    const chains = new AllocationChains(space, new Draws(2, 0), {
      count: 3,
      temperature: 1,
      uniformShare: 0,
    });
    expect(() => chains.advance((_, outScores) => outScores.fill(Number.NaN), 1)).toThrow(
      'allocation 0 is NaN',
    );
  });

  it('leaves exp(score / temperature) invariant', () => {
    const temperature = 0.5;
    // Any table of scores will do.
    const score = ({ choices, times }: Allocation): number =>
      Math.sin(
        3 * times.reduce((sum, t, i) => sum + t * (i + 1), 0) + choices.reduce((sum, c) => sum + c, 0),
      );
    const count = 64;
    const chains = new AllocationChains(space, new Draws(11, 0), { count, temperature, uniformShare: 0 });
    const counts = new Map(all.map((allocation) => [keyOf(allocation), 0]));
    const rounds = 1500;
    const thinning = 12;
    for (let i = 0; i < rounds; i++) {
      chains.advance((batch, outScores) => {
        for (const [row, allocation] of batch.rows.entries()) outScores[row] = score(allocation);
      }, thinning);
      if (i < 10) continue;
      for (const row of chains.current.rows) counts.set(keyOf(row), counts.get(keyOf(row))! + 1);
    }
    const weights = all.map((allocation) => Math.exp(score(allocation) / temperature));
    const total = weights.reduce((sum, w) => sum + w, 0);
    const expected = weights.map((w) => (w / total) * count * (rounds - 10));
    const observed = all.map((allocation) => counts.get(keyOf(allocation))!);
    expect(Math.abs(chiSquareExcess(observed, expected))).toBeLessThan(4);
    expect(chains.accepted / chains.proposed).toBeGreaterThan(0.2);
  });
});
