import { describe, expect, it } from 'vitest';
import { CommandPlan, type PlannedPath } from '#deploy/robot/commandPlan';
import type { SafetyRules } from '#deploy/safety/safetyFilter';
import { testLimits } from '../safety/arms.js';
import { quintic } from '../safety/quintic.js';

const PERIOD = 0.05;
const rules: SafetyRules = { limits: testLimits('panda', 0.005), maxAge: 0.1, deactivateAfter: 1 };

/** Position, velocity and acceleration of a joint at a time, ms, as a controller follows a path. */
function at({ time, points }: PlannedPath, joint: number, when: number): readonly number[] {
  const { times, positions, velocities, accelerations } = points;
  const t = (when - time) / 1000;
  const next = times.findIndex((end) => end >= t - 1e-9);
  const node = (k: number) =>
    [times[k]!, positions[k]![joint]!, velocities[k]![joint]!, accelerations[k]![joint]!] as const;
  if (next < 0) return node(times.length - 1).slice(1);
  if (next === 0) return node(0).slice(1);
  const [from, to] = [node(next - 1), node(next)];
  return quintic(from, to, (t - from[0]) / (to[0] - from[0])).slice(0, 3);
}

function expectEqual(a: PlannedPath, b: PlannedPath, from: number, to: number): void {
  for (let when = from; when <= to; when += 1)
    for (let i = 0; i < 3; i++)
      for (const [k, x] of at(a, i, when).entries()) expect(x).toBeCloseTo(at(b, i, when)[k]!, 7);
}

/** A plan that moves to and fro; every 50 ms it intends something else, 10 ms ahead. */
function moving() {
  const plan = new CommandPlan(rules, PERIOD);
  plan.start(Float64Array.of(0.1, -0.2, -1), 10);
  return {
    plan,
    tick(now: number, dropped = false): PlannedPath {
      if (dropped) plan.revert();
      plan.advance(now + 10);
      const to = plan.position.map((q, i) => q + 0.08 * Math.sin(now / 130 + i));
      const further = to.map((q, i) => 2 * q - plan.position[i]!);
      const targets = [to, further];
      return plan.intend({ targets, invalid: undefined, age: 0, emergencyStop: false, speed: 1 }, now);
    },
  };
}

describe('a plan of commands', () => {
  it('tells what is on the way again, so that each trajectory lies on the one before it until it departs', () => {
    const { tick } = moving();
    let before = tick(0);
    for (let now = 50; now < 1500; now += 50) {
      const path = tick(now);
      const first = path.time + 1000 * path.points.times[0]!;
      expect(first).toBeGreaterThan(now);
      expect(first).toBeLessThanOrEqual(now + 5);
      expect(path.departs).toBeGreaterThanOrEqual(now + 10);
      expectEqual(path, before, first, path.departs);
      before = path;
    }
  });

  it('goes on along the trajectory before the one that was not sent, however many were not', () => {
    const { tick } = moving();
    let sent = tick(0);
    let dropped = false;
    let drops = 0;
    for (let now = 50; now < 3000; now += 50) {
      const path = tick(now, dropped);
      expectEqual(path, sent, path.time + 1000 * path.points.times[0]!, path.departs);
      dropped = (now / 50) % 7 > 3 || (now / 50) % 2 === 0;
      if (dropped) drops++;
      else sent = path;
    }
    expect(drops).toBeGreaterThan(20);
  });
});
