import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspectRemote } from '#policy/remoteInspection';
import type { RemoteModel } from '#policy/remoteModel';
import { RemotePolicy } from '#policy/remotePolicy';
import { writeCurveKeys } from '#transport/zeromq/curveKeys';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { encodeMessage } from '#transport/zeromq/msgpackWriter';
import { float32Array } from '#transport/zeromq/ndarray';
import { newCurveKeys, RouterSocket } from '#transport/zeromq/sockets';
import { closedAfterEach, failure } from '../deploy/closing.js';
import {
  A,
  before,
  hasZeromq,
  identity,
  makeChunkPolicy,
  O,
  type Running,
  startServer,
} from '../deploy/policyServers.js';
import { python, startPeer } from '../deploy/pythonPeers.js';

const keep = closedAfterEach();
const start = async (...given: Parameters<typeof startServer>): Promise<Running> =>
  keep(await startServer(...given));

const model = (endpoint: string, more: Partial<RemoteModel> = {}): RemoteModel => ({
  kind: 'remote',
  endpoint,
  protocol: 'vernier',
  encoding: 'groot',
  timeoutMs: 30_000,
  reconnectMs: 3000,
  text: {},
  actions: ['actions'],
  task: {
    controlPeriod: identity.control_period,
    observationFields: identity.observation,
    actionNames: identity.actions,
  },
  served: undefined,
  ...more,
});
const connect = async (B: number, asked: RemoteModel): Promise<RemotePolicy> =>
  keep(new RemotePolicy({ ...asked, served: await inspectRemote(asked) }, { B, O, A }));

const observation = (t: number, B: number): Float32Array =>
  Float32Array.from({ length: B * O }, (_, i) => Math.sin(t + i * 0.9));

/** A server in this process that answers as it is told to. */
async function fakeServer(answer: (endpoint: string, data: MessageMap) => MessageValue): Promise<string> {
  const router = keep(await RouterSocket.bind('tcp://127.0.0.1:0'));
  void (async () => {
    for await (const request of router.requests()) {
      const { endpoint, data } = decodeMessage(request.payload).value as MessageMap;
      await router.send(
        request,
        encodeMessage(answer(String(endpoint), (data ?? {}) as MessageMap), 'groot'),
      );
    }
  })();
  return router.endpoint;
}

describe.skipIf(!hasZeromq)('a remote base', () => {
  it.each(['groot', 'openpi'] as const)(
    'acts with the bits of the same base here, arrays as %s',
    async (encoding) => {
      const { server } = await start(makeChunkPolicy);
      const B = 6;
      const remote = await connect(B, model(server.endpoint, { encoding }));
      const here = keep(await makeChunkPolicy(B)) as unknown as RemotePolicy;
      expect([remote.chunk, remote.execute]).toEqual([here.chunk, here.execute]);
      const [a, b] = [new Float32Array(B * A), new Float32Array(B * A)];
      for (let t = 0; t < 20; t++) {
        // Rows end episodes at different times, and some are not asked.
        const mask = t % 4 === 3 ? Uint8Array.from({ length: B }, (_, row) => (row + t) % 2) : undefined;
        if (t % 5 === 4) {
          const ended = Uint8Array.from({ length: B }, (_, row) => ((row * t) % 3 === 0 ? 1 : 0));
          remote.reset(ended);
          here.reset(ended);
        }
        await remote.act(observation(t, B), a, mask);
        await here.act(observation(t, B), b, mask);
        expect(a).toEqual(b);
        expect(remote.phase).toEqual(here.phase);
        expect(remote.state.used).toEqual(here.state.used);
      }
    },
  );

  it('is spoken to with keys out of files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vernier-keys-'));
    keep({ close: () => rmSync(folder, { recursive: true }) });
    const [keys, own] = [await newCurveKeys(), await newCurveKeys()];
    const [serverKey] = writeCurveKeys(join(folder, 'server'), keys).files;
    const [, clientKeys] = writeCurveKeys(join(folder, 'client'), own).files;
    const { server } = await start(makeChunkPolicy, { curve: { keys, clients: [own.publicKey] } });
    const secure = model(server.endpoint, { serverKey: serverKey!, clientKeys: clientKeys! });
    const remote = await connect(1, secure);
    await remote.act(observation(0, 1), new Float32Array(A));
    const { clientKeys: _, ...stranger } = secure;
    expect((await failure(inspectRemote({ ...stranger, timeoutMs: 300, reconnectMs: 500 }))).code).toBe(
      'TIMEOUT',
    );
    const swapped = failure(inspectRemote({ ...secure, clientKeys: serverKey! }));
    expect((await swapped).message).toContain('server.key: no secret-key of 40 characters');
  });

  it('sends the rows that need a chunk, and no others', async () => {
    const sizes: number[] = [];
    const endpoint = await fakeServer((name, data) => {
      if (name === 'metadata') return { ...identity, chunk: 2, execute: 2, stateful: false };
      const { shape } = data['observation'] as { shape: number[] };
      sizes.push(shape[0]!);
      return {
        actions: float32Array([shape[0]!, 2, A], new Float32Array(shape[0]! * 2 * A)),
        policy: identity.fingerprint,
      };
    });
    const remote = await connect(3, model(endpoint));
    const out = new Float32Array(3 * A);
    await remote.act(observation(0, 3), out);
    remote.reset(Uint8Array.of(0, 1, 0));
    await remote.act(observation(1, 3), out);
    await remote.act(observation(2, 3), out);
    expect(sizes).toEqual([3, 1, 2]);
  });

  it('executes fewer actions of a chunk where it is told to, and never more than there are', async () => {
    const { server } = await start(makeChunkPolicy);
    expect((await connect(1, model(server.endpoint, { execute: 2 }))).execute).toBe(2);
    expect((await failure(inspectRemote(model(server.endpoint, { execute: 9 })))).message).toContain(
      "base.execute is 9, the server's chunks have 4 actions",
    );
  });

  it('refuses a server of another task, of a state, or of no kind', async () => {
    const { server } = await start(makeChunkPolicy);
    const { task } = model('');
    const with_ = (more: Partial<typeof task>) =>
      failure(inspectRemote(model(server.endpoint, { task: { ...task, ...more } })));
    expect((await with_({ actionNames: ['x', 'y', 'w'] })).message).toMatch(
      /another actions: it has .*"z".*the task .*"w"/,
    );
    expect((await with_({ controlPeriod: 0.1 })).message).toContain(
      'another control period: it has 0.05, the task 0.1',
    );
    expect((await with_({ observationFields: [{ name: 'tip', length: 5, unit: 'm' }] })).message).toContain(
      'another observation',
    );
    const stateful = await fakeServer(() => ({ ...identity, chunk: 1, execute: 1, stateful: true }));
    expect((await failure(inspectRemote(model(stateful)))).hint).toContain('--policy base');
    const other = await fakeServer(() => ({ error: 'Unknown endpoint: metadata' }));
    expect((await failure(inspectRemote(model(other)))).message).toContain('Unknown endpoint: metadata');
    const none = await fakeServer(() => 7);
    expect((await failure(inspectRemote(model(none)))).message).toContain('not a server of vernier serve');
  });

  it.each<[string, MessageValue, RegExp, string]>([
    ['no map', 3, /answered no map/, 'DATA'],
    ['other keys', { action: 1 }, /no array "actions", but policy, action/, 'DATA'],
    ['other rows', { actions: float32Array([2, 4, 3], new Float32Array(24)) }, /\[2, 4, 3\]/, 'DATA'],
    [
      'other widths',
      { actions: float32Array([1, 4, 2], new Float32Array(8)) },
      /\[1, 4, 2\] for 1 rows/,
      'DATA',
    ],
    [
      'other chunks',
      { actions: float32Array([1, 3, 3], new Float32Array(9)) },
      /chunks of 3 actions, they had 4/,
      'DATA',
    ],
    ['NaN', { actions: float32Array([1, 4, 3], new Float32Array(12).fill(NaN)) }, /NaN/, 'NUMERIC'],
    [
      'another policy',
      { actions: float32Array([1, 4, 3], new Float32Array(12)), policy: 'f' },
      /another policy is served/,
      'DATA',
    ],
  ])('refuses an answer of %s', async (_, answer, message, code) => {
    const endpoint = await fakeServer((name) => {
      if (name === 'metadata') return { ...identity, chunk: 4, execute: 4, stateful: false };
      return isMap(answer) ? { policy: identity.fingerprint, ...answer } : answer;
    });
    const remote = await connect(1, model(endpoint));
    const error = await failure(Promise.resolve(remote.act(observation(0, 1), new Float32Array(A))));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('clips what lies outside the task', async () => {
    const endpoint = await fakeServer((name) =>
      name === 'metadata'
        ? { ...identity, chunk: 1, execute: 1, stateful: false }
        : {
            policy: identity.fingerprint,
            actions: float32Array([1, 1, 3], Float32Array.of(-4, 0.5, Infinity)),
          },
    );
    const out = new Float32Array(A);
    await (await connect(1, model(endpoint))).act(observation(0, 1), out);
    expect([...out]).toEqual([-1, 0.5, 1]);
  });

  it('asks again while a server is busy', async () => {
    let calls = 0;
    const endpoint = await fakeServer((name) => {
      if (name === 'metadata') return { ...identity, chunk: 1, execute: 1, stateful: false };
      if (++calls < 4) return { error: 'busy', code: 'BUSY' };
      return {
        policy: identity.fingerprint,
        actions: float32Array([1, 1, 3], new Float32Array(3).fill(0.25)),
      };
    });
    const out = new Float32Array(A);
    await (await connect(1, model(endpoint))).act(observation(0, 1), out);
    expect([...out]).toEqual([0.25, 0.25, 0.25]);
  });

  it('says once that the server is gone, when its patience ends', async () => {
    const running = await startServer(makeChunkPolicy);
    const patient = model(running.server.endpoint);
    const asked = { ...patient, timeoutMs: 200, reconnectMs: 700, served: await inspectRemote(patient) };
    const remote = keep(new RemotePolicy(asked, { B: 1, O, A }));
    await running.close();
    const answer = Promise.resolve(remote.act(observation(0, 1), new Float32Array(A)));
    const error = await before(10_000, failure(answer));
    expect(error.code).toBe('TIMEOUT');
    expect(error.message).toMatch(
      /the remote base tcp:\S+ did not answer get_action: asked [2-6] times in \d\.\d s/,
    );
    expect(error.hint).toContain('goes on from its last checkpoint');
  });
});

const groot = (endpoint: string, version: 'n1.5' | 'n1.6'): RemoteModel => {
  const prefix = version === 'n1.5';
  return model(endpoint, {
    protocol: `groot-${version}`,
    inputs: [
      { name: prefix ? 'state.tip' : 'tip', columns: [0, 1, 2] },
      { name: prefix ? 'state.grip' : 'grip', columns: [3, 4] },
    ],
    text: { [prefix ? 'annotation.task' : 'task']: 'put it there' },
    actions: prefix ? ['action.arm', 'action.grip'] : ['arm', 'grip'],
  });
};

describe.skipIf(!hasZeromq)('a server of GR00T', () => {
  it('that asks for images is refused, as is one that asks for what is not sent', async () => {
    const asking = (config: MessageMap) => fakeServer(() => config);
    const video = await asking({ video: { modality_keys: ['video.ego_view'], delta_indices: [0] } });
    const error = await failure(inspectRemote(groot(video, 'n1.5')));
    expect(error.message).toContain('the server asks for images (video.ego_view), the task has none');
    const state = await asking({ state: { modality_keys: ['tip', 'arm'] } });
    expect((await failure(inspectRemote(groot(state, 'n1.6')))).message).toContain(
      'asks for arm (state), which is not sent',
    );
  });

  describe.skipIf(python === undefined).each(['n1.5', 'n1.6'] as const)('%s, in Python', (version) => {
    it('is a base', async () => {
      const { child, endpoint } = await startPeer('groot_server.py', [version]);
      keep({ close: () => child.kill('SIGKILL') });
      const remote = await connect(3, groot(endpoint, version));
      expect(remote.chunk).toBe(4);
      const now = observation(0, 3);
      const out = new Float32Array(3 * A);
      for (let t = 0; t < 4; t++) {
        await remote.act(now, out);
        const wanted = [0, 1, 2].flatMap((row) => {
          const [x, y, , grip] = now.subarray(row * O, (row + 1) * O);
          return [x! * ((t + 1) / 8), y! * ((t + 1) / 8), Math.max(-1, grip! - t / 8)];
        });
        for (const [i, value] of wanted.entries()) expect(out[i]).toBeCloseTo(value, 6);
      }
    });

    it('with images is refused', async () => {
      const { child, endpoint } = await startPeer('groot_server.py', [version, 'video']);
      keep({ close: () => child.kill('SIGKILL') });
      expect((await failure(inspectRemote(groot(endpoint, version)))).message).toMatch(
        /images \((video\.)?ego_view\)/,
      );
    });
  });
});
