import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import type { RobotChild } from '../robot/robotChild.js';
import { pause } from './faultyGraph.js';
import { FaultyRobot } from './processes.js';

const isolation = isolate();

/** How long it runs, s. */
const seconds = Number(process.env['VERNIER_SOAK_SECONDS'] ?? 20);
/** What the memory of a process may grow by after warming up, MiB: V8's heap breathes by about half of it. */
const MOST_GROWTH = 32;

/** Resident memory, MiB. */
function resident({ process: child }: RobotChild): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
}

describe.skipIf(cycloneMissing ?? (process.platform !== 'linux' && 'needs /proc'))('a robot for long', () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    // A machine that stands still for a while makes the arm hold, not the test end.
    robot = await FaultyRobot.open(isolation, { rate: 500, spec: { ages: { deactivate: 120 } } });
  }, 120_000);
  afterAll(() => robot?.close());

  it(
    `moves for ${seconds} s within limits and without growth in memory`,
    async () => {
      await robot.moves();
      const { graph, policy, arm } = robot;
      const steps = 20;
      const memory: (readonly [number, number])[] = [];
      for (let k = 0; k < steps; k++) {
        await pause((1000 * seconds) / steps);
        memory.push([resident(policy), resident(arm)]);
        expect(await graph.state(), policy.output()).toBe('active');
      }
      await graph.moves();
      expect(await graph.state(), policy.output()).toBe('active');
      const { values } = graph.health;
      console.log(
        `${seconds} s: policy and arm, MiB: ${memory.map(([p, a]) => `${p.toFixed(0)} ${a.toFixed(0)}`).join(', ')}; ${graph.audit.count} trajectories, ${values['commands late']} late, ${values['deadlines missed']} deadlines missed of ${values['ticks']}`,
      );
      const most = (from: number, to: number, which: 0 | 1) =>
        Math.max(...memory.slice(from, to).map((row) => row[which]));
      for (const which of [0, 1] as const)
        expect(most(steps / 2, steps, which) - most(steps / 4, steps / 2, which)).toBeLessThan(MOST_GROWTH);
      expect(graph.audit.faults).toEqual([]);
    },
    1000 * seconds + 300_000,
  );
});
