import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import { hasZeromq } from '../policyServers.js';
import type { RobotChild } from '../robot/robotChild.js';
import { clock } from './faultyGraph.js';
import { FaultyRobot, servos, slack } from './processes.js';

const isolation = isolate();

describe.skipIf(cycloneMissing ?? (!hasZeromq && 'zeromq is not installed'))('a policy server', () => {
  let robot: FaultyRobot;
  let server: RobotChild;
  let endpoint: string;
  let policy: RobotChild;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation);
    await robot.arm();
    [server, endpoint] = await robot.server(0);
    policy = await robot.policy({}, await robot.remote(endpoint));
    expect(await robot.graph.change('activate'), policy.output()).toBe(true);
    await robot.graph.moves();
  }, 120_000);
  afterAll(() => robot?.close());

  const rests = async (name: string, since: number): Promise<void> => {
    const { graph, rest } = robot;
    const time = await graph.rests(since);
    const most = rest.silence + servos;
    console.log(
      `${name} of the policy server: at rest after ${time.toFixed(3)} s, ${most.toFixed(3)} s at most`,
    );
    expect(time).toBeLessThan(most + slack);
    await graph.reaches('inactive');
    expect(policy.output()).toMatch(/deactivate: policy_late/);
  };

  it('SIGSTOP: the arm rests, the node deactivates; both go on after SIGCONT', async () => {
    const since = clock();
    server.process.kill('SIGSTOP');
    await rests('SIGSTOP', since);
    server.process.kill('SIGCONT');
    expect(await robot.graph.change('activate'), policy.output()).toBe(true);
    await robot.graph.moves();
  });

  it('kill -9: the same, and another server at its address is found', async () => {
    const since = clock();
    await robot.kill(server);
    await rests('kill -9', since);
    [server] = await robot.server(Number(/:(\d+)$/.exec(endpoint)![1]));
    expect(await robot.graph.change('activate'), policy.output()).toBe(true);
    await robot.graph.moves();
  });

  it('never sends what is outside limits', () => {
    const { audit } = robot.graph;
    console.log(audit.summary);
    expect(audit.faults).toEqual([]);
    expect(audit.longest).toBeLessThan(robot.rest.silence);
  });
});
