import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimRobot } from '#deploy/sim/simRobot';
import { type EpisodeOutcome, SimWorld } from '#deploy/sim/simWorld';
import { systemClock } from '#deploy/sim/systemClock';
import { loadTask, type ResolvedTask } from '#spec/task';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import {
  type ActionClient,
  commandQuality,
  type Publisher,
  type RobotTransport,
  type ServiceClient,
  sensorQuality,
  statusQuality,
} from '#transport/robotTransport';
import { cycloneMissing, isolate, patience, until } from '../../transport/loopback.js';

isolate();

const FOLLOW = 'control_msgs/action/FollowJointTrajectory';
const GRIPPER = 'control_msgs/action/GripperCommand';
const follow = standardCodec(`${FOLLOW}_Goal`);
const followResult = standardCodec(`${FOLLOW}_Result`);
const followFeedback = standardCodec(`${FOLLOW}_Feedback`);
const gripper = standardCodec(`${GRIPPER}_Goal`);
const gripperResult = standardCodec(`${GRIPPER}_Result`);
const trajectory = standardCodec('trajectory_msgs/msg/JointTrajectory');
const flag = standardCodec('std_msgs/msg/Bool');

const zero = { sec: 0, nanosec: 0 };
const seconds = (time: number) => ({ sec: Math.floor(time), nanosec: Math.round((time % 1) * 1e9) });

/** Through `home + shift` at rest after `time`. */
function motion(task: ResolvedTask, shift: number, time: number, joints = task.robot.spec.ros.joint_names!) {
  const positions = task.robot.arm.home.map((q) => q + shift);
  const rest = positions.map(() => 0);
  return {
    header: { stamp: zero, frame_id: '' },
    joint_names: joints,
    points: [
      { positions, velocities: rest, accelerations: rest, effort: [], time_from_start: seconds(time) },
    ],
  };
}

function goalOf(message: ReturnType<typeof motion>) {
  return follow.encode({
    trajectory: message,
    multi_dof_trajectory: { header: message.header, joint_names: [], points: [] },
    path_tolerance: [],
    component_path_tolerance: [],
    goal_tolerance: [],
    component_goal_tolerance: [],
    goal_time_tolerance: zero,
  });
}

describe.skipIf(cycloneMissing)('a sim robot behind DDS', () => {
  let task: ResolvedTask;
  let world: SimWorld;
  let server: RobotTransport;
  let client: RobotTransport;
  let robot: SimRobot;
  let running: Promise<void>;
  const stop = new AbortController();
  const outcomes: EpisodeOutcome[] = [];
  const toldOutcomes: string[] = [];
  const joints = new Map<string, number>();
  const frames = new Map<string, readonly [number, number, number]>();
  let states = 0;
  let arm: ActionClient;
  let hand: ActionClient;
  let topic: Publisher;
  let emergency: Publisher;
  let reset: ServiceClient;
  const lines: string[] = [];

  beforeAll(async () => {
    task = await loadTask('lift', ['horizon=20']);
    server = await openTransport({ node: '/sim_robot' });
    client = await openTransport({ node: '/client' });
    world = await SimWorld.open({
      task,
      seed: 3,
      environment: 0,
      episode: 0,
      jointNames: task.robot.spec.ros.joint_names!,
      onOutcome: (outcome) => {
        outcomes.push(outcome);
        robot.tell(outcome);
      },
    });
    robot = new SimRobot({
      world,
      transport: server,
      clock: systemClock(),
      rate: 200,
      log: (line) => lines.push(line),
    });
    running = robot.run(stop.signal);
    const stateCodec = standardCodec('sensor_msgs/msg/JointState');
    client.subscriber('/joint_states', 'sensor_msgs/msg/JointState', sensorQuality, ({ bytes }) => {
      const { name, position } = stateCodec.decode(bytes) as unknown as {
        name: string[];
        position: number[];
      };
      name.forEach((joint, i) => {
        joints.set(joint, position[i]!);
      });
      states++;
    });
    const frameCodec = standardCodec('tf2_msgs/msg/TFMessage');
    client.subscriber('/tf', 'tf2_msgs/msg/TFMessage', sensorQuality, ({ bytes }) => {
      const { transforms } = frameCodec.decode(bytes) as unknown as {
        transforms: {
          header: { frame_id: string };
          child_frame_id: string;
          transform: { translation: { x: number; y: number; z: number } };
        }[];
      };
      for (const { header, child_frame_id, transform } of transforms) {
        const { x, y, z } = transform.translation;
        frames.set(`${header.frame_id} ${child_frame_id}`, [x, y, z]);
      }
    });
    const text = standardCodec('std_msgs/msg/String');
    client.subscriber('/sim_robot/outcome', 'std_msgs/msg/String', statusQuality, ({ bytes }) => {
      toldOutcomes.push(text.decode(bytes)['data'] as string);
    });
    arm = client.actionClient('/panda_arm_controller/follow_joint_trajectory', FOLLOW);
    hand = client.actionClient('/panda_gripper/gripper_action', GRIPPER);
    topic = client.publisher(
      '/panda_arm_controller/joint_trajectory',
      'trajectory_msgs/msg/JointTrajectory',
      commandQuality,
    );
    emergency = client.publisher('/emergency_stop', 'std_msgs/msg/Bool', commandQuality);
    reset = client.client('/sim_robot/reset', 'std_srvs/srv/Trigger');
    await until('the graph', () =>
      [
        arm.available(),
        hand.available(),
        reset.available(),
        topic.matched(),
        emergency.matched(),
        states,
      ].every(Boolean),
    );
  });

  afterAll(async () => {
    stop.abort();
    await running;
    await client.close();
    await server.close();
    world.close();
  });

  const callReset = async () => {
    const request = standardCodec('std_srvs/srv/Trigger_Request');
    const bytes = await reset.call(request.encode({}), patience);
    return JSON.parse(standardCodec('std_srvs/srv/Trigger_Response').decode(bytes)['message'] as string);
  };
  const send = async (goal: Uint8Array, onFeedback?: (feedback: Uint8Array) => void) => {
    const sent = await arm.send(goal, { timeoutMs: patience, ...(onFeedback ? { onFeedback } : {}) });
    return sent;
  };
  const home = (i: number) => task.robot.arm.home[i]!;

  it('tells its joints by their names on the wire, and where things are in the frame of its base', async () => {
    expect([...joints.keys()]).toEqual([
      ...task.robot.spec.ros.joint_names!,
      'panda_finger_joint1',
      'panda_finger_joint2',
    ]);
    // The task starts the arm near home, not at it.
    expect(joints.get('panda_joint4')).toBeCloseTo(world.controller.desired.position[3]!, 3);
    await until('frames', () => frames.size > 0);
    const cube = frames.get('panda_link0 cube')!;
    const at = 3 * task.names.body.indexOf('cube');
    const base = 3 * task.robot.base;
    for (let k = 0; k < 3; k++) {
      expect(cube[k]).toBeCloseTo(world.scene.position[at + k]! - world.scene.position[base + k]!, 3);
    }
  });

  it('follows a goal with feedback to success, and refuses one it cannot follow', async () => {
    let feedback = 0;
    const sent = await send(goalOf(motion(task, 0.1, 0.4)), (bytes) => {
      const { desired } = followFeedback.decode(bytes) as unknown as { desired: { positions: Float64Array } };
      expect(desired.positions.length).toBe(7);
      feedback++;
    });
    const { status, result } = await sent!.result(patience);
    expect([status, followResult.decode(result)['error_code']]).toEqual(['succeeded', 0]);
    expect(feedback).toBeGreaterThan(3);
    await until('the arm', () => Math.abs(joints.get('panda_joint1')! - home(0) - 0.1) < 0.02);
    expect(await send(goalOf(motion(task, 0, 1, ['nobody'])))).toBeUndefined();
    expect(lines.at(-1)).toContain("unknown joint 'nobody'");
  });

  it('cancels by holding, and a trajectory from the topic cancels a goal', async () => {
    const sent = await send(goalOf(motion(task, 0.4, 2)));
    expect(await sent!.cancel(patience)).toBe(true);
    expect((await sent!.result(patience)).status).toBe('canceled');
    expect(world.controller.busy).toBe(false);
    const other = await send(goalOf(motion(task, 0.4, 2)));
    topic.write(trajectory.encode(motion(task, 0, 0.3)));
    const { status, result } = await other!.result(patience);
    expect([status, followResult.decode(result)['error_string']]).toEqual([
      'canceled',
      'replaced by another trajectory',
    ]);
    await until('home', () => Math.abs(joints.get('panda_joint1')! - home(0)) < 0.01);
  });

  it('closes and opens its gripper', async () => {
    const move = async (position: number) => {
      const sent = await hand.send(gripper.encode({ command: { position, max_effort: 0 } }), {
        timeoutMs: patience,
      });
      const { status, result } = await sent!.result(patience);
      const { reached_goal } = gripperResult.decode(result) as unknown as { reached_goal: boolean };
      return [status, reached_goal, joints.get('panda_finger_joint1')!] as const;
    };
    const closed = await move(0.01);
    expect(closed.slice(0, 2)).toEqual(['succeeded', true]);
    expect(closed[2]).toBeCloseTo(0.01, 2);
    expect((await move(0.04)).slice(0, 2)).toEqual(['succeeded', true]);
  });

  it('stops for an emergency, refuses what comes until it is released', async () => {
    const sent = await send(goalOf(motion(task, 0.4, 3)));
    await until('motion', () => Math.abs(joints.get('panda_joint1')! - home(0)) > 0.01);
    emergency.write(flag.encode({ data: true }));
    expect((await sent!.result(patience)).status).toBe('aborted');
    expect(await send(goalOf(motion(task, 0, 1)))).toBeUndefined();
    const refused = robot.status.refused;
    topic.write(trajectory.encode(motion(task, 0, 0.1)));
    await until('a refusal', () => robot.status.refused > refused);
    const before = world.scene.qpos[0]!;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(Math.abs(world.scene.qpos[0]! - before)).toBeLessThan(0.02);
    emergency.write(flag.encode({ data: false }));
    await until('the release', () => !world.stopped);
    const again = await send(goalOf(motion(task, 0, 0.5)));
    expect((await again!.result(patience)).status).toBe('succeeded');
  });

  it('judges an episode from its first motion on, tells the outcome, and starts the next by a reset', async () => {
    const next = await callReset();
    expect(next).toMatchObject({ seed: 3, environment: 0, episode: 1 });
    outcomes.length = toldOutcomes.length = 0;
    const cube = world.scene.qpos.slice();
    const taken = robot.status.trajectories;
    const still = motion(task, 0, 0.1);
    still.points[0]!.positions = [...world.controller.desired.position];
    topic.write(trajectory.encode(still));
    await until('the trajectory', () => robot.status.trajectories > taken);
    expect(robot.status.phase).toBe('waiting');
    topic.write(trajectory.encode(motion(task, 0.05, 0.2)));
    await until('the end', () => outcomes.length === 1 && toldOutcomes.length === 1);
    expect(outcomes[0]).toEqual({
      seed: 3,
      environment: 0,
      episode: 1,
      success: false,
      reason: 'horizon',
      steps: 20,
      seconds: 20 * task.control.period,
    });
    expect(JSON.parse(toldOutcomes[0]!)).toEqual(outcomes[0]);
    await callReset();
    expect(world.scene.qpos.some((x, i) => Math.abs(x - cube[i]!) > 1e-3)).toBe(true);
    topic.write(trajectory.encode(motion(task, 0.05, 0.2)));
    await until('motion', () => robot.status.phase === 'running');
    await callReset();
    expect(outcomes.at(-1)).toMatchObject({ episode: 2, reason: 'reset', success: false });
  });
});
