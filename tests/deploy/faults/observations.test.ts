import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeOf } from '#deploy/robot/stamp';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import type { JointMessage } from '../robot/kinematicRobot.js';
import { clock, pause, type Tamper } from './faultyGraph.js';
import { FaultyRobot, servos } from './processes.js';

const isolation = isolate();

/** The same, later by seconds on the robot's clock. */
function later(message: JointMessage, seconds: number): JointMessage {
  const { sec, nanosec } = message.header['stamp'] as { readonly sec: number; readonly nanosec: number };
  return { ...message, header: { ...message.header, stamp: timeOf(1000 * (sec + seconds) + nanosec / 1e6) } };
}

/** Some of its joints, in an order. */
function part(message: JointMessage, indices: readonly number[]): JointMessage {
  const pick = (values: ArrayLike<number>) => Float64Array.from(indices, (i) => values[i]!);
  return {
    ...message,
    name: indices.map((i) => message.name[i]!),
    position: pick(message.position),
    velocity: pick(message.velocity),
    effort: [],
  };
}

function withValue(
  message: JointMessage,
  field: 'position' | 'velocity',
  i: number,
  value: number,
): JointMessage {
  return { ...message, [field]: message[field].map((x, k) => (k === i ? value : x)) };
}

const all = (message: JointMessage) => message.name.map((_, i) => i);

describe.skipIf(cycloneMissing)('joint states that fail', { timeout: 600_000 }, () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation, { spec: { ages: { deactivate: 0.3 } } });
  }, 120_000);
  afterAll(() => robot?.close());

  it.each<[string, 'invalid' | 'stale', RegExp, () => Tamper]>([
    ['none', 'stale', /: stale/, () => () => []],
    ['late by 0.3 s', 'stale', /: stale/, () => (message) => [[300, message]]],
    [
      'the same again and again',
      'stale',
      /: stale/,
      () => {
        let first: JointMessage | undefined;
        return (message) => {
          first ??= message;
          return [first];
        };
      },
    ],
    ['without a joint', 'stale', /: stale/, () => (m) => [part(m, [0, 1, 2, 4, 5, 6])]],
    [
      'with other names',
      'stale',
      /: stale/,
      () => (m) => [{ ...m, name: m.name.map((name) => name.replace('panda', 'fr3')) }],
    ],
    ['NaN for a position', 'invalid', /not_finite/, () => (m) => [withValue(m, 'position', 3, Number.NaN)]],
    [
      'an infinite velocity',
      'invalid',
      /not_finite/,
      () => (m) => [withValue(m, 'velocity', 6, Number.POSITIVE_INFINITY)],
    ],
    [
      'a position too few',
      'invalid',
      /incomplete/,
      () => (m) => [{ ...m, position: m.position.subarray(1) }],
    ],
    [
      'an arm that is elsewhere',
      'invalid',
      /not_following/,
      () => (m) => [withValue(m, 'position', 1, m.position[1]! + 0.5)],
    ],
  ])('%s: the arm rests in time, the node deactivates and says why', (name, kind, verdict, tamper) =>
    robot.trial(async () => {
      const { graph, rest, witness } = robot;
      await robot.moves();
      const since = clock();
      graph.tamper = tamper();
      const time = await graph.rests(since);
      const most = rest[kind] + servos;
      console.log(`${name}: at rest after ${time.toFixed(3)} s, ${most.toFixed(3)} s at most`);
      expect(time).toBeLessThan(most + witness.late + graph.stoodStill(since));
      await graph.reaches('inactive');
      await robot.says(verdict);
    }),
  );
});

describe.skipIf(cycloneMissing)('joint states that are odd', { timeout: 600_000 }, () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation, { spec: { ages: { deactivate: 2 } } });
  }, 120_000);
  afterAll(() => robot?.close());

  it.each<[string, () => Tamper]>([
    ['each twice', () => (m) => [m, m]],
    ['every other one', () => (m, k) => (k % 2 ? [m] : [])],
    ['out of order', () => (m, k) => [k % 3 === 0 ? [12, m] : m]],
    ['late by 30 ms', () => (m) => [[30, m]]],
    ['joints in another order', () => (m) => [part(m, all(m).reverse())]],
    ['joints in two messages', () => (m) => [part(m, [5, 0, 3]), part(m, [6, 2, 1, 4])]],
    [
      'with joints of others',
      () => (m) => [
        {
          ...part(m, all(m)),
          name: ['lift', ...m.name],
          position: Float64Array.of(9, ...m.position),
          velocity: Float64Array.of(9, ...m.velocity),
        },
      ],
    ],
    ['without stamps', () => (m) => [{ ...m, header: { ...m.header, stamp: { sec: 0, nanosec: 0 } } }]],
    ['a clock that jumps an hour ahead and back', () => (m, k) => [later(m, k % 200 < 100 ? 3600 : 0)]],
    ['a clock that jumps an hour back and ahead', () => (m, k) => [later(m, k % 200 < 100 ? -3600 : 0)]],
  ])('%s: the arm goes on', (_, tamper) =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      graph.tamper = tamper();
      await pause(1000);
      await graph.moves();
      expect(await graph.state(), robot.policy.output()).toBe('active');
    }),
  );
});
