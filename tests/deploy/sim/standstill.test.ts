import { afterEach, describe, expect, it } from 'vitest';
import { SimRobot } from '#deploy/sim/simRobot';
import { SimWorld } from '#deploy/sim/simWorld';
import { systemClock } from '#deploy/sim/systemClock';
import { loadTask } from '#spec/task';
import { standardCodec } from '#transport/messages';
import type { ReceivedMessage, RobotTransport } from '#transport/robotTransport';
import { until } from '../../transport/loopback.js';

const codec = standardCodec('trajectory_msgs/msg/JointTrajectory');
const states = standardCodec('sensor_msgs/msg/JointState');
const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** A sim robot on a clock of its own, with nothing but memory around it. */
async function robotOnClock() {
  const task = await loadTask('reach');
  const names = task.robot.spec.ros.joint_names!;
  const world = await SimWorld.open({
    task,
    seed: 1,
    environment: 0,
    episode: 0,
    jointNames: names,
    onOutcome: () => {},
  });
  let time = 0;
  const takers = new Map<string, (message: ReceivedMessage) => void>();
  let told: ArrayLike<number> = [];
  let count = 0;
  const none = { close() {}, write() {}, matched: () => 0 };
  const transport = {
    publisher: (topic: string) => ({
      ...none,
      write: (bytes: Uint8Array) => {
        if (topic !== '/joint_states') return;
        told = states.decode(bytes)['position'] as Float64Array;
        count++;
      },
    }),
    subscriber: (topic: string, _: string, __: unknown, take: (message: ReceivedMessage) => void) => {
      takers.set(topic, take);
      return none;
    },
    service: () => none,
    actionServer: () => none,
  } as unknown as RobotTransport;
  const ms = () => 1000 * time;
  const clock = systemClock(ms, ms, 0);
  const robot = new SimRobot({ world, transport, clock, rate: 200, log: () => {} });
  const stop = new AbortController();
  stops.push(stop);
  void robot.run(stop.signal).then(() => world.close());
  return {
    world,
    robot,
    /** Time passes in which the robot may run. */
    pass: async (seconds: number) => {
      for (const end = time + seconds; time < end - 1e-9; ) {
        // Beyond when the next message is due, whatever is rounded.
        time += 0.006;
        const before = count;
        await until('a joint state', () => count > before);
      }
    },
    /** Time passes in which it may not. */
    skip: (seconds: number) => {
      time += seconds;
    },
    joints: () => Array.from(told).slice(0, names.length),
    /** Every joint by `way` within `duration` from now on. */
    send: (way: number, duration: number, from = task.robot.arm.home) => {
      const nanosec = Math.round(1e9 * (time % 1));
      const bytes = codec.encode({
        header: { stamp: { sec: Math.floor(time), nanosec }, frame_id: '' },
        joint_names: names,
        points: [0, duration].map((at, k) => ({
          positions: from.map((q) => q + k * way),
          velocities: from.map(() => 0),
          accelerations: [],
          effort: [],
          time_from_start: { sec: Math.floor(at), nanosec: Math.round(1e9 * (at % 1)) },
        })),
      });
      return () =>
        takers.get('/panda_arm_controller/joint_trajectory')!({ bytes, sentAt: 0n, receivedAt: 1000 * time });
    },
  };
}

describe('a sim robot that stood still', () => {
  it.each(['before', 'after'] as const)(
    'does not jump to where it would have been, with what waited on the wire %s',
    async (order) => {
      const { world, robot, pass, skip, joints, send } = await robotOnClock();
      await pass(0.05);
      send(0.3, 0.6)();
      await pass(0.3);
      const waiting = send(0.3, 0.4);
      const { position } = world.controller.desired;
      const desired = position.slice();
      const stood = joints();
      skip(1);
      if (order === 'before') waiting();
      await pass(0.006);
      if (order === 'after') waiting();
      await pass(0.2);
      expect(robot.status.refused).toBe(1);
      expect(robot.status.lost).toBeGreaterThan(0.9);
      for (const [i, q] of desired.entries()) expect(Math.abs(position[i]! - q)).toBeLessThan(0.01);
      for (const [i, q] of joints().entries()) expect(Math.abs(q - stood[i]!)).toBeLessThan(0.05);
    },
  );
});
