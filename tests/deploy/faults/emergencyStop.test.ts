import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import type { RobotChild } from '../robot/robotChild.js';
import { clock, pause } from './faultyGraph.js';
import { FaultyRobot, servos, slack } from './processes.js';

const isolation = isolate();

describe.skipIf(cycloneMissing)('an emergency stop', () => {
  let robot: FaultyRobot;
  let policy: RobotChild;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation);
    await robot.arm();
    policy = await robot.policy();
  }, 120_000);
  afterAll(() => robot?.close());

  /** Latched: it cannot be activated, and nothing moves. */
  const holds = async (): Promise<void> => {
    const { graph } = robot;
    await graph.reaches('inactive');
    const sent = graph.audit.count;
    expect(await graph.change('activate')).toBe(false);
    await pause(200);
    expect(graph.audit.count).toBe(sent);
    expect(graph.speed).toBeLessThan(0.02);
  };
  const moves = async (): Promise<void> => {
    expect(await robot.graph.change('activate'), policy.output()).toBe(true);
    await robot.graph.moves();
  };

  it('while inactive: no activation until an operator resets it', async () => {
    const { graph } = robot;
    await graph.latch();
    await holds();
    expect(policy.output()).toContain('the emergency stop is latched');
    expect(await graph.reset()).toBeUndefined();
  });

  it('while activating: the activation fails and nothing is sent', async () => {
    const { graph } = robot;
    graph.tamper = () => [];
    await pause(1100); // What came before is too old to begin with.
    const activation = graph.change('activate');
    await pause(300);
    await graph.latch();
    const sent = graph.audit.count;
    graph.honest();
    expect(await activation).toBe(false);
    expect(graph.audit.count).toBe(sent);
    await holds();
    expect(await graph.reset()).toBeUndefined();
  });

  it('while active: at rest in time, no reset before, then held', async () => {
    const { graph, rest } = robot;
    await moves();
    const since = clock();
    await graph.latch();
    const early = graph.reset();
    const time = await graph.rests(since);
    console.log(
      `e-stop: at rest after ${time.toFixed(3)} s, ${(rest.emergencyStop + servos).toFixed(3)} s at most`,
    );
    expect(time).toBeLessThan(rest.emergencyStop + servos + slack);
    expect(await early).toBe('the arm still moves');
    await holds();
    expect(await graph.reset()).toBeUndefined();
  });

  it('by the topic, which false does not reset', async () => {
    const { graph } = robot;
    await moves();
    graph.emergencyStop();
    await graph.rests(clock());
    graph.releaseArm();
    await pause(100);
    await holds();
    expect(await graph.reset()).toBeUndefined();
    graph.audit.forget(); // The arm's own stop holds it where it was.
  });

  it('while it stops already: the same stop goes on, and is latched after', async () => {
    const { graph, rest } = robot;
    await moves();
    const since = clock();
    const deactivation = graph.change('deactivate');
    await graph.latch();
    const time = await graph.rests(since);
    expect(time).toBeLessThan(rest.emergencyStop + servos + slack);
    expect(await deactivation).toBe(true);
    await holds();
  });

  it('while held: again, and one reset is enough', async () => {
    const { graph } = robot;
    await graph.latch();
    await holds();
    expect(await graph.reset()).toBeUndefined();
    await moves();
    await graph.change('deactivate');
  });

  it('never sends what is outside limits', () => {
    const { audit } = robot.graph;
    console.log(audit.summary);
    expect(audit.faults).toEqual([]);
    expect(audit.longest).toBeLessThan(robot.rest.silence);
  });
});
