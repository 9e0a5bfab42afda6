import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Request } from 'zeromq';
import type { MessageMap } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { type ArrayEncoding, encodeMessage } from '#transport/zeromq/msgpackWriter';
import { float32Array, NdArray } from '#transport/zeromq/ndarray';
import { PolicyClient } from '#transport/zeromq/policyClient';
import { benchPolicy } from './benchPolicy.js';
import { best } from './best.js';
import { type Latency, latency } from './latency.js';

/* Round trips of get_action between two processes on this machine, in turns with bare ZeroMQ (REQ and REP, the same
 * number of bytes either way, nothing read or made of them).
 *   node --conditions=vernier-src --import ./tests/tools/typescript.mjs bench/deploy/policy.ts */

export interface PolicyCase {
  readonly name: string;
  readonly encoding: ArrayEncoding;
  readonly data: MessageMap;
}

export interface PolicyFigures {
  readonly name: string;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly roundTrips: number;
  readonly floor: Latency;
  readonly server: Latency;
  /** server.p50 / floor.p50 */
  readonly ratio: number;
}

const state = float32Array(
  [64],
  Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
);
const image = new NdArray(
  '|u1',
  [224, 224, 3],
  Uint8Array.from({ length: 224 * 224 * 3 }, (_, i) => (i * 7) & 255),
);

export const policyCases: readonly PolicyCase[] = (['groot', 'openpi'] as const).flatMap((encoding) => [
  { name: '64 numbers', encoding, data: { observation: state } },
  { name: '64 numbers and an image of 224x224x3', encoding, data: { state: { state }, image } },
]);

const here = dirname(fileURLToPath(import.meta.url));

async function startPeer(children: ChildProcess[], ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [...process.execArgv, join(here, 'policyPeer.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(child.stdout!, 'data');
  return String(line).trim();
}

async function timed(count: number, call: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await call();
    times.push(1000 * (performance.now() - start));
  }
  return times;
}

/** @param turns of each, of `roundTrips` each; the first is not counted */
export async function measurePolicy(
  { name, encoding, data }: PolicyCase,
  { turns = 8, roundTrips = 1000 }: { readonly turns?: number; readonly roundTrips?: number } = {},
): Promise<PolicyFigures> {
  const children: ChildProcess[] = [];
  const endpoint = await startPeer(children, 'policy');
  const client = new PolicyClient({ endpoint, timeoutMs: 5000, arrays: encoding });
  const request = encodeMessage({ endpoint: 'get_action', data, timeout_ms: 5000 }, encoding);
  const answer = encodeMessage(await client.call('get_action', data), encoding);
  const bare = new Request({ linger: 0 });
  bare.connect(await startPeer(children, 'echo', String(answer.length)));
  const floor: number[] = [];
  const server: number[] = [];
  try {
    for (let turn = 0; turn < turns; turn++) {
      const first = await timed(roundTrips, async () => {
        await bare.send(request);
        await bare.receive();
      });
      const second = await timed(roundTrips, () => client.call('get_action', data));
      if (turn === 0) continue;
      floor.push(...first);
      server.push(...second);
    }
  } finally {
    bare.close();
    client.close();
    for (const child of children) child.stdin!.end();
    await Promise.all(children.map((child) => once(child, 'exit')));
  }
  const figures = { floor: latency(floor), server: latency(server) };
  return {
    name: `${name}, as ${encoding}`,
    requestBytes: request.length,
    answerBytes: answer.length,
    roundTrips: floor.length,
    ...figures,
    ratio: figures.server.p50 / figures.floor.p50,
  };
}

/** Microseconds to write and to read the message alone. */
export function measureMessage({ encoding, data }: PolicyCase): {
  readonly encode: number;
  readonly decode: number;
} {
  const bytes = encodeMessage({ endpoint: 'get_action', data }, encoding);
  return {
    encode: best(() => encodeMessage({ endpoint: 'get_action', data }, encoding)),
    decode: best(() => decodeMessage(bytes)),
  };
}

/** Microseconds of the policy alone, for one observation. */
export async function measureInference(): Promise<number> {
  const policy = await benchPolicy(1);
  const action = new Float32Array(policy.A);
  const observation = Float32Array.from(state.data as Float32Array);
  try {
    return best(() => {
      policy.reset();
      policy.act(observation, action);
    });
  } finally {
    policy.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const one of policyCases) {
    console.log(await measurePolicy(one), measureMessage(one));
  }
}
