import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { makeVlmChatScorer } from '#reward/backends/vlmChat';
import { valueOrderCorrelation } from '#reward/rankStatistics';
import type { Scorer, ScorerContext, Scores } from '#reward/score';
import { vlmChatSchema } from '#spec/scores/vlmChatSchema';
import { type ChatServer, chatServerMissing, startChatServer } from './chatServer/chatServer.js';
import { type FaultyProxy, startFaultyProxy } from './chatServer/faultyProxy.js';
import { blockAt, crossing } from './chatServer/pictures.js';

const skipped = chatServerMissing !== undefined;
const why = skipped ? ` (${chatServerMissing})` : '';
const instruction = 'move the block to the right';
const anchored: ScorerContext = { directory: '/', instruction, start: blockAt(0), goal: blockAt(1) };

describe.skipIf(skipped)(`progress by a real vision-language model${why}`, () => {
  let server: ChatServer;
  const open: (Scorer | FaultyProxy)[] = [];

  const scorer = async (settings: Record<string, unknown>, context: Partial<ScorerContext> = {}) => {
    const spec = vlmChatSchema.parse({
      endpoint: server.endpoint,
      model: 'tiny-vlm',
      retries: 0,
      ...settings,
    });
    const made = await makeVlmChatScorer(spec, { directory: '/', instruction, ...context });
    open.push(made);
    return made;
  };
  const proxied = async (
    ...[faults, refuses]: Parameters<typeof startFaultyProxy> extends [unknown, ...infer R] ? R : never
  ) => {
    const proxy = await startFaultyProxy(server.endpoint, faults, refuses);
    open.push(proxy);
    return proxy;
  };
  const request = { moments: crossing(12, 5), instruction };
  const refuseLogprobs = (body: Readonly<Record<string, unknown>>) =>
    'logprobs' in body ? { status: 400 } : undefined;

  beforeAll(async () => {
    server = await startChatServer();
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });
  afterAll(() => server.kill());

  it('rises along an episode: expectation of the digit', async () => {
    const [{ phi, confidence }] = (await (
      await scorer({ mode: 'expectation', votes: 3 })
    ).score([request])) as unknown as [Scores];
    expect(valueOrderCorrelation(phi)).toBeGreaterThan(0.6);
    for (const value of confidence) expect(value).toBeGreaterThan(0);
  });

  it('rises along an episode: probability of True', async () => {
    const [{ phi }] = (await (
      await scorer({ mode: 'probability', frames: 1 })
    ).score([request])) as unknown as [Scores];
    expect(valueOrderCorrelation(phi)).toBeGreaterThan(0.7);
  });

  it('scales log-probabilities by the calibration that is stated', async () => {
    const of = async (calibration: unknown) =>
      (await (await scorer({ mode: 'probability', frames: 2, calibration })).score([request]))[0]!.phi;
    const whole = await of('episode');
    expect(Math.min(...whole)).toBe(0);
    expect(Math.max(...whole)).toBe(1);
    const wide = await of([-500, 500]);
    for (const value of wide) expect(Math.abs(value - 0.5)).toBeLessThan(0.1);
  });

  it('gives every moment of hops a progress in [0, 1], the start 0', async () => {
    const made = await scorer({ mode: 'hops' }, anchored);
    expect(made.scope).toBe('episode');
    const [{ phi, confidence }] = (await made.score([
      { ...request, moments: crossing(4, 6) },
    ])) as unknown as [Scores];
    expect([...phi]).toHaveLength(5);
    expect(phi[0]).toBe(0);
    for (const value of phi) expect(value >= 0 && value <= 1).toBe(true);
    for (const value of confidence) expect(value > 0 && value <= 1).toBe(true);
  });

  it('gives every moment a percentage, in groups of shuffled pictures', async () => {
    const { endpoint, seen } = await proxied();
    const made = await scorer({ mode: 'percentages', frames: 5, votes: 2, endpoint });
    const [{ phi, latencyMs }] = (await made.score([request])) as unknown as [Scores];
    expect(phi).toHaveLength(13);
    for (const value of phi) expect(value >= 0 && value <= 1).toBe(true);
    expect(seen()).toBe(6); // 13 moments in 3 groups, twice
    expect(latencyMs).toBeGreaterThan(0);
  });

  it('looks at all views of a moment', async () => {
    const bodies: string[] = [];
    const { endpoint } = await proxied([], (body) => void bodies.push(JSON.stringify(body)));
    const [view] = blockAt(0.3, new Draws(1, 1)).views;
    const [wrist] = blockAt(0.6, new Draws(2, 1)).views;
    const moments = [{ views: [view!, { ...wrist!, camera: 'wrist' }] }];
    await (await scorer({ mode: 'expectation', endpoint })).score([{ moments, instruction }]);
    expect(bodies[0]!.match(/data:image\/png/g)).toHaveLength(2);
    expect(bodies[0]).toContain('camera wrist');
  });

  it('asks for JSON where the server tells no probabilities, and for prose where it knows no schemas', async () => {
    for (const refuses of [
      refuseLogprobs,
      (body: Readonly<Record<string, unknown>>) =>
        refuseLogprobs(body) ?? ('response_format' in body ? { status: 400 } : undefined),
    ]) {
      const { endpoint } = await proxied([], refuses);
      const [{ phi, confidence }] = (await (
        await scorer({ mode: 'expectation', endpoint })
      ).score([request])) as unknown as [Scores];
      for (const [t, value] of [...phi].entries()) {
        const readable = value >= 0 && value <= 1;
        expect(readable || Number.isNaN(value)).toBe(true);
        if (!readable) expect(confidence[t]).toBe(0);
      }
    }
  });

  it('holds what it cannot read for missing, never for 0', async () => {
    const prose = JSON.stringify({ choices: [{ message: { content: 'Well, who knows?' } }] });
    const { endpoint } = await proxied([], () => ({ status: 200, body: prose }));
    for (const mode of ['expectation', 'percentages', 'hops']) {
      const [{ phi, confidence }] = (await (
        await scorer({ mode, endpoint }, anchored)
      ).score([request])) as unknown as [Scores];
      const behindStart = mode === 'hops' ? 1 : 0;
      for (const value of phi.subarray(behindStart)) expect(value).toBeNaN();
      for (const value of confidence.subarray(behindStart)) expect(value).toBe(0);
    }
  });

  it('says so where probabilities are needed and the server tells none', async () => {
    const { endpoint } = await proxied([], refuseLogprobs);
    const made = await scorer({ mode: 'probability', endpoint });
    await expect(made.score([request])).rejects.toMatchObject({
      code: 'DATA',
      hint: expect.stringContaining('mode'),
    });
  });

  it('fails as a whole, and asks nothing more, when the server goes away', async () => {
    const { endpoint, seen } = await proxied([], () => ({ status: 500 }));
    const made = await scorer({ mode: 'expectation', endpoint, in_flight: 2 });
    await expect(made.score([request, request])).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(seen()).toBeLessThanOrEqual(4);
  });

  it('has hashes that follow the model, the question and the reference, not the address', async () => {
    const base = await scorer({ mode: 'expectation' });
    const same = await scorer({ mode: 'expectation', endpoint: 'http://other:1/v1', timeout: 5 });
    expect([same.model, same.prompt]).toEqual([base.model, base.prompt]);
    expect((await scorer({ mode: 'expectation', model: 'other' })).model).not.toBe(base.model);
    expect((await scorer({ mode: 'expectation', votes: 2 })).prompt).not.toBe(base.prompt);
    expect((await scorer({ mode: 'expectation' }, { instruction: 'other' })).prompt).not.toBe(base.prompt);
    expect((await scorer({ mode: 'expectation' }, anchored)).prompt).not.toBe(base.prompt);
  });
});
