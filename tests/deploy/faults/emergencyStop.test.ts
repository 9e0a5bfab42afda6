import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import { clock, pause } from './faultyGraph.js';
import { FaultyRobot, servos } from './processes.js';

const isolation = isolate();

describe.skipIf(cycloneMissing)('an emergency stop', { timeout: 600_000 }, () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation);
  }, 120_000);
  afterAll(() => robot?.close());

  /** Latched: it cannot be activated, and nothing moves, until an operator resets it. */
  const holds = async (): Promise<void> => {
    const { graph } = robot;
    await graph.reaches('inactive');
    const sent = graph.audit.count;
    expect(await graph.change('activate')).toBe(false);
    await pause(200);
    expect(graph.audit.count).toBe(sent);
    expect(graph.speed).toBeLessThan(0.02);
    expect(await graph.reset()).toBeUndefined();
  };
  const restsInTime = async (since: number): Promise<void> => {
    const { graph, rest, witness } = robot;
    const time = await graph.rests(since);
    const most = rest.emergencyStop + servos;
    console.log(`e-stop: at rest after ${time.toFixed(3)} s, ${most.toFixed(3)} s at most`);
    expect(time).toBeLessThan(most + witness.late + graph.stoodStill(since));
  };

  it('while inactive: no activation until an operator resets it', () =>
    robot.trial(async () => {
      await robot.stands();
      await robot.graph.latch();
      await holds();
      await robot.says(/the emergency stop is latched/);
    }));

  it('while activating: the activation fails and nothing is sent', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.stands();
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
    }));

  it('while active: at rest in time, no reset before, then held', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      const early = graph.latch().then(() => graph.reset());
      await restsInTime(clock());
      expect(await early).toBe('the arm still moves');
      await holds();
    }));

  it('by the topic, which false does not reset', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      graph.emergencyStop();
      await graph.rests(clock());
      graph.releaseArm();
      await pause(100);
      await holds();
      graph.audit.forget(); // The arm's own stop holds it where it was.
    }));

  it('while it stops already: the same stop goes on, and is latched after', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      const deactivation = graph.change('deactivate');
      const latched = graph.latch();
      await restsInTime(clock());
      await latched;
      expect(await deactivation).toBe(true);
      await holds();
    }));

  it('while held: again, and one reset is enough', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.stands();
      await graph.latch();
      await graph.latch();
      await holds();
      await robot.moves();
    }));
});
