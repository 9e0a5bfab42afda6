import { describe, expect, it } from 'vitest';
import { createCommandState, splineNode } from '#deploy/safety/commandState';
import {
  createFilterOutput,
  type FilterInput,
  filterTick,
  type SafetyRules,
  startCommand,
} from '#deploy/safety/safetyFilter';
import { rampTarget, shortTrajectory } from '#deploy/safety/shortTrajectory';
import { testLimits } from './arms.js';
import { quintic } from './quintic.js';

const start = Float64Array.of(0.1, 0.2, -0.09);
const step = 0.05;

function setUp(arm: 'panda' | 'ur5e') {
  const rules: SafetyRules = { limits: testLimits(arm, 0.002), maxAge: 0.1, deactivateAfter: 1 };
  const state = createCommandState(rules.limits);
  expect(startCommand(rules, state, start).kind).toBe('started');
  return { rules, state, out: createFilterOutput(rules.limits) };
}

function targets(count: number, from = start) {
  return Array.from({ length: count }, (_, k) =>
    Float64Array.of(from[0]! + 0.05 * (k + 1), from[1]! - 0.04 * (k + 1), -0.09),
  );
}

describe('a short trajectory', () => {
  it('goes through the steps and ends at rest, with derivatives within the limits all the way', () => {
    for (const arm of ['panda', 'ur5e'] as const) {
      const { rules, state } = setUp(arm);
      const before = structuredClone(state.position);
      const points = shortTrajectory(rules, state, { targets: targets(3), stepPeriod: step });
      expect(state.position).toEqual(before);
      const last = points.times.length - 1;
      expect(points.times[last]).toBeGreaterThan(3 * step);
      expect([...points.velocities[last]!]).toEqual([0, 0, 0]);
      expect([...points.accelerations[last]!]).toEqual([0, 0, 0]);
      expect(last).toBeLessThan(100);
      const worst = [0, 0, 0, 0];
      const limits = [rules.limits.velocity, rules.limits.acceleration, rules.limits.jerk];
      for (let i = 0; i < 3; i++) {
        let from = [0, start[i]!, 0, 0] as readonly [number, number, number, number];
        for (let k = 0; k <= last; k++) {
          const to = [
            points.times[k]!,
            points.positions[k]![i]!,
            points.velocities[k]![i]!,
            points.accelerations[k]![i]!,
          ] as const;
          for (let share = 0; share <= 1; share += 0.1) {
            const values = quintic(from, to, share);
            for (let d = 1; d <= 3; d++) {
              worst[d] = Math.max(worst[d]!, Math.abs(values[d]!) / limits[d - 1]![i]!);
            }
          }
          from = to;
        }
      }
      expect(worst[1]).toBeLessThanOrEqual(1);
      expect(worst[2]).toBeLessThanOrEqual(1 + 1e-6);
      expect(worst[2]).toBeGreaterThan(0.99);
      expect(worst[3]).toBeLessThanOrEqual(1 + 1e-3);
    }
  });

  it('is what the live filter does with the same ramps, and the next one begins on it', () => {
    const { rules, state, out } = setUp('panda');
    const goal = targets(1)[0]!;
    const first = shortTrajectory(rules, state, { targets: [goal], stepPeriod: step });
    const input: FilterInput = {
      proposal: new Float64Array(3),
      velocity: goal.map((x, i) => (x - start[i]!) / step),
      names: undefined,
      age: 0,
      invalid: undefined,
      emergencyStop: false,
      speed: 1,
    };
    const node = [new Float64Array(3), new Float64Array(3), new Float64Array(3)] as const;
    let compared = 0;
    for (let k = 1; k <= 25; k++) {
      rampTarget(start, goal, k / 25, input.proposal!);
      filterTick(rules, state, input, out);
      splineNode(rules.limits, state, ...node);
      const point = first.times.findIndex((t) => Math.abs(t - k * 0.002) < 1e-9);
      if (point < 0) continue;
      compared++;
      expect(first.positions[point]).toEqual(node[0]);
      expect(first.velocities[point]).toEqual(node[1]);
      expect(first.accelerations[point]).toEqual(node[2]);
    }
    expect(compared).toBeGreaterThan(1);
    const second = shortTrajectory(rules, state, { targets: targets(2, goal), stepPeriod: step });
    for (let i = 0; i < 3; i++) {
      const now = [0, node[0][i]!, node[1][i]!, node[2][i]!] as const;
      const then = [
        second.times[0]!,
        second.positions[0]![i]!,
        second.velocities[0]![i]!,
        second.accelerations[0]![i]!,
      ] as const;
      for (const share of [0, 0.5, 1]) {
        expect(Math.abs(quintic(now, then, share)[3])).toBeLessThanOrEqual(rules.limits.jerk[i]! * 1.001);
      }
    }
  });

  it('is the rest of the stop from a state that stops', () => {
    const { rules, state, out } = setUp('panda');
    const input: FilterInput = {
      proposal: Float64Array.of(2, 1, -0.09),
      velocity: undefined,
      names: undefined,
      age: 0,
      invalid: undefined,
      emergencyStop: false,
      speed: 1,
    };
    for (let k = 0; k < 60; k++) filterTick(rules, state, input, out);
    filterTick(rules, state, { ...input, emergencyStop: true }, out);
    const points = shortTrajectory(rules, state, {
      targets: [Float64Array.of(2, 1, -0.09)],
      stepPeriod: step,
    });
    while (!out.atRest) filterTick(rules, state, input, out);
    const last = points.positions.at(-1)!;
    for (let i = 0; i < 3; i++) expect(last[i]).toBeCloseTo(state.position[i]!, 9);
    expect(points.verdicts.entries()[0]![0]).toBe('stop: emergency_stop');
  });

  it('refuses what it cannot plan', () => {
    const { rules, state } = setUp('panda');
    const plan = (steps: readonly Float64Array[], stepPeriod = step) =>
      shortTrajectory(rules, state, { targets: steps, stepPeriod });
    expect(() => plan(targets(5))).toThrow('0 to 4 steps, not 5');
    expect(() => plan([Float64Array.of(0, 0)])).toThrow('targets of 2 joints for an arm of 3');
    expect(() => plan([Float64Array.of(0, Number.NaN, 0)])).toThrow('not all finite');
    expect(() => plan(targets(1), 0.0031)).toThrow('no whole number of ticks');
  });
});
