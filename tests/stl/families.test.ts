import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { type Allocation, AllocationSpace, allocationRobustness } from '#stl/allocation';
import { decompose } from '#stl/decompose';
import { isActive, sampleOf } from '#stl/decomposition';
import { robustness } from '#stl/evaluate';
import {
  type Family,
  type FamilyFormula,
  type FamilyOptions,
  families,
  generateFormula,
  walkPosition,
} from '#stl/families';
import { familySpaces, type WorldSpace } from '#stl/familySpaces';
import { horizon } from '#stl/formula';
import { AllocationChains, type ScoreAllocations } from '#stl/metropolis';
import { parseFormula } from '#stl/parse';
import {
  alongPath,
  type Ball,
  between,
  type Point,
  pathAround,
  regionDepth,
  regionExpression,
} from '#stl/regions';
import { evaluatePredicates } from '#stl/signals';

/** What the atoms of a formula are over the positions of a walk, by the geometry. */
function depths({ formula, regions }: FamilyFormula, positions: readonly Point[]): Float64Array[] {
  return parseFormula(formula).predicates.map(({ text }) => {
    const region = regions.find(({ name }) => name === text)!;
    return Float64Array.from(positions, (position) => regionDepth(region, position));
  });
}

function walked({ witness, horizon: steps }: FamilyFormula, { start }: WorldSpace): Point[] {
  return Array.from({ length: steps + 1 }, (_, step) => walkPosition(start, witness, step));
}

const worlds: [string, WorldSpace, Omit<FamilyOptions, 'space' | 'seed'>][] = [
  ['linear', familySpaces.linear, { subgoals: 3, horizon: 100 }],
  ['quadrotor', familySpaces.quadrotor, { subgoals: 2, horizon: 200 }],
  ['panda', familySpaces.panda, { subgoals: 2, horizon: 200 }],
];
const cases = families.flatMap((family) =>
  worlds
    .filter(([name]) => family !== 'maze' || name !== 'panda')
    .map((world) => [family, ...world] as const),
);

describe('families', () => {
  it.each(cases)(
    '%s in the %s world parses, decomposes, and its walk satisfies it',
    (family, _, space, options) => {
      for (let seed = 0; seed < 12; seed++) {
        const generated = generateFormula(family, { ...options, space, seed });
        const { formula, predicates, warnings } = parseFormula(generated.formula);
        expect(warnings).toEqual([]);
        expect(horizon(formula)).toBe(options.horizon);
        expect(predicates.map(({ text }) => text).sort()).toEqual(Object.keys(generated.signals).sort());
        new AllocationSpace(decompose(formula, { samples: options.horizon + 1 }));
        const positions = walked(generated, space);
        const longest = Math.max(...positions.slice(1).map((p, i) => between(p, positions[i]!)));
        expect(longest).toBeLessThanOrEqual(space.speed * 1.001);
        expect(robustness(formula, depths(generated, positions))[0], generated.name).toBeGreaterThanOrEqual(
          0,
        );
      }
    },
  );

  it('gives one formula per seed', () => {
    const draw = (seed: number): FamilyFormula =>
      generateFormula('nested', { space: familySpaces.linear, subgoals: 4, horizon: 150, seed });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1).formula).not.toBe(draw(2).formula);
    expect(new Set([1, 2, 3, 4, 5, 6].map((seed) => draw(seed).layers))).toContain('multi-layer');
  });

  it('refuses what cannot be placed', () => {
    const linear = { space: familySpaces.linear, subgoals: 5, horizon: 12, seed: 0 };
    expect(() => generateFormula('sequence', linear)).toThrow('found no world for sequence of 5 in 12 steps');
    const joints = { space: familySpaces.pandaJoints, subgoals: 2, horizon: 100, seed: 0 };
    expect(() => generateFormula('maze', joints)).toThrow('2 or 3 dimensions');
    expect(generateFormula('sequence', joints).signals.a).toContain('norm(arm.position - [');
  });

  it('writes regions as the expressions of their depth', () => {
    const regions = [
      { kind: 'ball', name: 'a', centre: [0.5, -1], radius: 2 },
      { kind: 'box', name: 'b', low: [-2, -1], high: [0.5, 3] },
    ] as const;
    const points = [0, 0.7, -2.5, 1].flatMap((x) => [-1.5, 0, 4].map((y) => [x, y] as const));
    const text = regions.map((region) => regionExpression(region, 'p')).join(' > 0 and ');
    const trace = { columns: { 'p.x': points.map(([x]) => x), 'p.y': points.map(([, y]) => y) } };
    const values = evaluatePredicates(parseFormula(`${text} > 0`), trace);
    for (const [i, region] of regions.entries()) {
      for (const [t, point] of points.entries())
        expect(values[i]![t]).toBeCloseTo(regionDepth(region, point), 12);
    }
  });
});

/** A point that goes straight to the next region an allocation names, around what it forbids until then, and waits. */
function follow(
  generated: FamilyFormula,
  space: AllocationSpace,
  allocation: Allocation,
  world: WorldSpace,
): Point[] {
  const { decomposition } = space;
  const ball = (text: string): Ball | undefined => {
    const region = generated.regions.find(({ name }) => name === text);
    return region?.kind === 'ball' ? region : undefined;
  };
  const { choices, times } = allocation;
  const reached = decomposition.subgoals
    .filter(({ active }) => isActive(active, choices))
    .map(({ text, time }) => ({ ball: ball(text), from: sampleOf(time, times), to: sampleOf(time, times) }));
  const windows = decomposition.invariants
    .filter(({ active }) => isActive(active, choices))
    .map(({ text, from, to }) => ({ text, from: sampleOf(from, times), to: sampleOf(to, times) }));
  const kept = windows.map(({ text, from, to }) => ({ ball: ball(text), from, to }));
  const stops = [...reached, ...kept].filter((stop) => stop.ball).sort((a, b) => a.from - b.from);
  const positions: Point[] = [world.start];
  for (let t = 1; t < decomposition.samples; t++) {
    const at = positions.at(-1)!;
    const stop = stops.find(({ to }) => to >= t);
    const avoided = windows
      .filter(({ from, to }) => from <= (stop?.from ?? t) && to >= t)
      .flatMap(({ text }) => [...text.matchAll(/not \((\w+)\)/g)].map(([, name]) => ball(name!)!));
    const path = stop
      ? pathAround(
          at,
          stop.ball!.centre,
          avoided.filter((o) => o.name !== stop.ball!.name),
          world.clearance / 2,
          () => true,
        )
      : undefined;
    positions.push(path ? alongPath(at, path, world.speed) : at);
  }
  return positions;
}

const world = familySpaces.linear;

/** What following an allocation comes to: the exact robustness, and the margin of the allocation itself. */
function outcome(generated: FamilyFormula, space: AllocationSpace, allocation: Allocation): [number, number] {
  const signals = depths(generated, follow(generated, space, allocation, world));
  const exact = robustness(parseFormula(generated.formula).formula, signals)[0]!;
  const width = signals.length;
  const rows = Float64Array.from({ length: space.decomposition.samples * width }, (_, k) => {
    return signals[k % width]![Math.floor(k / width)]!;
  });
  return [exact, allocationRobustness(space.decomposition, allocation, rows)];
}

function drawn(family: Family, subgoals: number, seed: number): [FamilyFormula, AllocationSpace] {
  const generated = generateFormula(family, { space: world, subgoals, horizon: 100, seed });
  const { formula, predicates } = parseFormula(generated.formula);
  const predicateText = (p: number): string => predicates[p]!.text;
  return [generated, new AllocationSpace(decompose(formula, { samples: 101, predicateText }))];
}

describe('allocations of the families', () => {
  const free = families.filter((family) => family !== 'maze' && family !== 'patrol');

  it.each(free)('are followed by a point: some of 20 draws for each %s', (family) => {
    const draws = new Draws(1, 0);
    const formulas = 8;
    let followed = 0;
    for (let seed = 0; seed < formulas; seed++) {
      const [generated, space] = drawn(family, 3, seed);
      let best = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < 20; i++) {
        const [exact, margin] = outcome(generated, space, space.sample(draws));
        expect(margin).toBeLessThanOrEqual(exact);
        if (exact >= 0) followed++;
        best = Math.max(best, exact);
      }
      expect(best, generated.name).toBeGreaterThanOrEqual(0);
    }
    expect(followed / (20 * formulas)).toBeGreaterThan(0.15);
  });

  it('are followed by a point: patrols, where chains are guided by what came of following', () => {
    for (let seed = 0; seed < 5; seed++) {
      const [generated, space] = drawn('patrol', 2, seed);
      const chains = new AllocationChains(space, new Draws(4, 0), {
        count: 12,
        temperature: 0.3,
        uniformShare: 0.2,
      });
      let best = Number.NEGATIVE_INFINITY;
      const evaluate: ScoreAllocations = ({ rows }, outScores) => {
        for (const [i, row] of rows.entries()) {
          const [exact, margin] = outcome(generated, space, row);
          best = Math.max(best, exact);
          outScores[i] = margin;
        }
      };

      for (let k = 0; k < 60 && best < 0; k++) chains.advance(evaluate, 1);
      expect(best, generated.name).toBeGreaterThanOrEqual(0);
    }
  });
});
