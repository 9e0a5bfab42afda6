import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readMcap } from '#data/mcap';
import { loadTask } from '#spec/task';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import { openTransport } from '#transport/openTransport';
import { commandQuality, type RobotTransport } from '#transport/robotTransport';
import { ensureBuild } from '../../cli/cli.js';
import { cycloneMissing, isolate, patience, until } from '../../transport/loopback.js';
import { Witness } from '../witness.js';
import { type JointMessage, type KinematicOptions, KinematicRobot } from './kinematicRobot.js';
import { reachBundle } from './reachBundle.js';
import { type RobotChild, vernier } from './robotChild.js';

/* The robot process as a user starts it, over DDS, against an arm that is where its trajectory controller says. */

const { env } = isolate();
const TARGET = [0.45, 0.1, 0.3] as const;
/** Nobody gets there: an episode goes to its horizon. */
const FAR = [3, 0, 0.3] as const;

/** What the controller refused. A machine that is too busy may hand one on when it is over: that is right to refuse. */
const refusals = (arm: KinematicRobot) =>
  arm.refusals.filter((why) => !why.startsWith('the trajectory ended'));

describe.skipIf(cycloneMissing)('vernier ros2', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-ros2-'));
  const bundle = join(folder, 'reach.vrn');
  const children: RobotChild[] = [];
  const witness = new Witness();
  let transport: RobotTransport;
  let robot: KinematicRobot | undefined;

  beforeAll(async () => {
    ensureBuild();
    await reachBundle(bundle, [0.9, -0.9, 0.9]);
    transport = await openTransport({ node: '/kinematic_robot' });
  });
  afterEach(async () => {
    robot?.close();
    robot = undefined;
    for (const child of children.splice(0)) {
      child.process.kill('SIGKILL');
      await child.ended();
    }
  });
  afterAll(async () => {
    witness.close();
    await transport.close();
    rmSync(folder, { recursive: true });
  });

  const start = (...args: string[]): RobotChild => {
    const child = vernier(['ros2', bundle, '--robot', 'panda', ...args], env);
    children.push(child);
    return child;
  };
  const simulate = async (target: readonly [number, number, number], options: KinematicOptions = {}) => {
    robot = new KinematicRobot(transport, await loadTask('reach'), { target }, options);
    return robot;
  };
  const config = (yaml: string): string => {
    const file = join(folder, `deploy-${children.length}-${Date.now()}.yaml`);
    writeFileSync(file, yaml);
    return file;
  };
  const call = async (
    name: string,
    type: string,
    request: Message = {},
    timeoutMs = patience,
  ): Promise<Message> => {
    const client = transport.client(name, type);
    try {
      const bytes = standardCodec(`${type}_Request`).encode(request);
      return standardCodec(`${type}_Response`).decode(await client.call(bytes, timeoutMs));
    } finally {
      client.close();
    }
  };
  const trigger = (name: string) => call(name, 'std_srvs/srv/Trigger');
  const transition = (id: number) =>
    call('/vernier/change_state', 'lifecycle_msgs/srv/ChangeState', { transition: { id, label: '' } });
  const state = async (): Promise<string> => {
    const { current_state } = await call('/vernier/get_state', 'lifecycle_msgs/srv/GetState');
    return String((current_state as Message)['label']);
  };
  /** A node that waits for its orchestrator, once it answers: one that was killed before it still seems to be there. */
  const managed = async (): Promise<RobotChild> => {
    const child = start('--managed');
    for (let tries = 0; ; tries++) {
      try {
        await call('/vernier/get_state', 'lifecycle_msgs/srv/GetState', {}, 2000);
        return child;
      } catch (error) {
        if (tries > 60) throw error;
      }
    }
  };
  const setParameter = async (name: string, value: number): Promise<Message> => {
    const type = 'rcl_interfaces/srv/SetParameters';
    const parameter = standardCodec('rcl_interfaces/msg/ParameterValue').create();
    const { results } = await call('/vernier/set_parameters', type, {
      parameters: [{ name, value: { ...parameter, type: 3, double_value: value } }],
    });
    return (results as Message[])[0]!;
  };
  /** Starts an episode that does not end of itself, and waits until the arm moves fast. */
  const moving = async (options: KinematicOptions = {}, ...args: string[]) => {
    const arm = await simulate(FAR, options);
    const child = start(...args);
    await child.said('state: active');
    await until('the arm to move', () => arm.speed(60) > 0.2);
    return { arm, child };
  };
  /** The arm rests within so many seconds from now, and as much more as threads wake late meanwhile. */
  const restsWithin = async (seconds: number, arm: KinematicRobot): Promise<void> => {
    witness.begin();
    const time = await arm.rests();
    expect(time).toBeLessThan(seconds + witness.late);
  };

  it('reaches the target, says so, and records what came and went', async () => {
    const arm = await simulate(TARGET);
    const bag = join(folder, 'reach.mcap');
    const child = start('--json', '--record', bag);
    expect(await child.ended(), child.output()).toBe(0);
    expect(JSON.parse(child.output().trim().split('\n').at(-1)!)).toMatchObject({ success: true });
    expect(refusals(arm)).toEqual([]);
    expect(arm.taken).toBeGreaterThan(5);
    await arm.rests();
    const signals = readMcap(bag, (topic) => topic !== '/tf');
    expect(signals['joint_states.position.panda_joint4']!.time.length).toBeGreaterThan(20);
    expect(signals['panda_arm_controller.joint_trajectory.header.stamp.sec']!.time.length).toBe(
      arm.taken + arm.refusals.length,
    );

    // What was recorded, replayed: the same way to the same end, and nothing is sent.
    const taken = arm.taken;
    const replay = vernier(['ros2', bundle, '--dry-run', bag, '--json'], env);
    children.push(replay);
    expect(await replay.ended(), replay.output()).toBe(0);
    const ticks = replay
      .output()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    // The observation has the error in units of 0.2 m.
    const gaps = ticks.map(({ observation }) => Math.hypot(...observation.slice(3, 6)) / 5);
    expect(gaps[0]).toBeGreaterThan(0.1);
    expect(Math.min(...gaps)).toBeLessThan(0.02);
    expect(ticks[0]).toMatchObject({ episode: 1, step: 0, guards: {} });
    // The first ones leave the arm to its controller.
    expect(ticks[7].target).toHaveLength(7);
    expect(arm.taken).toBe(taken);
  });

  it('is a lifecycle node that waits for its orchestrator', async () => {
    await simulate(FAR);
    const child = await managed();
    expect(await state()).toBe('unconfigured');
    expect(await transition(3)).toEqual({ success: false }); // activate
    expect(await transition(1)).toEqual({ success: true });
    expect(await state()).toBe('inactive');
    expect(await transition(3)).toEqual({ success: true });
    expect(await state()).toBe('active');
    const { available_transitions: open } = await call(
      '/vernier/get_available_transitions',
      'lifecycle_msgs/srv/GetAvailableTransitions',
    );
    expect((open as Message[]).map((one) => (one['transition'] as Message)['label'])).toEqual([
      'deactivate',
      'shutdown',
    ]);
    expect(await transition(4)).toEqual({ success: true });
    await restsWithin(0.1, robot!);
    expect(await transition(2)).toEqual({ success: true });
    expect(await state()).toBe('unconfigured');
    child.process.kill('SIGTERM');
    expect(await child.ended(), child.output()).toBe(130);
  });

  it('refuses another robot, wrong names and silence, and says what is there', async () => {
    const other = vernier(['ros2', bundle, '--robot', 'ur5e'], env);
    children.push(other);
    expect(await other.ended()).toBe(2);
    expect(other.output()).toMatch(/made for another robot/);

    await simulate(TARGET);
    const names = config(
      'joint_states: {joint_names: [fr3_joint1, fr3_joint2, fr3_joint3, fr3_joint4, fr3_joint5, fr3_joint6, fr3_joint7]}\ninputs_timeout: 1\n',
    );
    const wrong = start('--config', names);
    expect(await wrong.ended()).toBe(3);
    expect(wrong.output()).toMatch(/\/joint_states has no fr3_joint1|no joint state on \/joint_states/);

    const silent = start('--config', config('inputs_timeout: 1\nbodies: {target: {topic: /nowhere}}\n'));
    expect(await silent.ended()).not.toBe(0);
    expect(silent.output()).toContain('no pose of target from /nowhere');
  });

  it('turns the residual up and down while it runs, and refuses bad values', async () => {
    const arm = await simulate(TARGET);
    const file = config('episode: {judge: false}\n');
    const child = start('--config', file);
    await child.said('state: active');
    expect(await setParameter('residual_scale', 1)).toEqual({ successful: true, reason: '' });
    const before = arm.taken;
    await until('steps with the residual', () => arm.taken > before + 10);
    // The residual pulls at 0.9 of full scale: far from the target, where the base alone would rest.
    const away = arm.path.at(-1)!.position.slice();
    expect(await setParameter('residual_scale', 1.5)).toMatchObject({ successful: false });
    expect(await setParameter('residual_scal', 1)).toMatchObject({
      successful: false,
      reason: 'there is no parameter residual_scal; did you mean residual_scale?',
    });
    expect(await setParameter('residual_scale', 0)).toMatchObject({ successful: true });
    await child.said('horizon');
    const back = arm.path.at(-1)!.position;
    expect(Math.hypot(...back.map((q, i) => q - away[i]!))).toBeGreaterThan(0.02);
    await restsWithin(0.2, arm);
  });

  it.each([
    [
      'the topic',
      async () => {
        const publisher = transport.publisher('/emergency_stop', 'std_msgs/msg/Bool', commandQuality);
        await until('the node to listen', () => publisher.matched() > 0);
        publisher.write(standardCodec('std_msgs/msg/Bool').encode({ data: true }));
        publisher.close();
      },
    ],
    ['the service', async () => void (await trigger('/vernier/emergency_stop'))],
  ])('stops at once by %s of the emergency stop, until it is reset', async (_, stop) => {
    const { arm } = await moving();
    await stop();
    await restsWithin(0.4, arm);
  });

  it('stays stopped until an operator resets it', async () => {
    const arm = await simulate(FAR);
    await managed();
    await transition(1);
    expect(await trigger('/vernier/emergency_stop')).toMatchObject({ success: true });
    expect(await transition(3)).toEqual({ success: false });
    expect(arm.taken).toBe(0);
    expect(await trigger('/vernier/reset_emergency_stop')).toMatchObject({ success: true });
    expect(await transition(3)).toEqual({ success: true });
    await until('the arm to move', () => arm.speed(60) > 0.2);
    await trigger('/vernier/emergency_stop');
    await restsWithin(0.4, arm);
    expect(await transition(3)).toEqual({ success: false });
  });

  it.each([
    ['SIGTERM', 130],
    ['SIGINT', 130],
    ['SIGKILL', null],
  ] as const)('leaves the arm at rest after %s', async (signal, code) => {
    const { arm, child } = await moving();
    child.process.kill(signal);
    await restsWithin(signal === 'SIGKILL' ? 0.7 : 1, arm);
    expect(await child.ended()).toBe(code);
    expect(refusals(arm)).toEqual([]);
  });

  it('stops while it is frozen', async () => {
    const { arm, child } = await moving();
    child.process.kill('SIGSTOP');
    await restsWithin(0.7, arm);
    child.process.kill('SIGCONT');
  });

  it.each<[string, (message: JointMessage, k: number) => JointMessage | undefined, string]>([
    ['that stop', () => undefined, 'stale'],
    [
      'with NaN',
      (message) => ({ ...message, position: message.position.map(() => Number.NaN) }),
      'observation_not_finite',
    ],
    [
      'that come again and again',
      (message) => ({ ...message, header: { stamp: { sec: 5, nanosec: 0 }, frame_id: '' } }),
      'stale',
    ],
    [
      'that lost a joint',
      (message) => ({ ...message, name: message.name.slice(1) }),
      'observation_incomplete',
    ],
  ])('comes to rest after joint states %s', async (_, spoil, reason) => {
    const { arm, child } = await moving();
    let k = 0;
    arm.spoil = (message) => spoil(message, k++);
    await restsWithin(0.9, arm);
    await child.said(reason);
    await child.said('state: inactive');
  });

  it('takes joint states in another order, at 1 kHz, some lost, some twice, some late', async () => {
    let k = 0;
    let held: JointMessage | undefined;
    const arm = await simulate(TARGET, {
      every: 1,
      spoil: (message) => {
        k++;
        const order = message.name.map((_, i) => (i + k) % message.name.length);
        const mixed: JointMessage = {
          ...message,
          name: order.map((i) => message.name[i]!),
          position: Float64Array.from(order, (i) => message.position[i]!),
          velocity: Float64Array.from(order, (i) => message.velocity[i]!),
        };
        if (k % 7 === 0) return undefined;
        if (k % 5 === 0) {
          const old = held;
          held = mixed;
          return old;
        }
        return mixed;
      },
    });
    const child = start();
    await child.said('success');
    expect(refusals(arm)).toEqual([]);
  });
});
