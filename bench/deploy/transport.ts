import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { commandQuality, type RobotTransport } from '#transport/robotTransport';
import { isolate, until } from '../../tests/transport/loopback.js';
import { compilePeers } from '../../tests/transport/peers/compile.js';

/* Round trips of a joint state of seven joints between two processes on this machine, reliable, encoded and decoded on
 * both sides: over the addon, and between two programs in C on the same Cyclone DDS, in turns within one run.
 *   node --conditions=vernier-src --import ./tests/tools/typescript.mjs bench/deploy/transport.ts */

export interface Latency {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface TransportFigures {
  readonly roundTrips: number;
  /** C to C. */
  readonly floor: Latency;
  readonly addon: Latency;
  /** addon.p50 / floor.p50 */
  readonly ratio: number;
}

const here = dirname(fileURLToPath(import.meta.url));
const type = 'sensor_msgs/msg/JointState';

export interface TransportBenchOptions {
  /** Turns of each, of `roundTrips` each; the first is not counted. */
  readonly turns?: number;
  readonly roundTrips?: number;
}

/** Needs Cyclone DDS with its headers, idlc and a C compiler. */
export async function measureTransport({
  turns = 8,
  roundTrips = 1000,
}: TransportBenchOptions = {}): Promise<TransportFigures> {
  const { domain, env } = isolate();
  const folder = mkdtempSync(join(tmpdir(), 'vernier-echo-'));
  const children: ChildProcessWithoutNullStreams[] = [];
  const start = (command: string, ...args: string[]): ChildProcessWithoutNullStreams => {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    child.stderr.pipe(process.stderr);
    children.push(child);
    return child;
  };
  const transport = await openTransport({ node: '/ping', domain });
  try {
    const [echo] = compilePeers([join(here, 'echo')], folder) as [string];
    start(echo, 'serve');
    start(process.execPath, ...process.execArgv, join(here, 'echoNode.ts'));
    const floorPing = new FloorPing(start(echo, 'ping'));
    const addonPing = await AddonPing.open(transport);
    const floor: number[] = [];
    const addon: number[] = [];
    for (let turn = 0; turn < turns; turn++) {
      const [first, second] = [await floorPing.run(roundTrips), await addonPing.run(roundTrips)];
      if (turn === 0) continue;
      floor.push(...first);
      addon.push(...second);
    }
    const figures = { floor: latency(floor), addon: latency(addon) };
    return { roundTrips: floor.length, ...figures, ratio: figures.addon.p50 / figures.floor.p50 };
  } finally {
    await transport.close();
    for (const child of children) child.stdin.end();
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            if (child.exitCode !== null) return resolve(undefined);
            child.once('exit', resolve);
            setTimeout(() => child.kill(), 500).unref();
          }),
      ),
    );
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Microseconds of each round trip, by the program in C. */
class FloorPing {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
  }

  async run(count: number): Promise<number[]> {
    const line = new Promise<string>((resolve, reject) => {
      this.#lines.once('line', resolve);
      this.#lines.once('close', () => reject(new Error('the program in C ended early')));
    });
    this.#child.stdin.write(`${count}\n`);
    return (await line)
      .trim()
      .split(' ')
      .map((nanoseconds) => Number(nanoseconds) / 1000);
  }
}

/** Microseconds of each round trip, by the addon. */
class AddonPing {
  readonly #codec = standardCodec(type);
  #publish: (message: Uint8Array) => void = () => {};
  #onAnswer: (seconds: number) => void = () => {};

  static async open(transport: RobotTransport): Promise<AddonPing> {
    const ping = new AddonPing();
    const publisher = transport.publisher('/ping', type, commandQuality);
    const subscriber = transport.subscriber('/pong', type, commandQuality, ({ bytes }) => {
      const { header } = ping.#codec.decode(bytes) as unknown as { header: { stamp: { sec: number } } };
      ping.#onAnswer(header.stamp.sec);
    });
    ping.#publish = (message) => publisher.write(message);
    await until('the other process', () => publisher.matched() > 0 && subscriber.matched() > 0, 20_000);
    return ping;
  }

  run(count: number): Promise<number[]> {
    const values = Float64Array.of(0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7);
    const name = Array.from({ length: 7 }, (_, i) => `panda_joint${i + 1}`);
    const times: number[] = [];
    return new Promise((resolve, reject) => {
      let start = 0;
      const send = (): void => {
        start = performance.now();
        const header = { stamp: { sec: times.length, nanosec: 0 }, frame_id: 'base' };
        this.#publish(
          this.#codec.encode({ header, name, position: values, velocity: values, effort: values }),
        );
      };
      this.#onAnswer = (seconds) => {
        if (seconds !== times.length)
          return reject(new Error(`round trip ${times.length}: another's answer`));
        times.push((performance.now() - start) * 1000);
        if (times.length < count) send();
        else resolve(times);
      };
      send();
    });
  }
}

function latency(times: readonly number[]): Latency {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
  return { p50: at(0.5), p99: at(0.99) };
}

/** One line of a table for each. */
export function formatTransport({ roundTrips, floor, addon, ratio }: TransportFigures): string[] {
  const row = (name: string, { p50, p99 }: Latency): string =>
    `${name.padEnd(40)} p50 ${p50.toFixed(0).padStart(5)} us   p99 ${p99.toFixed(0).padStart(6)} us`;
  return [
    row('C to C', floor),
    row('addon to addon, encoded and decoded', addon),
    `ratio at p50: ${ratio.toFixed(2)} (${roundTrips} round trips each, in turns)`,
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const line of formatTransport(await measureTransport())) console.log(line);
}
