import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VernierError } from '#core/errors';
import type { MakePolicy } from '#deploy/policyService';
import type { BasePolicy } from '#policy/policy';
import { RandomPolicy } from '#policy/simpleBases';
import type { MessageMap, MessageValue } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { encodeMessage } from '#transport/zeromq/msgpackWriter';
import { float32Array, NdArray } from '#transport/zeromq/ndarray';
import { PolicyClient } from '#transport/zeromq/policyClient';
import { newCurveKeys, RequestSocket, RouterSocket } from '#transport/zeromq/sockets';
import { closedAfterEach, failure } from './closing.js';
import {
  A,
  before,
  H,
  hasZeromq,
  identity,
  makeChunkPolicy,
  O,
  type Running,
  startServer,
} from './policyServers.js';

const keep = closedAfterEach();
const start = async (...given: Parameters<typeof startServer>): Promise<Running> =>
  keep(await startServer(...given));

const observations = (rows: number): Float32Array =>
  Float32Array.from({ length: rows * O }, (_, i) => Math.sin(i * 1.7));

/** The chunks that the policy decides here, without a server. */
async function decided(rows: number, observation = observations(rows)): Promise<Float32Array> {
  const policy = keep(await makeChunkPolicy(rows));
  await policy.act(observation, new Float32Array(rows * A));
  return (policy as BasePolicy).decided!;
}

const actions = (answer: MessageValue): NdArray => {
  const found = (answer as MessageMap)['actions'];
  if (!(found instanceof NdArray)) throw new Error('no actions');
  return found;
};
const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

describe.skipIf(!hasZeromq)('a policy server', () => {
  it.each(['groot', 'openpi'] as const)(
    'answers chunks with the bits of the policy, arrays as %s',
    async (arrays) => {
      const client = (await start(makeChunkPolicy)).client({ arrays });
      for (const rows of [1, 3, 70]) {
        const answer = await client.call('get_action', {
          observation: float32Array([rows, O], observations(rows)),
        });
        expect(actions(answer).shape).toEqual([rows, H, A]);
        expect(actions(answer).data).toEqual(await decided(rows));
      }
    },
  );

  it('reads the fields of an observation in the forms of GR00T', async () => {
    const client = (await start(makeChunkPolicy)).client();
    const whole = observations(2);
    const wanted = await decided(2);
    const field = (from: number, to: number, rows: readonly number[]): Float32Array =>
      Float32Array.from(rows.flatMap((row) => [...whole.subarray(row * O + from, row * O + to)]));
    const tip = (rows: readonly number[]) => field(0, 3, rows);
    const grip = (rows: readonly number[]) => field(3, 5, rows);

    const flat = await client.call('get_action', {
      'state.tip': float32Array([1, 3], tip([0])),
      'state.grip.width': new NdArray('<f8', [1, 2], Float64Array.from(grip([0]))),
      'video.front': new NdArray('|u1', [1, 4, 4, 3], new Uint8Array(48)),
      'annotation.human.task_description': ['put it there'],
    });
    expect(actions(flat).shape).toEqual([H, A]);
    expect(actions(flat).data).toEqual(wanted.subarray(0, H * A));

    const state = {
      tip: float32Array([2, 1, 3], tip([0, 1])),
      'grip.width': float32Array([2, 1, 2], grip([0, 1])),
    };
    const pair = (await client.call('get_action', {
      observation: { state },
      options: null,
    })) as MessageValue[];
    expect(actions(pair[0]!).shape).toEqual([2, H, A]);
    expect(actions(pair[0]!).data).toEqual(wanted);
    expect(pair[1]).toEqual({});
  });

  it('says what it serves', async () => {
    const client = (await start(makeChunkPolicy)).client();
    expect(await client.call('ping')).toEqual({ status: 'ok', message: 'Server is running' });
    expect(await client.call('metadata')).toEqual({ ...identity, chunk: H, execute: 3, stateful: false });
    expect(await client.call('get_modality_config')).toEqual({
      state: { delta_indices: [0], modality_keys: ['tip', 'grip.width'] },
      action: { delta_indices: [0, 1, 2, 3], modality_keys: ['actions'] },
    });
  });

  it('keeps a state for every client, through a new connection where the client names its session', async () => {
    const running = await start(async (B) => new RandomPolicy(B, O, A, 5));
    const alone = new RandomPolicy(1, O, A, 5);
    const next = (): number[] => {
      const out = new Float32Array(A);
      alone.act(observations(1), out);
      return [...out];
    };
    const wanted = [next(), next(), next()];
    const ask = async (client: PolicyClient): Promise<number[]> =>
      [
        ...actions(await client.call('get_action', { observation: float32Array([O], observations(1)) })).data,
      ].map(Number);
    const [one, two] = [running.client(), running.client()];
    expect(await ask(one)).toEqual(wanted[0]);
    expect(await ask(one)).toEqual(wanted[1]);
    expect(await ask(two)).toEqual(wanted[0]);
    expect(await ask(one)).toEqual(wanted[2]);
    expect(await ask(two)).toEqual(wanted[1]);

    const request = {
      endpoint: 'get_action',
      session: 'arm',
      data: { observation: float32Array([O], observations(1)) },
    };
    for (const expected of wanted) {
      const socket = await RequestSocket.connect(running.server.endpoint);
      const bytes = await socket.request(encodeMessage(request, 'groot'), 2000);
      socket.close();
      expect([...actions(decodeMessage(bytes!).value).data]).toEqual(expected);
    }
  });

  it('refuses what does not fit, and goes on', async () => {
    const running = await start(makeChunkPolicy);
    const client = running.client();
    const asked = async (data: MessageMap): Promise<string> =>
      (await failure(client.call('get_action', data))).message;
    const observation = (shape: number[]) => ({
      observation: float32Array(shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
    });
    expect(await asked(observation([4]))).toContain('expected [5] or [rows, 5], received [4]');
    expect(await asked(observation([0, 5]))).toContain('1 to 4096 rows, received 0');
    expect(await asked(observation([5000, 5]))).toContain('received 5000');
    expect(await asked({ observation: float32Array([5], new Float32Array(5).fill(NaN)) })).toContain(
      'number 0 is NaN',
    );
    expect(await asked({ 'state.tip': float32Array([1, 3], new Float32Array(3)) })).toContain(
      'no "grip.width"',
    );
    expect(await asked({ tpi: float32Array([3], new Float32Array(3)) })).toContain('was tpi meant?');
    expect(await asked({ tip: [1, 2, 3] })).toContain('tip: expected an array of numbers');
    expect(await asked({ tip: float32Array([2, 3], new Float32Array(6)) })).toContain('received [2, 3]');
    expect((await failure(client.call('kill'))).message).toContain('press Ctrl-C');
    expect((await failure(client.call('get_actoin'))).message).toContain('was get_action meant?');
    const socket = keep(await RequestSocket.connect(running.server.endpoint));
    const odd = await socket.request(encodeMessage({ endpoint: { a: 1 } }, 'groot'), 2000);
    expect(decodeMessage(odd!).value).toMatchObject({ error: '`endpoint` is no text' });
    expect(await client.call('ping')).toMatchObject({ status: 'ok' });
    expect(running.defects).toEqual([]);
  });

  it('answers hostile bytes with an error, whatever they are', async () => {
    const running = await start(makeChunkPolicy);
    const valid = encodeMessage(
      { endpoint: 'get_action', data: { observation: float32Array([O], observations(1)) } },
      'openpi',
    );
    const socket = keep(await RequestSocket.connect(running.server.endpoint));
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(edits, fc.option(fc.uint8Array({ maxLength: 100 })), async (changes, other) => {
        const bytes = other ?? valid.slice();
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const answer = decodeMessage((await socket.request(bytes, 2000))!).value;
        expect(answer).toBeTypeOf('object');
      }),
      { numRuns: 300 },
    );
    expect(running.defects).toEqual([]);
    expect(await running.client().call('ping')).toMatchObject({ status: 'ok' });
  });

  it('has an answer to whatever is asked', async () => {
    const running = await start(makeChunkPolicy);
    const socket = keep(await RequestSocket.connect(running.server.endpoint));
    const array = fc
      .array(fc.nat({ max: 3 }), { maxLength: 4 })
      .map((shape) => float32Array(shape, new Float32Array(shape.reduce((a, b) => a * b, 1))));
    const names = fc.constantFrom('observation', 'state', 'state.tip', 'tip', 'grip.width', 'x');
    const { value } = fc.letrec<{ value: MessageValue }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        ...[fc.constant(null), fc.boolean(), fc.double(), fc.string(), fc.uint8Array(), array],
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(names, tie('value'), { maxKeys: 5 }).map((map) => ({ ...map }) as MessageMap),
      ),
    }));
    const request = fc.record(
      {
        endpoint: fc.oneof(fc.constantFrom('get_action', 'reset', 'ping', 'metadata'), value),
        data: fc.oneof(
          fc.dictionary(names, value, { maxKeys: 5 }).map((map) => ({ ...map })),
          value,
        ),
        session: value,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(request, fc.constantFrom('groot', 'openpi'), async (asked, encoding) => {
        const answer = await socket.request(encodeMessage(asked as MessageMap, encoding as 'groot'), 2000);
        expect(decodeMessage(answer!).value).toBeTypeOf('object');
      }),
      { numRuns: 500 },
    );
    expect(running.defects).toEqual([]);
  });

  it('says busy when its queue is full, and answers what it took on', async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: MakePolicy = async (B) => {
      const policy = (await makeChunkPolicy(B)) as BasePolicy;
      const { kind, chunk, phase, state, decided } = policy;
      const gated: BasePolicy = {
        ...{ kind, B, O, A, chunk, phase, state, decided: decided! },
        reset: () => policy.reset(),
        act: (observation, out) => gate.then(() => policy.act(observation, out)),
        close: () => policy.close(),
      };
      return gated;
    };
    const running = await start(slow, { queue: 4 });
    const ask = (): Promise<string> =>
      running
        .client()
        .call('get_action', { observation: float32Array([O], observations(1)) })
        .then(
          () => 'answered',
          (error: VernierError) => (error.context['busy'] === true ? `busy, ${error.code}` : error.message),
        );
    const pending = Array.from({ length: 12 }, ask);
    while (running.server.counts.busy < 7) await pause(5);
    release();
    const outcomes = await Promise.all(pending);
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'busy, TIMEOUT')).toHaveLength(7);
  });

  it('does not work for a client that has given up', async () => {
    let asked = 0;
    const slow: MakePolicy = async (B) => ({
      B,
      O,
      A,
      reset: () => {},
      act: async () => {
        asked++;
        await pause(150);
      },
      close: () => {},
    });
    const running = await start(slow);
    const data = { observation: float32Array([O], observations(1)) };
    const patient = running.client().call('get_action', data);
    while (asked < 1) await pause(2);
    const hasty = failure(running.client().call('get_action', data, 50));
    expect((await hasty).code).toBe('TIMEOUT');
    await patient;
    await running.client().call('ping');
    expect(asked).toBe(1);
    expect(running.server.counts.expired).toBe(1);
  });

  it('refuses a port that is taken', async () => {
    const running = await start(makeChunkPolicy);
    const error = await failure(RouterSocket.bind(running.server.endpoint));
    expect(error.code).toBe('IO');
    expect(error.hint).toContain('--port');
  });

  it('with keys hears only who knows its public key', async () => {
    const [keys, own, wrong] = await Promise.all([newCurveKeys(), newCurveKeys(), newCurveKeys()]);
    const running = await start(makeChunkPolicy, { curve: { keys } });
    const ping = (curve?: { serverKey: string; keys: typeof own }, timeoutMs = 400) =>
      running.client({ ...(curve && { curve }), timeoutMs }).call('ping');
    expect(await ping({ serverKey: keys.publicKey, keys: own }, 30_000)).toMatchObject({ status: 'ok' });
    expect((await failure(ping({ serverKey: wrong.publicKey, keys: own }))).code).toBe('TIMEOUT');
    expect((await failure(ping())).code).toBe('TIMEOUT');
  });
});

describe.skipIf(!hasZeromq)('a policy server among strangers', () => {
  it('lets in the clients whose keys it was given, and no others', async () => {
    const [keys, known, unknown] = await Promise.all([newCurveKeys(), newCurveKeys(), newCurveKeys()]);
    const running = await start(makeChunkPolicy, { curve: { keys, clients: [known.publicKey] } });
    const ping = (own: typeof known, timeoutMs = 30_000) =>
      running.client({ curve: { serverKey: keys.publicKey, keys: own }, timeoutMs }).call('ping');
    expect(await ping(known)).toMatchObject({ status: 'ok' });
    expect((await failure(ping(unknown, 400))).code).toBe('TIMEOUT');
    expect(await ping(known)).toMatchObject({ status: 'ok' });
  });

  it.skipIf(!existsSync('/proc/self/fd'))(
    'leaves no descriptor or thread of a connection behind',
    async () => {
      const running = await start(makeChunkPolicy);
      const held = (): number => readdirSync('/proc/self/fd').length + readdirSync('/proc/self/task').length;
      const visit = async (): Promise<void> => {
        const client = new PolicyClient({ endpoint: running.server.endpoint, timeoutMs: 30_000 });
        await client.call('ping');
        client.close();
      };
      await visit();
      const before = held();
      for (let i = 0; i < 100; i++) await visit();
      await pause(200);
      expect(held() - before).toBeLessThan(20);
    },
  );

  it('survives bytes that are no ZeroMQ, connections that say nothing, and messages that are too large', async () => {
    const running = await start(makeChunkPolicy);
    const { hostname, port } = new URL(running.server.endpoint);
    const sockets = Array.from({ length: 20 }, (_, k) => {
      const socket = connect({ host: hostname, port: Number(port) }).on('error', () => {});
      if (k % 2 === 0) socket.write(Uint8Array.from({ length: 500 }, (_, i) => (i * k * 37) & 255));
      return keep({ close: () => socket.destroy() });
    });
    const large = keep(await RequestSocket.connect(running.server.endpoint));
    expect(await large.request(new Uint8Array(65 * 1024 * 1024), 500)).toBe(undefined);
    expect(await running.client().call('ping')).toMatchObject({ status: 'ok' });
    expect(sockets).toHaveLength(20);
    expect(running.defects).toEqual([]);
  });
});

describe.skipIf(!hasZeromq)('a policy client', () => {
  it('gives up at its deadline where nobody listens', async () => {
    const client = keep(new PolicyClient({ endpoint: 'tcp://127.0.0.1:9', timeoutMs: 200 }));
    const begun = performance.now();
    const error = await before(10_000, failure(client.call('ping')));
    expect(error.code).toBe('TIMEOUT');
    expect(error.message).toBe('tcp://127.0.0.1:9 did not answer ping within 200 ms');
    expect(performance.now() - begun).toBeGreaterThan(190);
  });

  it('finds a server that comes late or again, and never takes one answer for another', async () => {
    const first = await startServer(makeChunkPolicy);
    const { endpoint } = first.server;
    const client = keep(new PolicyClient({ endpoint, timeoutMs: 30_000 }));
    expect(await client.call('ping')).toMatchObject({ status: 'ok' });
    await first.close();
    expect((await failure(client.call('metadata', undefined, 300))).code).toBe('TIMEOUT');
    await start(makeChunkPolicy, { endpoint });
    expect(await client.call('ping')).toMatchObject({ status: 'ok' });
    expect(await client.call('metadata')).toMatchObject({ task: 'test' });
  });

  it('counts the wait for earlier calls, and lets no more than a few wait', async () => {
    const client = keep(new PolicyClient({ endpoint: 'tcp://127.0.0.1:9', timeoutMs: 200 }));
    const calls = Array.from({ length: 20 }, () => failure(client.call('ping')));
    const codes = (await before(10_000, Promise.all(calls))).map(({ code }) => code);
    expect(codes.filter((code) => code === 'TIMEOUT')).toHaveLength(16);
    expect(codes.filter((code) => code === 'STATE')).toHaveLength(4);
  });

  it('gives up its call when it is closed', async () => {
    const client = new PolicyClient({ endpoint: 'tcp://127.0.0.1:9', timeoutMs: 60_000 });
    const call = failure(client.call('ping'));
    await pause(50);
    client.close();
    expect((await call).code).toBe('STATE');
    expect((await failure(client.call('ping'))).message).toContain('closed');
  });

  it('refuses an endpoint that is none', async () => {
    const client = keep(new PolicyClient({ endpoint: 'http://127.0.0.1:80', timeoutMs: 200 }));
    expect((await failure(client.call('ping'))).code).toBe('SPEC');
  });

  it.each<[string, Uint8Array, string]>([
    ['no message', Uint8Array.of(0xc1), 'not a MessagePack message'],
    ['an error that is no text', encodeMessage({ error: { a: 1 } }, 'groot'), 'it does not say why'],
  ])('takes an answer of %s for an error', async (_, answer, message) => {
    const router = keep(await RouterSocket.bind('tcp://127.0.0.1:0'));
    void (async () => {
      for await (const request of router.requests()) await router.send(request, answer);
    })();
    const client = keep(new PolicyClient({ endpoint: router.endpoint, timeoutMs: 30_000 }));
    expect((await failure(client.call('ping'))).message).toContain(message);
  });
});
