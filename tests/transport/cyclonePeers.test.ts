import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { commandQuality, type RobotTransport, statusQuality } from '#transport/robotTransport';
import { cycloneMissing, isolate, patience, until } from './loopback.js';
import { compilePeers, peersMissing, startPeer } from './peers/compile.js';

/* The wire, held against programs in C that idlc wrote the types of. */

const { domain, env } = isolate();
const skipped = cycloneMissing ?? peersMissing;
const joints = standardCodec('sensor_msgs/msg/JointState');
const sources = [
  'publish_joints',
  'subscribe_joints',
  'call_service',
  'serve',
  'call_action',
  'serve_action',
  'discover',
] as const;
const queue = { ...commandQuality, depth: 50 };

describe.skipIf(skipped)(`against peers in C${skipped ? ` (${skipped})` : ''}`, () => {
  let folder: string;
  let programs: Record<(typeof sources)[number], string>;
  let transport: RobotTransport;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vernier-peers-'));
    const made = compilePeers(sources, folder);
    programs = Object.fromEntries(sources.map((source, i) => [source, made[i]])) as typeof programs;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => transport.close());

  const open = async (node = '/vernier'): Promise<void> => {
    transport = await openTransport({ node, domain });
  };

  it('reads joint states that C published', async () => {
    await open();
    const seen: unknown[] = [];
    transport.subscriber('/joint_states', 'sensor_msgs/msg/JointState', queue, ({ bytes }) =>
      seen.push(joints.decode(bytes)),
    );
    const { status, errors } = await startPeer(programs.publish_joints, ['20'], env).ended;
    expect({ status, errors }).toEqual({ status: 0, errors: '' });
    await until('20 joint states', () => seen.length === 20);
    expect(seen).toEqual(
      Array.from({ length: 20 }, (_, i) => ({
        header: { stamp: { sec: i, nanosec: 999_999_999 }, frame_id: 'base' },
        name: ['panda_joint1', 'joint_ü✓', ''],
        position: Float64Array.of(i, i + 0.1, i + 0.2),
        velocity: Float64Array.of(0 - i, 0 - i, 0 - i),
        effort: new Float64Array(0),
      })),
    );
  });

  it('publishes joint states that C reads', async () => {
    await open();
    const publisher = transport.publisher('/joint_states', 'sensor_msgs/msg/JointState', queue);
    const peer = startPeer(programs.subscribe_joints, ['3'], env);
    await until('a match', () => publisher.matched() === 1);
    for (let i = 0; i < 3; i++) {
      const header = { stamp: { sec: -i, nanosec: 7 }, frame_id: 'ärm' };
      const message = { header, name: ['a', 'ü'], position: [0.1 + i, 1e-300], velocity: [], effort: [-0] };
      publisher.write(joints.encode(message));
    }
    expect(await peer.ended).toEqual({
      status: 0,
      lines: [
        '0 7 ärm | a ü | 0.10000000000000001 1e-300 | | -0',
        '-1 7 ärm | a ü | 1.1000000000000001 1e-300 | | -0',
        '-2 7 ärm | a ü | 2.1000000000000001 1e-300 | | -0',
      ],
      errors: '',
    });
  });

  const flip = 'std_srvs/srv/SetBool';
  const request = standardCodec(`${flip}_Request`);
  const response = standardCodec(`${flip}_Response`);

  it('answers a client in C', async () => {
    await open();
    transport.service('/flip', flip, async (bytes) => {
      const { data } = request.decode(bytes);
      return response.encode({ success: !data, message: data ? 'war an' : 'war aus ✓' });
    });
    expect(await startPeer(programs.call_service, ['3'], env).ended).toEqual({
      status: 0,
      lines: ['1 0 war an', '2 1 war aus ✓', '3 0 war an'],
      errors: '',
    });
  });

  it('calls a server in C, and takes only answers to its own calls', async () => {
    await open();
    const client = transport.client('/flip', flip);
    const peer = startPeer(programs.serve, ['3'], env);
    const answers: unknown[] = [];
    for (const data of [true, false, true])
      answers.push(response.decode(await client.call(request.encode({ data }), patience)));
    expect(answers).toEqual([
      { success: false, message: 'was on' },
      { success: true, message: 'was off ✓' },
      { success: false, message: 'was on' },
    ]);
    expect(await peer.ended).toEqual({ status: 0, lines: [], errors: '' });
  });

  const gripper = 'control_msgs/action/GripperCommand';
  const goals = standardCodec(`${gripper}_Goal`);
  const results = standardCodec(`${gripper}_Result`);
  const feedbacks = standardCodec(`${gripper}_Feedback`);

  it('runs and cancels goals of a client in C', async () => {
    await open();
    const positionOf = (goal: Uint8Array): number =>
      (goals.decode(goal) as unknown as { command: { position: number } }).command.position;
    transport.actionServer('/gripper', gripper, {
      accept: (goal) => positionOf(goal) > 0,
      async execute({ goal, feedback, cancelled }) {
        const position = positionOf(goal);
        const result = { position, effort: 40, stalled: false, reached_goal: true };
        if (position === 0.08) {
          for (const part of [0.5, 1])
            feedback(
              feedbacks.encode({
                position: part * position,
                effort: 0,
                stalled: part < 1,
                reached_goal: part === 1,
              }),
            );
          return { status: 'succeeded', result: results.encode(result) };
        }
        if (!cancelled.aborted) await new Promise((resolve) => cancelled.addEventListener('abort', resolve));
        const stopped = { ...result, position: 0.03, stalled: true, reached_goal: false };
        return { status: 'canceled', result: results.encode(stopped) };
      },
    });
    expect(await startPeer(programs.call_action, [], env).ended).toEqual({
      status: 0,
      lines: [
        'goal 1 accepted 1 stamped 1',
        'feedback of 1 at 0.040 stalled 1 reached 0',
        'feedback of 1 at 0.080 stalled 0 reached 1',
        'result of 1 status 4 at 0.080 with 40.0 stalled 0 reached 1',
        'goal 2 accepted 1 stamped 1',
        'cancel 2 code 0 of 1: 2',
        'result of 2 status 5 at 0.030 with 40.0 stalled 1 reached 0',
        'cancel 2 code 3 of 0: -1',
        'result of 9 status 0 at 0.000 with 0.0 stalled 0 reached 0',
        'cancel 9 code 2 of 0: -1',
        'goal 3 accepted 0 stamped 1',
      ],
      errors: '',
    });
  });

  it('sends a goal to a server in C, hears its own feedback only, and cancels', async () => {
    await open();
    const client = transport.actionClient('/gripper', gripper);
    const peer = startPeer(programs.serve_action, [], env);
    await until('the server', () => client.available());
    const seen: unknown[] = [];
    const goal = await client.send(goals.encode({ command: { position: 0.05, max_effort: 12.5 } }), {
      timeoutMs: patience,
      onFeedback: (bytes) => seen.push(feedbacks.decode(bytes)),
    });
    await until('the feedback', () => seen.length === 2);
    expect(await goal!.cancel(patience)).toBe(true);
    const { status, result } = await goal!.result(patience);
    expect({ status, ...results.decode(result) }).toEqual({
      status: 'canceled',
      position: 0.02,
      effort: 1.5,
      stalled: true,
      reached_goal: false,
    });
    expect(seen).toEqual([
      { position: 0.01, effort: 1.5, stalled: false, reached_goal: false },
      { position: 0.02, effort: 1.5, stalled: true, reached_goal: false },
    ]);
    expect(await peer.ended).toEqual({
      status: 0,
      lines: ['goal to 0.050 with 12.5', 'cancel of the goal 1 stamp 0', 'result of the goal 1'],
      errors: '',
    });
  });

  it('shows its node, endpoints and type hashes to the graph', async () => {
    await open('/lab/vernier');
    transport.publisher('/joint_states', 'sensor_msgs/msg/JointState', queue);
    transport.publisher('/gone', 'sensor_msgs/msg/JointState', queue).close();
    transport.publisher('/unknown', 'my_msgs/msg/Own', queue);
    transport.subscriber('command', 'trajectory_msgs/msg/JointTrajectory', statusQuality, () => {});
    transport.service('~/flip', flip, () => response.encode({ success: true, message: '' }));
    const { status, lines, errors } = await startPeer(programs.discover, ['vernier', '2', '3'], env).ended;
    expect({ status, errors }).toEqual({ status: 0, errors: '' });
    const id = lines.join('\n').match(/serviceid=([0-9a-f]{32})/)?.[1];
    const hash = (type: string): string => `typehash=${standardCodec(type).typeHash};`;
    const service = `serviceid=${id};${hash(flip)}`;
    const joints = `rt/joint_states sensor_msgs::msg::dds_::JointState_ ${hash('sensor_msgs/msg/JointState')}`;
    const trajectory = 'trajectory_msgs/msg/JointTrajectory';
    expect(lines.map((line) => line.trim()).sort()).toEqual(
      [
        'node /lab vernier',
        'participant enclave=/;',
        `writer ${joints}`,
        'writer rt/unknown my_msgs::msg::dds_::Own_',
        `writer rr/lab/vernier/flipReply std_srvs::srv::dds_::SetBool_Response_ ${service}`,
        `reader rq/lab/vernier/flipRequest std_srvs::srv::dds_::SetBool_Request_ ${service}`,
        `reader rt/lab/command trajectory_msgs::msg::dds_::JointTrajectory_ ${hash(trajectory)}`,
      ].sort(),
    );
  });
});
