import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CycloneNode } from '#transport/cycloneNode';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { commandQuality, type RobotTransport } from '#transport/robotTransport';
import { nodeName } from '#transport/rosNames';
import { joinCall, splitCall } from '#transport/serviceHeader';
import { cycloneMissing, isolate, patience, until } from './loopback.js';

/* What somebody who sends whatever they like can do to services and actions: nothing. */

const { domain } = isolate();
const setBool = 'std_srvs/srv/SetBool';
const follow = 'control_msgs/action/FollowJointTrajectory';
const request = standardCodec(`${setBool}_Request`);
const response = standardCodec(`${setBool}_Response`);

/** Bytes of all kinds: none, some, and some behind a header of CDR. */
const garbage = fc.sample(
  fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Uint8Array.of(0, 1, 0, 0, ...bytes)),
  ),
  { numRuns: 60, seed: 4 },
);

describe.skipIf(cycloneMissing)(`hostile peers${cycloneMissing ? ` (${cycloneMissing})` : ''}`, () => {
  let transport: RobotTransport;
  let hostile: CycloneNode;
  beforeEach(async () => {
    transport = await openTransport({ node: '/vernier', domain });
    hostile = new CycloneNode(nodeName('/hostile'), domain);
  });
  afterEach(async () => {
    hostile.close();
    await transport.close();
  });

  const flood = async (topic: string, type: string): Promise<void> => {
    const quality = { ...commandQuality, depth: 100 };
    const writer = hostile.addWriter({ topic, type, quality, userData: 'clientid=x;;=;' });
    await until('a match', () => hostile.matched(writer) > 0);
    for (const bytes of garbage) hostile.write(writer, bytes);
  };

  it('a service tells of requests that are none, and answers the next', async () => {
    const errors: { readonly code?: string }[] = [];
    transport.service(
      '/flip',
      setBool,
      (bytes) => response.encode({ success: request.decode(bytes)['data'] === true, message: '' }),
      (error) => errors.push(error as { readonly code?: string }),
    );
    const client = transport.client('/flip', setBool);
    await flood('rq/flipRequest', 'std_srvs::srv::dds_::SetBool_Request_');
    const answer = await client.call(request.encode({ data: true }), patience);
    expect(response.decode(answer)['success']).toBe(true);
    expect(errors.length).toBeGreaterThan(0);
    for (const { code } of errors) expect(['DATA', 'TIMEOUT']).toContain(code);
  });

  it('a client waits for its own answer', async () => {
    transport.service('/flip', setBool, async () => {
      await flood('rr/flipReply', 'std_srvs::srv::dds_::SetBool_Response_');
      return response.encode({ success: true, message: 'mine' });
    });
    const answer = await transport.client('/flip', setBool).call(request.encode({ data: true }), patience);
    expect(response.decode(answer)).toEqual({ success: true, message: 'mine' });
  });

  it('an action goes on among requests and feedback that are none', async () => {
    const goals = standardCodec(`${follow}_Goal`);
    const results = standardCodec(`${follow}_Result`);
    const feedbacks = standardCodec(`${follow}_Feedback`);
    const feedback = feedbacks.encode({ ...feedbacks.create(), joint_names: ['mine'] });
    const seen: unknown[] = [];
    transport.actionServer('/follow', follow, {
      accept: (goal) => goals.decode(goal) !== undefined,
      async execute(goal) {
        await flood(
          'rt/follow/_action/feedback',
          `control_msgs::action::dds_::FollowJointTrajectory_FeedbackMessage_`,
        );
        goal.feedback(feedback);
        return { status: 'succeeded', result: results.encode({ error_code: 0, error_string: 'done' }) };
      },
      onError: (error) => expect(['DATA', 'TIMEOUT']).toContain((error as { code?: string }).code),
    });
    for (const [service, type] of [
      ['send_goal', 'control_msgs::action::dds_::FollowJointTrajectory_SendGoal_Request_'],
      ['get_result', 'control_msgs::action::dds_::FollowJointTrajectory_GetResult_Request_'],
      ['cancel_goal', 'action_msgs::srv::dds_::CancelGoal_Request_'],
    ] as const)
      await flood(`rq/follow/_action/${service}Request`, type);
    const client = transport.actionClient('/follow', follow);
    const onFeedback = (bytes: Uint8Array): void => void seen.push(feedbacks.decode(bytes)['joint_names']);
    const goal = await client.send(goals.encode(goals.create()), { timeoutMs: patience, onFeedback });
    const { status, result } = await goal!.result(patience);
    expect([status, results.decode(result)['error_string']]).toEqual(['succeeded', 'done']);
    await until('the feedback', () => seen.length > 0);
    expect(seen).toEqual([['mine']]);
  });

  it('refuses what is no endpoint, message or number', () => {
    const options = { topic: 'rt/a', type: 't', quality: commandQuality, userData: '' };
    const writer = hostile.addWriter(options);
    const reader = hostile.addReader(options, () => {});
    const wrong: (() => unknown)[] = [
      () => hostile.write(reader, Uint8Array.of(0, 1, 0, 0)),
      () => hostile.write(99, Uint8Array.of(0, 1, 0, 0)),
      () => hostile.write(Number.NaN, Uint8Array.of(0, 1, 0, 0)),
      () => hostile.write(writer, 'text' as unknown as Uint8Array),
      () => hostile.write(writer, new Float64Array(2) as unknown as Uint8Array),
      () => hostile.matched(-1),
      () => hostile.deadlineMisses(writer),
      () => hostile.reaches(reader, 1 as unknown as bigint, writer),
    ];
    for (const call of wrong)
      expect(call).toThrow(expect.objectContaining({ code: expect.stringMatching(/USAGE|STATE/) }));
  });
});

describe('the identifier of a call', () => {
  it('stands before the message in either byte order', () => {
    for (const order of [0, 1]) {
      const body = Uint8Array.of(0, order, 0, 0, 7, 8, 9);
      const id = { client: 0x0102030405060708n, sequence: -2n };
      const message = joinCall(id, body);
      expect(message).toHaveLength(body.length + 16);
      const first = new DataView(message.buffer).getBigUint64(4, order === 1);
      expect(first).toBe(id.client);
      expect(splitCall(message)).toEqual({ id, body });
    }
  });

  it('is refused where bytes are missing', () => {
    expect(() => splitCall(new Uint8Array(19))).toThrow(expect.objectContaining({ code: 'DATA' }));
    expect(() => joinCall({ client: 1n, sequence: 1n }, new Uint8Array(3))).toThrow(
      expect.objectContaining({ code: 'DATA' }),
    );
  });
});
