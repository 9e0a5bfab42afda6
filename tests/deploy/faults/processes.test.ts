import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate, until } from '../../transport/loopback.js';
import type { RobotChild } from '../robot/robotChild.js';
import { clock, pause } from './faultyGraph.js';
import { FaultyRobot, servos, slack } from './processes.js';

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

  const begin = async (): Promise<void> => {
    robot.graph.listen();
    expect(await robot.graph.change('activate'), policy.output()).toBe(true);
    await robot.graph.moves();
  };
  /** The arm rests by the end that it was told before the fault, and that was near enough. */
  const restsAsTold = async (name: string, since: number): Promise<void> => {
    const { graph, rest } = robot;
    const time = await graph.rests(since);
    const told = graph.audit.end - since;
    console.log(
      `${name}: at rest after ${time.toFixed(3)} s, told ${told.toFixed(3)} s, ${(rest.silence + servos).toFixed(3)} s at most`,
    );
    expect(told).toBeLessThan(rest.silence + slack);
    expect(time).toBeLessThan(told + servos);
  };

  it('goes on along the same path where the policy stalls for a moment', async () => {
    const { graph } = robot;
    await begin();
    for (const ms of [5, 15, 25, 40, 60, 80, 110]) {
      policy.process.kill('SIGSTOP');
      await pause(ms);
      policy.process.kill('SIGCONT');
      await pause(130);
    }
    await graph.moves();
    expect(graph.audit.faults).toEqual([]);
    expect(await graph.state()).toBe('active');
  });

  it('SIGSTOP of the policy: the arm rests as the last trajectory says, and goes on after SIGCONT', async () => {
    const { graph } = robot;
    const since = clock();
    policy.process.kill('SIGSTOP');
    await restsAsTold('SIGSTOP of the policy', since);
    policy.process.kill('SIGCONT');
    await graph.moves();
  });

  it('SIGSTOP of the arm: the policy stops, tells, and deactivates', async () => {
    const { graph, rest } = robot;
    graph.listen();
    const since = clock();
    arm.process.kill('SIGSTOP');
    await graph.reaches('inactive');
    const told = graph.audit.end - since;
    console.log(
      `SIGSTOP of the arm: told to rest after ${told.toFixed(3)} s, ${rest.stale.toFixed(3)} s at most`,
    );
    expect(told).toBeLessThan(rest.stale + slack);
    expect(policy.output()).toMatch(/deactivate: stale/);
    expect(graph.heard(/stale/)).toBe(true);
    const before = graph.newest!.position;
    const seen = graph.states;
    arm.process.kill('SIGCONT');
    await until('joint states', () => graph.states > seen + 5);
    const { position } = graph.newest!;
    // It goes on from where it stood still, whatever waited for it on the wire.
    expect(Math.max(...position.map((q, i) => Math.abs(q - before[i]!)))).toBeLessThan(0.1);
    await graph.rests(clock());
    graph.audit.forget();
    await begin();
  });

  it('kill -9 of the arm: the same, and another arm is taken up', async () => {
    const { graph, rest } = robot;
    graph.listen();
    const since = clock();
    await robot.kill(arm);
    await graph.reaches('inactive');
    expect(graph.heard(/stale/)).toBe(true);
    expect(graph.audit.end - since).toBeLessThan(rest.stale + slack);
    graph.audit.forget();
    arm = await robot.arm(1000);
    await begin();
  });

  it('joint states at 1 kHz: they are taken, and the arm goes on', async () => {
    const { graph } = robot;
    await pause(1100);
    const before = Number(graph.health.values['joint states']);
    const sent = graph.states;
    await pause(2000);
    const taken = Number(graph.health.values['joint states']) - before;
    console.log(`1 kHz: ${graph.states - sent} sent, ${taken} taken in about 2 s`, graph.health.values);
    // A busy machine runs the simulation slower.
    expect(graph.states - sent).toBeGreaterThan(400);
    expect(taken).toBeGreaterThan(0.3 * (graph.states - sent));
    expect(await graph.state()).toBe('active');
  });

  it('kill -9 of the policy: the arm rests as the last trajectory says, and another policy takes it up', async () => {
    const since = clock();
    await robot.kill(policy);
    await restsAsTold('kill -9 of the policy', since);
    policy = await robot.policy();
    await begin();
  });

  it('SIGTERM of the policy: it decelerates before it goes', async () => {
    const { graph } = robot;
    const since = clock();
    policy.process.kill('SIGTERM');
    await policy.ended();
    expect(await graph.rests(since)).toBeLessThan(robot.rest.emergencyStop + servos + slack);
  });

  it('never sends what is outside limits, nor a trajectory that lasts longer than stated', () => {
    const { audit } = robot.graph;
    console.log(audit.summary);
    expect(audit.count).toBeGreaterThan(100);
    expect(audit.faults).toEqual([]);
    expect(audit.longest).toBeLessThan(robot.rest.silence);
  });
});
