import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatClient, type ChatClientOptions, type ChatQuestion } from '#reward/backends/chatClient';
import { chatEndpointSchema } from '#spec/scores/chatEndpointSchema';
import { type ChatServer, chatServerMissing, startChatServer } from './chatServer/chatServer.js';
import { type Fault, startFaultyProxy } from './chatServer/faultyProxy.js';
import { blockAt } from './chatServer/pictures.js';

const skipped = chatServerMissing !== undefined;
const why = skipped ? ` (${chatServerMissing})` : '';

const digit: ChatQuestion = {
  parts: [{ picture: blockAt(0.5).views[0]! }, { text: 'How far? Answer with one digit.' }],
  maxTokens: 1,
  temperature: 1,
  seed: 0,
  topTokens: 5,
};

describe.skipIf(skipped)(`chat completions from a real model${why}`, () => {
  let server: ChatServer;
  const closing: (() => Promise<void>)[] = [];

  const clientOf = (settings: Record<string, unknown> = {}, options: ChatClientOptions = {}) => {
    const spec = chatEndpointSchema.parse({ endpoint: server.endpoint, model: 'tiny-vlm', ...settings });
    return new ChatClient(spec, options);
  };
  const proxied = async (
    ...[faults, refuses]: Parameters<typeof startFaultyProxy> extends [unknown, ...infer R] ? R : never
  ) => {
    const proxy = await startFaultyProxy(server.endpoint, faults, refuses);
    closing.push(() => proxy.close());
    return proxy;
  };

  beforeAll(async () => {
    server = await startChatServer({ key: 'sesame' });
    process.env.VERNIER_TEST_KEY = 'sesame';
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await server.kill();
    delete process.env.VERNIER_TEST_KEY;
  });
  const key = { key_variable: 'VERNIER_TEST_KEY' };

  it('gives the likeliest tokens of an answer about a picture', async () => {
    const { text, tokens } = await clientOf(key).ask(digit);
    expect(tokens).toHaveLength(1);
    expect(tokens[0]).toHaveLength(5);
    const total = tokens[0]!.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
    expect(total).toBeGreaterThan(0.3);
    expect(total).toBeLessThanOrEqual(1 + 1e-6);
    expect(text).toMatch(/^.{1,5}$/s);
  });

  it('gives the same probabilities again for the same question', async () => {
    const client = clientOf(key);
    const [a, b] = [await client.ask(digit), await client.ask(digit)];
    for (const [i, { token, logprob }] of a.tokens[0]!.entries()) {
      expect(b.tokens[0]![i]!.token).toBe(token);
      expect(b.tokens[0]![i]!.logprob).toBeCloseTo(logprob, 4);
    }
  });

  it('gives JSON of a schema', async () => {
    const properties = {
      percentages: {
        type: 'array',
        items: { type: 'integer', minimum: 0, maximum: 100 },
        minItems: 3,
        maxItems: 3,
      },
    };
    const schema = { type: 'object', properties, required: ['percentages'], additionalProperties: false };
    const { text } = await clientOf(key).ask({
      parts: [{ text: 'Three numbers.' }],
      maxTokens: 200,
      temperature: 1,
      seed: 3,
      schema: { name: 'percentages', schema },
    });
    const { percentages } = JSON.parse(text) as { percentages: number[] };
    expect(percentages).toHaveLength(3);
    for (const value of percentages) expect(value).toBeGreaterThanOrEqual(0);
  });

  it('tries again after 429 and 500, as late as the server asks for', async () => {
    const faults: Fault[] = [{ status: 429, headers: { 'retry-after': '7' } }, { status: 500 }, 'drop'];
    const { endpoint, seen } = await proxied(faults);
    const pauses: number[] = [];
    const client = clientOf({ ...key, endpoint, retries: 3 }, { pause: async (ms) => void pauses.push(ms) });
    await client.ask(digit);
    expect(seen()).toBe(4);
    expect(pauses).toEqual([7000, 500, 1000]);
  });

  it('gives up after the last try, and says what the server said', async () => {
    const { endpoint, seen } = await proxied([], () => ({ status: 503, body: 'loading the model' }));
    const client = clientOf({ ...key, endpoint, retries: 2 }, { pause: async () => {} });
    await expect(client.ask(digit)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('loading the model'),
    });
    expect(seen()).toBe(3);
  });

  it('does not wait longer than its timeout', async () => {
    const { endpoint } = await proxied(['never answer']);
    const client = clientOf({ ...key, endpoint, retries: 0, timeout: 0.05 });
    await expect(client.ask(digit)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `${endpoint} did not answer in 0.05 s`,
    });
  });

  it('asks no more questions at a time than it may', async () => {
    const { endpoint, most } = await proxied();
    const client = clientOf({ ...key, endpoint, in_flight: 2 });
    await Promise.all(Array.from({ length: 7 }, () => client.ask(digit)));
    expect(most()).toBe(2);
  });

  it('gives up what is asked when it is closed or told to', async () => {
    const { endpoint } = await proxied(['never answer', 'never answer']);
    const client = clientOf({ ...key, endpoint, in_flight: 1 });
    const told = new AbortController();
    const [first, second, third] = [client.ask(digit, told.signal), client.ask(digit), client.ask(digit)];
    told.abort();
    await expect(first).rejects.toMatchObject({ code: 'STATE' });
    client.close();
    await expect(second).rejects.toMatchObject({ code: 'STATE' });
    await expect(third).rejects.toMatchObject({ code: 'STATE' });
  });

  it('says what to do without a key, with a wrong one, and about a model that is not there', async () => {
    expect(() => clientOf({ key_variable: 'VERNIER_NO_SUCH_KEY' })).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        hint: expect.stringContaining('export VERNIER_NO_SUCH_KEY='),
      }),
    );
    await expect(clientOf().ask(digit)).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('key_variable'),
    });
    const wrong = clientOf(key, { environment: { VERNIER_TEST_KEY: 'wrong' } });
    await expect(wrong.ask(digit)).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('VERNIER_TEST_KEY'),
    });
    await expect(clientOf({ ...key, model: 'large-vlm' }).ask(digit)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('no model "large-vlm"'),
      hint: expect.stringContaining('/models'),
    });
  });

  it('says so when the answer is none', async () => {
    for (const [body, what] of [
      ['<html>hello</html>', 'no JSON'],
      ['{"choices":[]}', 'no chat completion'],
    ] as const) {
      const { endpoint } = await proxied([{ status: 200, body }]);
      await expect(clientOf({ ...key, endpoint }).ask(digit)).rejects.toMatchObject({
        code: 'DATA',
        message: expect.stringContaining(what),
      });
    }
  });

  it('says so when nobody listens', async () => {
    const gone = await startFaultyProxy(server.endpoint);
    await gone.close();
    const client = clientOf({ ...key, endpoint: gone.endpoint, retries: 1 }, { pause: async () => {} });
    await expect(client.ask(digit)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/cannot be reached: .*ECONNREFUSED/),
    });
  });
});
