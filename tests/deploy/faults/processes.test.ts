import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import type { RobotChild } from '../robot/robotChild.js';
import { clock, pause } from './faultyGraph.js';
import { FaultyRobot } from './processes.js';

const isolation = isolate();

describe.skipIf(cycloneMissing)('a process that fails', () => {
  let robot: FaultyRobot;
  let arm: RobotChild;
  let policy: RobotChild;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation);
    arm = await robot.arm();
    policy = await robot.policy();
  }, 120_000);
  afterAll(() => robot?.close());

  it('SIGSTOP of the policy', async () => {
    const { graph } = robot;
    expect(await graph.change('activate'), policy.output()).toBe(true);
    await graph.moves();
    await pause(1000);
    console.log(graph.audit.count, graph.audit.late, graph.audit.worst, graph.audit.beside, graph.audit.faults.slice(0, 5), graph.health);
    const since = clock();
    policy.process.kill('SIGSTOP');
    const rest = await graph.rests(since);
    console.log('rest', rest, graph.audit.end - since);
    policy.process.kill('SIGCONT');
    await graph.moves();
    console.log(graph.audit.count, graph.audit.late, graph.audit.worst, graph.audit.beside, graph.health);
  });
});
