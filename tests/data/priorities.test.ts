import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { Priorities } from '#data/priorities';

/** Five entries with the priorities 1, 2, 3, 4 and 0 (in truth a thousandth more). */
function five(exponent: number, correction: number): Priorities {
  const priorities = new Priorities(5, { exponent, correction });
  for (let i = 0; i < 5; i++) priorities.add(i);
  const values = [1, 2, 3, 4, 0];
  const draws = new Draws(1, 1);
  const drawn = new Int32Array(64);
  // Until each has been drawn and got its own.
  for (let round = 0; round < 40; round++) {
    priorities.draw(draws, drawn, 64);
    priorities.update(
      Float32Array.from(drawn, (i) => values[i]!),
      0,
    );
  }
  return priorities;
}

function shares(priorities: Priorities): number[] {
  const draws = new Draws(3, 1);
  const drawn = new Int32Array(50);
  const counts = new Float64Array(5);
  for (let round = 0; round < 400; round++) {
    priorities.draw(draws, drawn, 50);
    for (const i of drawn) counts[i]!++;
  }
  return Array.from(counts, (count) => count / 20_000);
}

describe('priorities', () => {
  it('draw in proportion to a power of them', () => {
    for (const exponent of [0, 0.5, 1]) {
      const wanted = [1, 2, 3, 4, 0].map((p) => (p + 1e-3) ** exponent);
      const total = wanted.reduce((sum, p) => sum + p, 0);
      for (const [i, share] of shares(five(exponent, 0)).entries())
        expect(share, `${exponent}: entry ${i}`).toBeCloseTo(wanted[i]! / total, 2);
    }
  });

  it('make up for it by weights whose mean against the draws is uniform', () => {
    const priorities = five(1, 1);
    const drawn = new Int32Array(2000);
    priorities.draw(new Draws(5, 1), drawn, 2000);
    const weights = new Float32Array(2001);
    priorities.writeWeights(weights, 1);
    expect(Math.max(...weights)).toBe(1);
    const sums = new Float64Array(5);
    for (const [k, i] of drawn.entries()) sums[i]! += weights[k + 1]!;
    for (const i of [1, 2, 3]) expect(sums[i]! / sums[0]!).toBeCloseTo(1, 1);
    expect(weights[0]).toBe(0);
  });

  it('give what is new the largest there was', () => {
    const priorities = five(1, 0);
    priorities.add(4);
    expect(shares(priorities)[4]).toBeCloseTo(4 / 14, 2);
  });

  it('come back from a checkpoint, and never draw what is empty', () => {
    const priorities = new Priorities(1000, { exponent: 0.6, correction: 0.4 });
    for (let i = 0; i < 7; i++) priorities.add(i);
    const draw = (from: Priorities): number[] => {
      const drawn = new Int32Array(100);
      from.draw(new Draws(9, 1), drawn, 100);
      return [...drawn];
    };
    draw(priorities);
    priorities.update(
      Float32Array.from({ length: 100 }, (_, i) => i),
      0,
    );
    const other = new Priorities(1000, { exponent: 0.6, correction: 0.4 });
    other.restore(priorities.state());
    const drawn = draw(priorities);
    expect(draw(other)).toEqual(drawn);
    expect(Math.max(...drawn)).toBeLessThan(7);
    expect(new Set(drawn).size).toBeGreaterThan(1);
  });
});
