import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '#core/png';
import { makePairwiseScorer } from '#reward/backends/pairwise';
import { pairwiseSchema } from '#spec/scores/pairwiseSchema';
import { type ChatServer, chatServerMissing, startChatServer } from './chatServer/chatServer.js';
import { startFaultyProxy } from './chatServer/faultyProxy.js';
import { crossing } from './chatServer/pictures.js';

const skipped = chatServerMissing !== undefined;
const why = skipped ? ` (${chatServerMissing})` : '';
const instruction = 'move the block to the right';
const request = { moments: crossing(4, 3), instruction };

/** The answer of a server that says which letter it prefers. */
function letter(text: string): string {
  return JSON.stringify({ choices: [{ message: { content: text } }] });
}

describe.skipIf(skipped)(`preferences of a real vision-language model${why}`, () => {
  let server: ChatServer;
  beforeAll(async () => {
    server = await startChatServer();
  });
  afterAll(() => server.kill());

  const ranked = async (endpoint: string, settings: Record<string, unknown> = {}) => {
    const spec = pairwiseSchema.parse({ endpoint, model: 'tiny-vlm', retries: 0, ...settings });
    const scorer = await makePairwiseScorer(spec, { directory: '/', instruction });
    try {
      return (await scorer.score([request]))[0]!;
    } finally {
      await scorer.close();
    }
  };

  it.each([false, true])('rank the moments of an episode, description first: %s', async (describe) => {
    const { phi, confidence } = await ranked(server.endpoint, { describe });
    expect(phi).toHaveLength(5);
    for (const [i, value] of phi.entries()) {
      if (Number.isNaN(value)) expect(confidence[i]).toBe(0);
      else expect(value > 0 && value < 1 && confidence[i]! > 0).toBe(true);
    }
  });

  it('are dropped where the order of the pictures decides', async () => {
    const proxy = await startFaultyProxy(server.endpoint, [], () => ({ status: 200, body: letter('A') }));
    const { phi, confidence } = await ranked(proxy.endpoint);
    expect([...phi].every(Number.isNaN)).toBe(true);
    expect([...confidence]).toEqual([0, 0, 0, 0, 0]);
    await proxy.close();
  });

  it('order the moments as a judge does who has an order', async () => {
    const data = request.moments.map(({ views }) => Buffer.from(encodePng(views[0]!)).toString('base64'));
    const proxy = await startFaultyProxy(server.endpoint, [], (body) => {
      const [a, b] = JSON.stringify(body)
        .match(/(?<=base64,)[^"]+/g)!
        .map((url) => data.indexOf(url));
      return { status: 200, body: letter(a! > b! ? 'A' : 'B') };
    });
    const { phi, confidence } = await ranked(proxy.endpoint, { rounds: 10 });
    expect([...phi]).toEqual([...phi].sort());
    for (const value of confidence) expect(value).toBeGreaterThan(0.5);
    await proxy.close();
  });
});
