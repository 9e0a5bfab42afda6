import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import { hasZeromq } from '../policyServers.js';
import { clock } from './faultyGraph.js';
import { FaultyRobot, servos } from './processes.js';

const isolation = isolate();
const missing = cycloneMissing ?? (!hasZeromq && 'zeromq is not installed');

describe.skipIf(missing)('a policy server', { timeout: 600_000 }, () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation, { served: true });
  }, 120_000);
  afterAll(() => robot?.close());

  const rests = async (name: string, since: number): Promise<void> => {
    const { graph, rest, witness } = robot;
    const time = await graph.rests(since);
    const most = rest.silence + servos;
    console.log(
      `${name} of the policy server: at rest after ${time.toFixed(3)} s, ${most.toFixed(3)} s at most`,
    );
    expect(time).toBeLessThan(most + witness.late + graph.stoodStill(since));
    await graph.reaches('inactive');
    await robot.says(/deactivate: policy_late/);
  };

  it('SIGSTOP: the arm rests, the node deactivates; both go on after SIGCONT', () =>
    robot.trial(async () => {
      await robot.moves();
      robot.server.process.kill('SIGSTOP');
      await rests('SIGSTOP', clock());
      robot.server.process.kill('SIGCONT');
      await robot.moves();
    }));

  it('kill -9: the same, and another server at its address is found', () =>
    robot.trial(async () => {
      await robot.moves();
      robot.server.process.kill('SIGKILL');
      await rests('kill -9', clock());
      await robot.kill('server');
      await robot.moves();
    }));
});
