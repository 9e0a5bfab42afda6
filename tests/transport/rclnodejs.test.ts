import { beforeEach, describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { openTransport, transportKind } from '#transport/openTransport';
import { loadRclnodejs, type Rclnodejs, rosMissing } from '#transport/rclnodejsModule';
import { RclnodejsTransport } from '#transport/rclnodejsTransport';
import { statusQuality } from '#transport/robotTransport';
import { transportContract } from './contract/contract.js';

const sourced = { ROS_DISTRO: 'jazzy', AMENT_PREFIX_PATH: '/opt/ros/jazzy' };
const skipped = rosMissing(process.env);

describe.skipIf(skipped)(`over rclnodejs${skipped ? ` (${skipped})` : ''}`, () => {
  transportContract((node) => openTransport({ node, kind: 'rclnodejs' }));
});

describe('whether rclnodejs is asked for', () => {
  it('goes by the environment that ROS 2 sets', () => {
    expect(transportKind({})).toBe('cyclone');
    expect(transportKind({ ROS_DISTRO: 'jazzy' })).toBe('cyclone');
    expect(transportKind({ ...sourced, AMENT_PREFIX_PATH: '' })).toBe('cyclone');
    expect(transportKind(sourced)).toBe('rclnodejs');
    expect(rosMissing({ ROS_DISTRO: 'jazzy' })).toContain('AMENT_PREFIX_PATH not set');
  });

  it('is refused in one line where no ROS 2 is sourced, without loading anything', async () => {
    await expect(loadRclnodejs({})).rejects.toMatchObject({
      code: 'BACKEND',
      message:
        'rclnodejs needs ROS 2: no ROS 2 environment is sourced (ROS_DISTRO and AMENT_PREFIX_PATH not set)',
      hint: expect.stringContaining('setup.bash'),
    });
  });

  it.skipIf(!skipped)('is refused in one line where the package is missing', async () => {
    await expect(loadRclnodejs(sourced)).rejects.toMatchObject({
      code: 'BACKEND',
      message: expect.stringMatching(/^rclnodejs does not load: [^\n]*rclnodejs/),
      hint: expect.stringContaining('npm install rclnodejs'),
    });
  });
});

/* What is asked of rclnodejs, seen by one that only writes down: names, types, qualities and messages. */
describe('what rclnodejs is asked', () => {
  const asked: unknown[] = [];
  const given: Record<string, (...args: never[]) => unknown> = {};
  let answer: () => Promise<object>;
  const note =
    (what: string) =>
    (...args: unknown[]) => {
      asked.push([what, ...args.filter((arg) => typeof arg !== 'function')]);
      for (const arg of args) if (typeof arg === 'function') given[what] = arg as never;
      return {
        publish: note('publish'),
        isServiceServerAvailable: () => true,
        sendRequestAsync: (request: object, { timeout }: { timeout: number }) => {
          asked.push(['request', request, timeout > 0]);
          return answer();
        },
      };
    };
  class FakeNode {
    constructor(name: string, namespace: string) {
      asked.push(['node', name, namespace]);
    }
    readonly spin = note('spin');
    readonly destroy = note('destroy');
    readonly createPublisher = note('publisher');
    readonly createSubscription = note('subscription');
    readonly createClient = note('client');
    readonly createService = note('service');
    readonly destroyPublisher = () => asked.push('publisher destroyed');
    readonly destroySubscription = () => {};
    readonly destroyClient = () => {};
    readonly destroyService = () => {};
  }
  const rcl = {
    Context: class {
      readonly domain: bigint;
      constructor(domain: bigint) {
        this.domain = domain;
      }
      shutdown(): void {
        asked.push('shutdown');
      }
    },
    NodeOptions: class {},
    Node: FakeNode,
    QoS: class {
      readonly policies: readonly number[];
      constructor(...policies: number[]) {
        this.policies = policies;
      }
    },
    ActionServer: class {
      constructor(
        _node: unknown,
        type: string,
        name: string,
        ...callbacks: ((...args: never[]) => unknown)[]
      ) {
        asked.push(['action', type, name]);
        Object.assign(given, { execute: callbacks[0], accept: callbacks[1], cancel: callbacks[3] });
      }
      destroy(): void {}
    },
    init: async ({ domain }: { domain: bigint }, argv: readonly string[]) => {
      asked.push(['init', domain, argv]);
    },
  } as unknown as Rclnodejs;

  beforeEach(() => {
    asked.length = 0;
  });

  it('opens the node in its domain and closes it once', async () => {
    const transport = await RclnodejsTransport.open(rcl, '/lab/vernier', 7);
    expect(transport.node).toBe('/lab/vernier');
    await transport.close();
    await transport.close();
    expect(asked).toEqual([
      ['init', 7n, []],
      ['node', 'vernier', '/lab'],
      ['spin', 10],
      ['destroy'],
      'shutdown',
    ]);
  });

  it('publishes bytes as they are', async () => {
    const transport = await RclnodejsTransport.open(rcl, '/vernier', 0);
    asked.length = 0;
    const publisher = transport.publisher('~/state', 'std_msgs/msg/Int64', { ...statusQuality, depth: 3 });
    publisher.write(Uint8Array.of(9, 0, 1, 0, 0, 9).subarray(1, 5));
    publisher.close();
    publisher.close();
    expect(asked).toEqual([
      ['publisher', 'std_msgs/msg/Int64', '/vernier/state', { qos: { policies: [1, 3, 1, 1] } }],
      ['publish', Buffer.from([0, 1, 0, 0])],
      'publisher destroyed',
    ]);
    expect(() => publisher.write(Uint8Array.of(0, 1, 0, 0))).toThrow(
      expect.objectContaining({ code: 'STATE' }),
    );
  });

  it('converts requests and answers, and tells timeouts', async () => {
    const type = 'std_srvs/srv/SetBool';
    const [requests, responses] = [standardCodec(`${type}_Request`), standardCodec(`${type}_Response`)];
    const transport = await RclnodejsTransport.open(rcl, '/vernier', 0);
    const client = transport.client('flip', type);
    answer = async () => ({ success: true, message: 'ü' });
    const bytes = await client.call(requests.encode({ data: true }), 500);
    expect(responses.decode(bytes)).toEqual({ success: true, message: 'ü' });
    expect(asked).toContainEqual(['request', { data: true }, true]);
    answer = () => Promise.reject(Object.assign(new Error('late'), { code: 'TIMEOUT' }));
    await expect(client.call(requests.encode({ data: true }), 500)).rejects.toMatchObject({
      code: 'TIMEOUT',
    });

    const sent: object[] = [];
    const errors: unknown[] = [];
    const mistake = new Error('no');
    transport.service(
      'flip',
      type,
      (request) => {
        if (requests.decode(request)['data'] === false) throw mistake;
        return responses.encode({ success: false, message: 'on' });
      },
      (error) => errors.push(error),
    );
    for (const data of [true, false])
      await given['service']!(
        { data } as never,
        { send: (response: object) => sent.push(response) } as never,
      );
    expect(sent).toEqual([{ success: false, message: 'on' }]);
    expect(errors).toEqual([mistake]);
  });

  it('ends goals as they ended', async () => {
    const type = 'control_msgs/action/FollowJointTrajectory';
    const [goals, results] = [standardCodec(`${type}_Goal`), standardCodec(`${type}_Result`)];
    const transport = await RclnodejsTransport.open(rcl, '/vernier', 0);
    let cancelled: AbortSignal | undefined;
    transport.actionServer('follow', type, {
      accept: (goal) => goals.decode(goal)['goal_time_tolerance'] !== undefined,
      execute: (goal) =>
        new Promise((resolve) => {
          cancelled = goal.cancelled;
          const result = results.encode({ error_code: -5, error_string: goal.id.slice(0, 4) });
          goal.cancelled.addEventListener('abort', () => resolve({ status: 'canceled', result }));
        }),
    });
    const ends: string[] = [];
    const handle = {
      goalId: { uuid: new Uint8Array(16).fill(0xab) },
      request: { toPlainObject: () => goals.create() },
      canceled: () => ends.push('canceled'),
      succeed: () => ends.push('succeeded'),
      abort: () => ends.push('aborted'),
    };
    expect(given['accept']!(goals.create() as never)).toBe(2);
    const result = given['execute']!(handle as never);
    expect(given['cancel']!(handle as never)).toBe(2);
    expect(await result).toEqual({ error_code: -5, error_string: 'abab' });
    expect(cancelled?.aborted).toBe(true);
    expect(ends).toEqual(['canceled']);
    expect(given['cancel']!(handle as never)).toBe(1);
  });
});
