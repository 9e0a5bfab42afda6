import { beforeEach, describe, expect, it } from 'vitest';
import { ClockDifference } from '#deploy/robot/clockDifference';
import { type Deployment, readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { boardLayout, Inputs, inputLength } from '#deploy/robot/inputs';
import { SampleClock } from '#deploy/robot/sampleClock';
import { SharedBoard } from '#deploy/robot/sharedBoard';
import { timeOf } from '#deploy/robot/stamp';
import type { BodySource } from '#spec/deploySchema';
import { loadTask } from '#spec/task';
import { standardCodec } from '#transport/messages';

const jointState = standardCodec('sensor_msgs/msg/JointState');
const poseStamped = standardCodec('geometry_msgs/msg/PoseStamped');
const transforms = standardCodec('tf2_msgs/msg/TFMessage');

const task = await loadTask('reach');
const NAMES = task.robot.spec.ros.joint_names!;
const HOME = task.robot.arm.home;

interface Sample {
  readonly names?: readonly string[];
  readonly position?: readonly number[];
  readonly velocity?: readonly number[];
  readonly stamp?: number;
}

function joints({ names = NAMES, position = HOME, velocity = HOME.map(() => 0), stamp = 0 }: Sample) {
  return jointState.encode({
    header: { stamp: timeOf(stamp), frame_id: '' },
    name: names,
    position,
    velocity,
    effort: [],
  });
}

function transform(parent: string, child: string, xyz: readonly number[], wxyz = [1, 0, 0, 0], stamp = 0) {
  const [x, y, z] = xyz;
  return {
    header: { stamp: timeOf(stamp), frame_id: parent },
    child_frame_id: child,
    transform: {
      translation: { x, y, z },
      rotation: { w: wxyz[0], x: wxyz[1], y: wxyz[2], z: wxyz[3] },
    },
  };
}

function setUp(source: BodySource = { frame: 'target' }) {
  const plain = resolveDeployment(readDeployment(undefined), task);
  const deployment: Deployment = { ...plain, bodies: plain.bodies.map((body) => ({ ...body, source })) };
  const board = new SharedBoard(inputLength(deployment));
  const inputs = new Inputs(deployment, board);
  const values = new Float64Array(board.length);
  return {
    inputs,
    read(): Float64Array {
      board.read(values);
      return values;
    },
    joint: (k: number): number[] => {
      board.read(values);
      return [...values.subarray(boardLayout.joint(k), boardLayout.joint(k) + 3)];
    },
    body(): number[] {
      board.read(values);
      const at = boardLayout.body(7, 0);
      return [...values.subarray(at, at + 8)];
    },
  };
}

describe('joint states', () => {
  let robot: ReturnType<typeof setUp>;
  beforeEach(() => {
    robot = setUp();
  });

  it('are matched by name, in any order, among others, in several messages', () => {
    const order = [3, 0, 6, 1, 5, 2, 4];
    const names = order.map((k) => NAMES[k]!);
    robot.inputs.jointState(
      joints({
        names: ['wheel', ...names.slice(0, 4)],
        position: [9, ...order.slice(0, 4).map((k) => k / 10)],
        velocity: [9, ...order.slice(0, 4)],
      }),
      100,
    );
    expect(robot.inputs.missing()[0]).toBe(
      '/joint_states has no panda_joint3, panda_joint5, panda_joint6 (it has wheel, panda_joint4, panda_joint1, panda_joint7, panda_joint2)',
    );
    robot.inputs.jointState(
      joints({
        names: names.slice(4),
        position: order.slice(4).map((k) => k / 10),
        velocity: order.slice(4),
      }),
      105,
    );
    for (let k = 0; k < 7; k++) expect(robot.joint(k).slice(1)).toEqual([k / 10, k]);
    expect(robot.joint(0)[0]).toBe(100);
    expect(robot.joint(5)[0]).toBe(105);
  });

  it('say which names are not there', () => {
    expect(robot.inputs.missing()).toEqual([
      'no joint state on /joint_states',
      'no pose of target from TF frame target',
    ]);
    robot.inputs.jointState(joints({ names: NAMES.map((name) => name.replace('panda', 'fr3')) }), 1);
    expect(robot.inputs.missing()[0]).toMatch(/no joint state on \/joint_states|has no panda_joint1/);
  });

  it.each([
    ['a NaN', { position: HOME.map((q, i) => (i === 2 ? Number.NaN : q)) }, 1, 'joint state: not finite'],
    [
      'an infinite velocity',
      { velocity: HOME.map(() => Number.POSITIVE_INFINITY) },
      1,
      'joint state: not finite',
    ],
    ['too few positions', { position: HOME.slice(1) }, 2, 'joint state: lengths differ'],
  ] as const)('with %s are refused, and the board says so until a good one comes', (_, bad, code, reason) => {
    robot.inputs.jointState(joints({}), 100);
    robot.inputs.jointState(joints(bad), 110);
    expect(robot.read()[boardLayout.invalid]).toBe(code);
    expect(robot.inputs.rejected).toEqual({ [reason]: 1 });
    expect(robot.joint(2)[1]).toBe(HOME[2]);
    robot.inputs.jointState(joints({}), 120);
    expect(robot.read()[boardLayout.invalid]).toBe(0);
  });

  it('that are no messages are counted and change nothing', () => {
    robot.inputs.jointState(joints({}), 100);
    const before = robot.read().slice();
    robot.inputs.jointState(joints({}).subarray(0, 30), 110);
    robot.inputs.jointState(new Uint8Array(), 110);
    expect(robot.read()).toEqual(before);
    expect(robot.inputs.rejected).toEqual({ 'sensor_msgs/msg/JointState: no such message': 2 });
  });

  it('that come again, or after a newer one, are not taken', () => {
    robot.inputs.jointState(joints({ stamp: 50_000 }), 100);
    robot.inputs.jointState(joints({ stamp: 50_010, position: HOME.map(() => 1) }), 110);
    robot.inputs.jointState(joints({ stamp: 50_005, position: HOME.map(() => 2) }), 111);
    robot.inputs.jointState(joints({ stamp: 50_010, position: HOME.map(() => 3) }), 112);
    expect(robot.joint(0)).toEqual([110, 1, 0]);
    expect(robot.inputs.rejected).toEqual({ 'joint state: out of order': 2 });
  });

  it('that were held up on the way are as old as they are', () => {
    robot.inputs.jointState(joints({ stamp: 50_000 }), 100);
    robot.inputs.jointState(joints({ stamp: 50_010 }), 410);
    expect(robot.joint(0)[0]).toBeCloseTo(110, 0);
  });

  it('without velocities get those between the last two', () => {
    robot.inputs.jointState(joints({ velocity: [] }), 100);
    robot.inputs.jointState(joints({ velocity: [], position: HOME.map((q) => q + 0.01) }), 110);
    expect(robot.joint(1)[2]).toBeCloseTo(1, 9);
  });
});

describe('clocks that differ', () => {
  it('are told by the quickest message of the last second or two, not by one that was taken late', () => {
    const clocks = new ClockDifference();
    expect(clocks.value).toBeUndefined();
    clocks.note(0.4, 0);
    clocks.note(30, 900);
    expect(clocks.value).toBe(0.4);
    clocks.note(25, 1100);
    expect(clocks.value).toBe(0.4);
    clocks.note(-1, 1200);
    clocks.note(40, 2300);
    expect(clocks.value).toBe(-1);
    clocks.note(41, 3400);
    expect(clocks.value).toBe(40);
  });
});

describe('clocks that are set', () => {
  it('back are taken for what they are, and count', () => {
    const clock = new SampleClock();
    expect(clock.taken(50_000, 100)).toBe(100);
    expect(clock.taken(10_000, 110)).toBe(110);
    expect(clock.taken(10_010, 120)).toBeCloseTo(120, 1);
    expect(clock.jumps).toBe(1);
  });

  it('forward are followed at once', () => {
    const clock = new SampleClock();
    clock.taken(50_000, 100);
    expect(clock.taken(90_000, 110)).toBe(110);
    expect(clock.taken(90_010, 120)).toBeCloseTo(120, 1);
  });
});

describe('poses', () => {
  it('come from TF through any chain of frames, as old as the oldest moving one', () => {
    const robot = setUp();
    const turned = [Math.SQRT1_2, 0, 0, Math.SQRT1_2];
    robot.inputs.transforms(
      transforms.encode({ transforms: [transform('world', 'panda_link0', [1, 0, 0], turned)] }),
      true,
      10,
    );
    robot.inputs.transforms(
      transforms.encode({ transforms: [transform('camera', 'target', [0, 0, 2])] }),
      false,
      20,
    );
    expect(robot.inputs.missing()[1]).toBe('no pose of target from TF frame target');
    robot.inputs.transforms(
      transforms.encode({ transforms: [transform('world', 'camera', [1, 3, 0])] }),
      false,
      30,
    );
    const [taken, x, y, z, w, , , qz] = robot.body();
    expect(taken).toBe(20);
    for (const [value, expected] of [
      [x, 3],
      [y, 0],
      [z, 2],
      [w, Math.SQRT1_2],
      [qz, -Math.SQRT1_2],
    ])
      expect(value).toBeCloseTo(expected!, 12);
  });

  it('come from a topic, in the base frame or one that TF knows', () => {
    const robot = setUp({ topic: '/target' });
    const pose = (frame: string, x: number) =>
      poseStamped.encode({
        header: { stamp: timeOf(0), frame_id: frame },
        pose: { position: { x, y: 0, z: 0 }, orientation: { w: 1, x: 0, y: 0, z: 0 } },
      });
    robot.inputs.pose(0, pose('panda_link0', 0.5), 10);
    expect(robot.body()).toEqual([10, 0.5, 0, 0, 1, 0, 0, 0]);
    robot.inputs.pose(0, pose('camera', 0.7), 20);
    expect(robot.body()[1]).toBe(0.5);
    expect(robot.inputs.rejected).toEqual({ 'pose: no transform from camera to panda_link0': 1 });
    robot.inputs.transforms(
      transforms.encode({ transforms: [transform('panda_link0', 'camera', [1, 0, 0])] }),
      true,
      25,
    );
    robot.inputs.pose(0, pose('camera', 0.7), 30);
    expect(robot.body().slice(0, 2)).toEqual([30, 1.7]);
    robot.inputs.pose(0, pose('panda_link0', Number.NaN), 40);
    expect(robot.body()[1]).toBe(1.7);
  });

  it('that were measured once never grow old', () => {
    const robot = setUp({ position: [0.4, 0.1, 0.3], rotation: [1, 0, 0, 0] });
    expect(robot.body()).toEqual([Number.POSITIVE_INFINITY, 0.4, 0.1, 0.3, 1, 0, 0, 0]);
    expect(robot.inputs.missing()).toEqual(['no joint state on /joint_states']);
  });

  it('with transforms that are none are counted', () => {
    const robot = setUp();
    robot.inputs.transforms(
      transforms.encode({ transforms: [transform('panda_link0', 'target', [0, 0, 0], [0, 0, 0, 0])] }),
      false,
      10,
    );
    expect(robot.inputs.rejected).toEqual({ 'transform is no pose': 1 });
    expect(Number.isNaN(robot.body()[0])).toBe(true);
  });
});

describe('a shared board', () => {
  it('is read whole, and empty before the first write', () => {
    const board = new SharedBoard(3);
    const out = new Float64Array(3);
    expect(board.read(out)).toBe(0);
    board.write(Float64Array.of(1, 2, 3));
    const other = new SharedBoard(3, board.memory);
    expect(other.read(out)).toBe(1);
    expect([...out]).toEqual([1, 2, 3]);
  });

  it('gives up on a writer that died in the middle of a write', () => {
    const board = new SharedBoard(3);
    board.write(Float64Array.of(1, 2, 3));
    Atomics.add(new Int32Array(board.memory, 0, 1), 0, 1);
    expect(board.read(new Float64Array(3))).toBe(0);
  });
});
