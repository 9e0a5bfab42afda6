import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { makeScorer } from '#reward/scorers';
import { BatchingScorer, type BreakerChange } from '#reward/service/batchingScorer';
import { ScoreCache } from '#reward/service/scoreCache';
import { vlmChatSchema } from '#spec/scores/vlmChatSchema';
import { chatServerMissing, startChatServer } from '../chatServer/chatServer.js';
import { blockAt } from '../chatServer/pictures.js';

/** One address for servers that come and go. */
class Address {
  #target: string | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((from) => {
    if (this.#target === undefined) {
      from.destroy();
      return;
    }
    const { hostname, port } = new URL(this.#target);
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        other.destroy();
        this.#sockets.delete(socket);
      });
    }
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Leads to `target` from now on; nowhere without one. */
  lead(target: string | undefined): void {
    this.#target = target;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const why = chatServerMissing ? ` (${chatServerMissing})` : '';

describe.skipIf(chatServerMissing)(`a real model whose server is killed${why}`, () => {
  it('is missing while it is gone, told once, and answers again when a server is back', async () => {
    const address = new Address();
    const settings = vlmChatSchema.parse({
      ...{ mode: 'expectation', endpoint: await address.open(), model: 'tiny-vlm', retries: 0 },
    });
    const scorer = await makeScorer({
      ...{ backend: { kind: 'vlm-chat', settings }, directory: '/', instruction: 'move the block' },
    });
    const changes: boolean[] = [];
    const cache = new ScoreCache(undefined, () => {});
    const batching = new BatchingScorer(
      scorer,
      cache,
      { batch: 2, deadlineMs: 1, breaker: { failures: 3, pauseMs: 200 } },
      ({ opened }: BreakerChange) => changes.push(opened),
    );
    const score = (x: number) => batching.score({ moments: [blockAt(x)], instruction: 'move the block' });
    let server = await startChatServer();
    address.lead(server.endpoint);
    try {
      const [known] = (await score(0.1)).phi;
      expect(known).toBeGreaterThanOrEqual(0);
      await server.kill();
      address.lead(undefined);
      for (const x of [0.2, 0.3, 0.4, 0.5, 0.6]) expect((await score(x)).phi[0]).toBeNaN();
      // What was known before still is.
      expect(await score(0.1)).toMatchObject({ hits: 1, unanswered: 0 });
      expect(changes).toEqual([true]);
      server = await startChatServer();
      address.lead(server.endpoint);
      let back = Number.NaN;
      for (let x = 0.2; Number.isNaN(back); x = x === 0.2 ? 0.3 : 0.2) {
        await new Promise((resume) => setTimeout(resume, 50));
        back = (await score(x)).phi[0]!;
      }
      expect(changes).toEqual([true, false]);
      expect(back).toBeGreaterThanOrEqual(0);
    } finally {
      await batching.close();
      await server.kill();
      address.close();
    }
  }, 120_000);
});
