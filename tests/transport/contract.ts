import { afterEach, describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import {
  type ActionHandlers,
  commandQuality,
  type GoalOutcome,
  type Quality,
  type RobotTransport,
  sensorQuality,
  statusQuality,
} from '#transport/robotTransport';
import { block, until } from './loopback.js';

/* What every implementation of RobotTransport does, between two nodes. */

const number = standardCodec('std_msgs/msg/Int64');
const numbered = (value: number): Uint8Array => number.encode({ data: BigInt(value) });
const readNumber = (bytes: Uint8Array): number => Number(number.decode(bytes)['data']);
const queue = (depth: number): Quality => ({ ...commandQuality, depth });

const setBool = 'std_srvs/srv/SetBool';
const request = standardCodec(`${setBool}_Request`);
const response = standardCodec(`${setBool}_Response`);
const on = request.encode({ data: true });

const follow = 'control_msgs/action/FollowJointTrajectory';
const goalCodec = standardCodec(`${follow}_Goal`);
const feedbackCodec = standardCodec(`${follow}_Feedback`);
const resultCodec = standardCodec(`${follow}_Result`);

export interface ContractOptions {
  open(node: string): Promise<RobotTransport>;
}

export function transportContract({ open }: ContractOptions): void {
  const opened: RobotTransport[] = [];
  const node = async (name: string): Promise<RobotTransport> => {
    const transport = await open(name);
    opened.push(transport);
    return transport;
  };
  const pair = async () => [await node('/alpha'), await node('/beta')] as const;
  afterEach(async () => {
    for (const transport of opened.splice(0)) await transport.close();
  });

  describe('topics', () => {
    it('delivers bytes as they were written, in order, with times', async () => {
      const [alpha, beta] = await pair();
      const seen: { value: number; sentAt: bigint; receivedAt: number }[] = [];
      const before = BigInt(Date.now()) * 1_000_000n;
      const publisher = alpha.publisher('/count', 'std_msgs/msg/Int64', queue(100));
      const subscriber = beta.subscriber('/count', 'std_msgs/msg/Int64', queue(100), ({ bytes, ...times }) =>
        seen.push({ value: readNumber(bytes), ...times }),
      );
      await until('a match', () => publisher.matched() === 1 && subscriber.matched() === 1);
      const start = performance.now();
      for (let i = 0; i < 100; i++) publisher.write(numbered(i));
      await until('100 messages', () => seen.length === 100);
      expect(seen.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, i) => i));
      for (const { sentAt, receivedAt } of seen) {
        expect(sentAt).toBeGreaterThan(before - 2_000_000n);
        expect(sentAt).toBeLessThan(BigInt(Date.now() + 2) * 1_000_000n);
        expect(receivedAt).toBeGreaterThan(start - 1);
        expect(receivedAt).toBeLessThan(performance.now() + 1);
      }
    });

    it('keeps only the newest at depth 1 while the thread is busy, and tells when it came', async () => {
      const [alpha, beta] = await pair();
      const seen: number[] = [];
      const ages: number[] = [];
      const publisher = alpha.publisher('/joint', 'std_msgs/msg/Int64', sensorQuality);
      beta.subscriber('/joint', 'std_msgs/msg/Int64', sensorQuality, ({ bytes, receivedAt }) => {
        seen.push(readNumber(bytes));
        ages.push(performance.now() - receivedAt);
      });
      await until('a match', () => publisher.matched() === 1);
      for (let i = 0; i < 50; i++) publisher.write(numbered(i));
      block(100);
      await until('the newest', () => seen.includes(49));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen).toEqual([49]);
      expect(ages[0]).toBeGreaterThan(50);
    });

    it('keeps `depth` messages, the newest', async () => {
      const [alpha, beta] = await pair();
      const seen: number[] = [];
      const publisher = alpha.publisher('/some', 'std_msgs/msg/Int64', queue(50));
      beta.subscriber('/some', 'std_msgs/msg/Int64', { ...sensorQuality, depth: 20 }, ({ bytes }) =>
        seen.push(readNumber(bytes)),
      );
      await until('a match', () => publisher.matched() === 1);
      for (let i = 0; i < 50; i++) publisher.write(numbered(i));
      block(100);
      await until('the newest', () => seen.includes(49));
      expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => 30 + i));
    });

    it('gives those who come late the last status, and nothing of what is volatile', async () => {
      const [alpha, beta] = await pair();
      const status = alpha.publisher('/status', 'std_msgs/msg/Int64', statusQuality);
      const command = alpha.publisher('/command', 'std_msgs/msg/Int64', commandQuality);
      for (let i = 0; i < 3; i++) {
        status.write(numbered(i));
        command.write(numbered(i));
      }
      const seen: string[] = [];
      const late = beta.subscriber('/command', 'std_msgs/msg/Int64', commandQuality, ({ bytes }) =>
        seen.push(`command ${readNumber(bytes)}`),
      );
      beta.subscriber('/status', 'std_msgs/msg/Int64', statusQuality, ({ bytes }) =>
        seen.push(`status ${readNumber(bytes)}`),
      );
      await until('the status', () => seen.length > 0 && late.matched() === 1);
      command.write(numbered(7));
      await until('the command', () => seen.length > 1);
      expect(seen.sort()).toEqual(['command 7', 'status 2']);
    });

    it('carries messages of megabytes', async () => {
      const [alpha, beta] = await pair();
      const image = standardCodec('sensor_msgs/msg/Image');
      const data = Uint8Array.from({ length: 3 * 1000 * 1000 }, (_, i) => (i * 7) % 251);
      const sent = image.encode({ ...image.create(), height: 1000, width: 1000, step: 3000, data });
      let seen: Uint8Array | undefined;
      const publisher = alpha.publisher('/image', 'sensor_msgs/msg/Image', commandQuality);
      beta.subscriber('/image', 'sensor_msgs/msg/Image', commandQuality, ({ bytes }) => {
        seen = bytes;
      });
      await until('a match', () => publisher.matched() === 1);
      publisher.write(sent);
      await until('the image', () => seen !== undefined);
      expect(Buffer.compare(seen!.subarray(0, sent.length), sent)).toBe(0);
    });

    it('counts deadlines that are missed', async (context) => {
      const [alpha, beta] = await pair();
      if (!alpha.capabilities.deadline) return context.skip('this middleware tells no deadlines');
      const each = { ...sensorQuality, deadlineMs: 50 };
      const publisher = alpha.publisher('/fast', 'std_msgs/msg/Int64', each);
      const subscriber = beta.subscriber('/fast', 'std_msgs/msg/Int64', each, () => {});
      await until('a match', () => publisher.matched() === 1 && subscriber.matched() === 1);
      publisher.write(numbered(1));
      await until('three misses', () => subscriber.deadlineMisses() >= 3);
      const lax = beta.subscriber('/fast', 'std_msgs/msg/Int64', sensorQuality, () => {});
      expect(lax.deadlineMisses()).toBe(0);
    });

    it('matches neither other types nor a reliable subscriber with a best-effort publisher', async () => {
      const [alpha, beta] = await pair();
      const publisher = alpha.publisher('/a', 'std_msgs/msg/Int64', sensorQuality);
      const typed = beta.subscriber('/a', 'std_msgs/msg/Float64', sensorQuality, () => {});
      const strict = beta.subscriber('/a', 'std_msgs/msg/Int64', commandQuality, () => {});
      const fit = beta.subscriber('/a', 'std_msgs/msg/Int64', sensorQuality, () => {});
      await until('a match', () => publisher.matched() === 1 && fit.matched() === 1);
      expect([typed.matched(), strict.matched()]).toEqual([0, 0]);
    });

    it('understands relative names and ~', async () => {
      const alpha = await node('/robots/alpha');
      const beta = await node('/robots/beta');
      const publishers = ['~/own', 'shared'].map((name) =>
        alpha.publisher(name, 'std_msgs/msg/Int64', commandQuality),
      );
      const subscribers = ['/robots/alpha/own', 'shared'].map((name) =>
        beta.subscriber(name, 'std_msgs/msg/Int64', commandQuality, () => {}),
      );
      expect(alpha.node).toBe('/robots/alpha');
      await until('matches', () => [...publishers, ...subscribers].every((end) => end.matched() === 1));
    });

    it.each(['', '/', '//a', '/a/', '/a b', '/1a', '/a-b', '/ü', `/${'a'.repeat(300)}`, '~a', '/a\0'])(
      'refuses the name %j',
      async (name) => {
        const alpha = await node('/alpha');
        expect(() => alpha.publisher(name, 'std_msgs/msg/Int64', commandQuality)).toThrow(
          expect.objectContaining({ code: 'DATA' }),
        );
      },
    );

    it.each(['', 'Int64', 'std_msgs/Int64', 'std_msgs/srv/Int64', 'std_msgs/msg/Int64/x', 'std_msgs/msg/'])(
      'refuses the type %j',
      async (type) => {
        const alpha = await node('/alpha');
        expect(() => alpha.subscriber('/a', type, commandQuality, () => {})).toThrow(
          expect.objectContaining({ code: 'DATA' }),
        );
      },
    );

    it.each([0, -1, 1.5, Number.NaN])('refuses the depth %d', async (depth) => {
      const alpha = await node('/alpha');
      expect(() => alpha.publisher('/a', 'std_msgs/msg/Int64', queue(depth))).toThrow(
        expect.objectContaining({ code: 'DATA' }),
      );
    });

    it('passes hostile bytes on or drops them, and goes on', async () => {
      const [alpha, beta] = await pair();
      const seen: Uint8Array[] = [];
      const publisher = alpha.publisher('/hostile', 'sensor_msgs/msg/JointState', queue(50));
      const codec = standardCodec('sensor_msgs/msg/JointState');
      beta.subscriber('/hostile', 'sensor_msgs/msg/JointState', queue(50), ({ bytes }) => seen.push(bytes));
      await until('a match', () => publisher.matched() === 1);
      const good = codec.encode({ ...codec.create(), name: ['a'], position: [1] });
      for (let i = 0; i < 20; i++) {
        const bad = Uint8Array.from({ length: i * 3 }, (_, k) => (k * 37 + i * 91) % 256);
        try {
          publisher.write(bad);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/BACKEND|DATA/) });
        }
      }
      publisher.write(good);
      await until('the good one', () => seen.some((bytes) => Buffer.from(bytes).includes(Buffer.from(good))));
      const readable = seen.filter((bytes) => {
        try {
          codec.decode(bytes);
          return true;
        } catch (error) {
          expect(error).toMatchObject({ code: 'DATA' });
          return false;
        }
      });
      expect(readable).toHaveLength(1);
    });

    it('delivers nothing after an endpoint was closed, not even what waits', async () => {
      const [alpha, beta] = await pair();
      const seen: number[] = [];
      const publisher = alpha.publisher('/count', 'std_msgs/msg/Int64', queue(10));
      const subscriber = beta.subscriber('/count', 'std_msgs/msg/Int64', queue(10), ({ bytes }) => {
        seen.push(readNumber(bytes));
        if (seen.length === 2) subscriber.close();
      });
      await until('a match', () => publisher.matched() === 1);
      for (let i = 0; i < 5; i++) publisher.write(numbered(i));
      await until('the subscriber to leave', () => publisher.matched() === 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen).toEqual([0, 1]);
      subscriber.close();
      publisher.close();
      publisher.close();
      expect(() => publisher.write(numbered(1))).toThrow(expect.objectContaining({ code: 'STATE' }));
    });
  });

  describe('services', () => {
    it('answers calls, each its own, also when several are under way', async () => {
      const [alpha, beta] = await pair();
      const waiting: (() => void)[] = [];
      alpha.service('/flip', setBool, (bytes) => {
        const { data } = request.decode(bytes);
        const answer = response.encode({ success: data === true, message: `${data} ✓` });
        return new Promise((resolve) => {
          waiting.push(() => resolve(answer));
          if (waiting.length === 4) for (const go of waiting.reverse()) go();
        });
      });
      const clients = [beta.client('/flip', setBool), beta.client('/flip', setBool)];
      const calls = clients.flatMap((client) =>
        [true, false].map((data) => client.call(request.encode({ data }), 5000)),
      );
      const answers = (await Promise.all(calls)).map((bytes) => response.decode(bytes));
      expect(answers.map(({ message }) => message)).toEqual(['true ✓', 'false ✓', 'true ✓', 'false ✓']);
      expect(clients[0]!.available()).toBe(true);
    });

    it('answers the first call of a client at once, however new it is', async () => {
      const alpha = await node('/alpha');
      alpha.service('/flip', setBool, () => response.encode({ success: true, message: '' }));
      for (let i = 0; i < 5; i++) {
        const beta = await node(`/beta_${i}`);
        const bytes = await beta.client('/flip', setBool).call(on, 5000);
        expect(response.decode(bytes)['success']).toBe(true);
        await beta.close();
      }
    });

    it('tells when no server is there, when one never answers, and when one throws', async () => {
      const [alpha, beta] = await pair();
      const errors: unknown[] = [];
      const mistake = new Error('no');
      const client = beta.client('/flip', setBool);
      expect(client.available()).toBe(false);
      await expect(client.call(on, 50)).rejects.toMatchObject({ code: 'TIMEOUT', message: /no server/ });

      const silent = alpha.service('/flip', setBool, () => new Promise(() => {}));
      await until('the server', () => client.available());
      await expect(client.call(on, 100)).rejects.toMatchObject({ code: 'TIMEOUT', message: /answer/ });
      silent.close();
      await until('the server to leave', () => !client.available());

      let isFine = false;
      const moody = (): Uint8Array => {
        if (isFine) return response.encode({ success: true, message: '' });
        throw mistake;
      };
      alpha.service('/flip', setBool, moody, (error) => errors.push(error));
      await until('the server', () => client.available());
      await expect(client.call(on, 200)).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(errors).toEqual([mistake]);
      isFine = true;
      expect(response.decode(await client.call(on, 5000))['success']).toBe(true);
    });

    it('rejects what is under way when it is closed', async () => {
      const [alpha, beta] = await pair();
      alpha.service('/flip', setBool, () => new Promise(() => {}));
      const client = beta.client('/flip', setBool);
      const lost = beta.client('/nowhere', setBool);
      await until('the server', () => client.available());
      const calls = [client.call(on, 5000), lost.call(on, 5000)];
      const settled = Promise.allSettled(calls);
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.close();
      client.close();
      await beta.close();
      for (const { reason } of (await settled) as PromiseRejectedResult[])
        expect(reason).toMatchObject({ code: 'STATE' });
      await expect(client.call(on, 100)).rejects.toMatchObject({ code: 'STATE' });
    });
  });

  describe('actions', () => {
    const goalOf = (...names: string[]): Uint8Array => {
      const goal = goalCodec.create() as { trajectory: object };
      return goalCodec.encode({
        ...goal,
        trajectory: { ...goal.trajectory, joint_names: names, points: [] },
      });
    };
    const namesOf = (goal: Uint8Array): readonly string[] =>
      (goalCodec.decode(goal) as unknown as { trajectory: { joint_names: string[] } }).trajectory.joint_names;
    const ends = (status: GoalOutcome['status'], error_string: string): GoalOutcome => ({
      status,
      result: resultCodec.encode({ error_code: status === 'succeeded' ? 0 : -4, error_string }),
    });
    const progress = (name: string): Uint8Array =>
      feedbackCodec.encode({ ...feedbackCodec.create(), joint_names: [name] });
    const textOf = (outcome: GoalOutcome): string =>
      `${outcome.status}: ${resultCodec.decode(outcome.result)['error_string']}`;
    const serve = async (handlers: ActionHandlers) => {
      const [alpha, beta] = await pair();
      const server = alpha.actionServer('/arm/follow', follow, handlers);
      const client = beta.actionClient('/arm/follow', follow);
      await until('the action', () => client.available());
      return { alpha, beta, server, client };
    };

    it('runs a goal with feedback to its result, told as often as it is asked', async () => {
      const seen: string[] = [];
      const { client } = await serve({
        accept: (goal) => namesOf(goal)[0] === 'j1',
        async execute({ goal, feedback }) {
          for (const name of ['a', 'b', 'c']) {
            feedback(progress(name));
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          return ends('succeeded', namesOf(goal).join());
        },
      });
      const goal = await client.send(goalOf('j1', 'j2'), {
        timeoutMs: 5000,
        onFeedback: (bytes) => seen.push(String(feedbackCodec.decode(bytes)['joint_names'])),
      });
      expect(goal!.id).toMatch(/^[0-9a-f]{32}$/);
      expect(textOf(await goal!.result(5000))).toBe('succeeded: j1,j2');
      expect(textOf(await goal!.result(5000))).toBe('succeeded: j1,j2');
      expect(seen).toEqual(['a', 'b', 'c']);
      expect(await goal!.cancel(5000)).toBe(false);
    });

    it('refuses what the server does not accept', async () => {
      const { client } = await serve({
        accept: () => false,
        execute: () => Promise.reject(new Error('a refused goal must not run')),
      });
      expect(await client.send(goalOf('j1'), { timeoutMs: 5000 })).toBeUndefined();
    });

    it('cancels one goal and leaves another alone', async () => {
      const { client } = await serve({
        accept: () => true,
        execute: ({ goal, cancelled }) =>
          new Promise((resolve) => {
            const name = namesOf(goal).join();
            cancelled.addEventListener('abort', () => resolve(ends('canceled', name)));
            if (name === 'quick') setTimeout(() => resolve(ends('succeeded', name)), 200);
          }),
      });
      const slow = await client.send(goalOf('slow'), { timeoutMs: 5000 });
      const quick = await client.send(goalOf('quick'), { timeoutMs: 5000 });
      await expect(slow!.result(50)).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(await slow!.cancel(5000)).toBe(true);
      expect(textOf(await slow!.result(5000))).toBe('canceled: slow');
      expect(textOf(await quick!.result(5000))).toBe('succeeded: quick');
    });

    it('aborts a goal whose execution throws, and tells who serves it', async () => {
      const errors: unknown[] = [];
      const mistake = new Error('jammed');
      const { client } = await serve({
        accept: () => true,
        execute: () => Promise.reject(mistake),
        onError: (error) => errors.push(error),
      });
      const goal = await client.send(goalOf('j1'), { timeoutMs: 5000 });
      expect(textOf(await goal!.result(5000))).toBe('aborted: ');
      expect(errors).toEqual([mistake]);
    });

    it('tells the status of its goals to everybody', async () => {
      const statuses = standardCodec('action_msgs/msg/GoalStatusArray');
      const seen: number[][] = [];
      const { beta, client } = await serve({
        accept: () => true,
        execute: async () => ends('succeeded', ''),
      });
      const type = 'action_msgs/msg/GoalStatusArray';
      beta.subscriber('/arm/follow/_action/status', type, statusQuality, ({ bytes }) => {
        const { status_list } = statuses.decode(bytes) as unknown as { status_list: { status: number }[] };
        seen.push(status_list.map(({ status }) => status));
      });
      await until('the status without goals', () => seen.length > 0);
      const goal = await client.send(goalOf('j1'), { timeoutMs: 5000 });
      await goal!.result(5000);
      await until('the last status', () => seen.at(-1)?.[0] === 4);
      expect(seen[0]).toEqual([]);
    });

    it('cancels what runs when the server closes', async () => {
      let isCancelled = false;
      const { client, server } = await serve({
        accept: () => true,
        execute: ({ cancelled }) =>
          new Promise(() => cancelled.addEventListener('abort', () => (isCancelled = true))),
      });
      const goal = await client.send(goalOf('j1'), { timeoutMs: 5000 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      server.close();
      server.close();
      expect(isCancelled).toBe(true);
      await expect(goal!.result(200)).rejects.toMatchObject({ code: 'TIMEOUT' });
    });
  });

  describe('closing', () => {
    it('is idempotent, in any order, from within a callback, and leaves the graph', async () => {
      const [alpha, beta] = await pair();
      const publisher = alpha.publisher('/count', 'std_msgs/msg/Int64', queue(10));
      const seen: number[] = [];
      const subscriber = beta.subscriber('/count', 'std_msgs/msg/Int64', queue(10), ({ bytes }) => {
        seen.push(readNumber(bytes));
        void beta.close();
      });
      await until('a match', () => publisher.matched() === 1);
      for (let i = 0; i < 3; i++) publisher.write(numbered(i));
      await until('the other to leave', () => publisher.matched() === 0);
      expect(seen).toEqual([0]);
      subscriber.close();
      await Promise.all([alpha.close(), alpha.close(), beta.close()]);
      publisher.close();
      expect(() => publisher.write(numbered(1))).toThrow(expect.objectContaining({ code: 'STATE' }));
      expect(() => alpha.publisher('/x', 'std_msgs/msg/Int64', queue(1))).toThrow(
        expect.objectContaining({ code: 'STATE' }),
      );
    });
  });
}
