import { describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { commandQuality, sensorQuality, statusQuality } from '#transport/robotTransport';
import { block, until } from '../loopback.js';
import { type ContractNodes, numbered, queue, readNumber } from './nodes.js';

/** Enough for a thread of the middleware to take a few messages, whoever else wants the machine. */
const BUSY_MS = 500;

export function topicContract({ node, pair }: ContractNodes): void {
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
      if (!alpha.capabilities.arrivalTimes) return;
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
      block(BUSY_MS);
      await until('the newest', () => seen.includes(49));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen).toEqual([49]);
      if (beta.capabilities.arrivalTimes) expect(ages[0]).toBeGreaterThan(50);
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
      block(BUSY_MS);
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
      if (!alpha.capabilities.misfits) return;
      expect(strict.misfit()).toBe('reliability');
      expect(publisher.misfit()).toBe('reliability');
      expect([typed.misfit(), fit.misfit()]).toEqual([undefined, undefined]);
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
}
