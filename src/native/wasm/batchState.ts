import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import type { Randomizer } from '#native/wasm/randomize';
import type { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/batch_state.cc. */

const MAGIC = 0x56455258; // "VERX"
const ENVIRONMENT_MAGIC = 0x56455245; // "VERE"

export type StatePart = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

export interface StateSizes {
  readonly B: number;
  /** Entries per environment. */
  readonly command: number;
  readonly queue: number;
  /** Seed and first environment. */
  readonly keys: readonly [number, number];
}

/** What every environment of a batch keeps while another one has the simulation. */
export class BatchState {
  /** Seed and first environment of the randomness keys. */
  readonly keys: Uint32Array;
  /** [B, latency_hi + 1, A]: a ring indexed by control step. */
  readonly queue: Float32Array;
  readonly latency: Int32Array;
  readonly episodes: Uint32Array;
  readonly steps: Uint32Array;
  readonly held: Uint32Array;
  readonly finished: Uint8Array;

  readonly #sim: Simulation;
  readonly #randomizer: Randomizer;
  readonly #states: Float64Array;
  readonly #parameters: Float64Array;
  readonly #commands: Float64Array;
  readonly #state: number;
  readonly #command: number;

  constructor(sim: Simulation, randomizer: Randomizer, sizes: StateSizes) {
    const { B } = sizes;
    this.#sim = sim;
    this.#randomizer = randomizer;
    this.#state = 1 + sim.nq + 2 * sim.nv + sim.na + 7 * sim.nmocap;
    this.#command = sizes.command;
    this.keys = Uint32Array.from(sizes.keys);
    this.#states = new Float64Array(B * this.#state);
    this.#parameters = new Float64Array(B * randomizer.nominal.length);
    this.#commands = new Float64Array(B * sizes.command);
    this.queue = new Float32Array(B * sizes.queue);
    this.latency = new Int32Array(B);
    this.episodes = new Uint32Array(B);
    this.steps = new Uint32Array(B);
    this.held = new Uint32Array(B);
    this.finished = new Uint8Array(B);
  }

  /** Index of row i in the randomness keys. */
  environment(i: number): number {
    return (this.keys[1]! + i) >>> 0;
  }

  /** Random numbers of one purpose in one episode of row i. */
  stream(purpose: number, i: number, episode: number): PhiloxStream {
    return new PhiloxStream(this.keys[0]!, purpose, this.environment(i), episode);
  }

  command(i: number): Float64Array {
    return this.#commands.subarray(i * this.#command, (i + 1) * this.#command);
  }

  /** What randomisation made of the model in environment i. */
  parametersOf(i: number): Float64Array {
    const n = this.#randomizer.nominal.length;
    return this.#parameters.subarray(i * n, (i + 1) * n);
  }

  /** Puts environment i into the simulation. */
  load(i: number): void {
    const sim = this.#sim;
    sim.refresh();
    if (this.#randomizer.nominal.length > 0) this.#randomizer.load(this.parametersOf(i));
    let at = i * this.#state;
    sim.data.time = this.#states[at++]!;
    for (const array of this.#arrays()) {
      array.set(this.#states.subarray(at, at + array.length));
      at += array.length;
    }
  }

  /** Keeps the simulation as environment i. */
  save(i: number): void {
    let at = i * this.#state;
    this.#states[at++] = this.#sim.data.time;
    for (const array of this.#arrays()) {
      this.#states.set(array, at);
      at += array.length;
    }
  }

  /** Everything that a bit-exact continuation needs, `buffers` included. */
  toBytes(buffers: readonly StatePart[]): Uint8Array {
    const parts = [this.#header(), ...this.#parts(), ...buffers];
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
    let at = 0;
    for (const part of parts) {
      out.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
      at += part.byteLength;
    }
    return out;
  }

  /** The reverse of toBytes(). @throws CHECKPOINT when the bytes are not of this batch */
  fromBytes(bytes: Uint8Array, outBuffers: readonly StatePart[]): void {
    const parts = [...this.#parts(), ...outBuffers];
    const header = new Uint8Array(this.#header().buffer);
    const size = parts.reduce((sum, part) => sum + part.byteLength, header.byteLength);
    if (bytes.byteLength !== size || header.some((byte, i) => bytes[i] !== byte)) {
      throw new VernierError(
        'CHECKPOINT',
        'this environment state is of another model, task, backend or number of environments',
      );
    }
    let at = header.byteLength;
    for (const part of parts) {
      const target = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      target.set(bytes.subarray(at, at + part.byteLength));
      at += part.byteLength;
    }
  }

  /** One environment's share of everything, `buffers` included. */
  environmentToBytes(environment: number, buffers: readonly StatePart[]): Uint8Array {
    const shares = this.#sharesOf(environment, buffers);
    const header = this.#environmentHeader(shares);
    const out = new Uint8Array(shares.reduce((sum, share) => sum + share.length, header.length));
    out.set(header);
    let at = header.length;
    for (const share of shares) {
      out.set(share, at);
      at += share.length;
    }
    return out;
  }

  /** The reverse of environmentToBytes(). @throws CHECKPOINT when the bytes are not of such an environment */
  environmentFromBytes(environment: number, bytes: Uint8Array, outBuffers: readonly StatePart[]): void {
    const shares = this.#sharesOf(environment, outBuffers);
    const header = this.#environmentHeader(shares);
    const size = shares.reduce((sum, share) => sum + share.length, header.length);
    if (bytes.length !== size || header.some((byte, i) => bytes[i] !== byte)) {
      throw new VernierError(
        'CHECKPOINT',
        'this state is of an environment of another model, task or backend',
      );
    }
    let at = header.length;
    for (const share of shares) {
      share.set(bytes.subarray(at, at + share.length));
      at += share.length;
    }
  }

  /** Live bytes of one environment in all arrays but those that key its randomness. */
  #sharesOf(environment: number, buffers: readonly StatePart[]): Uint8Array[] {
    const keys: readonly StatePart[] = [this.keys, this.episodes];
    const parts = [...this.#parts(), ...buffers].filter((part) => !keys.includes(part));
    return parts.map((part) => {
      const length = part.byteLength / this.finished.length;
      return new Uint8Array(part.buffer, part.byteOffset + environment * length, length);
    });
  }

  #environmentHeader(shares: readonly Uint8Array[]): Uint8Array {
    const { signature } = this.#sim.model;
    const size = shares.reduce((sum, share) => sum + share.length, 0);
    const words = [BigInt(ENVIRONMENT_MAGIC), BigInt.asUintN(64, BigInt(signature)), BigInt(size)];
    return new Uint8Array(BigUint64Array.from(words).buffer);
  }

  /** The arrays that make up a simulation's state. */
  #arrays(): Float64Array[] {
    const { qpos, qvel, act, qacc_warmstart, mocap_pos, mocap_quat } = this.#sim;
    return [qpos, qvel, act, qacc_warmstart, mocap_pos, mocap_quat];
  }

  #header(): BigUint64Array {
    return BigUint64Array.of(
      BigInt(MAGIC),
      BigInt.asUintN(64, BigInt(this.#sim.model.signature)),
      BigInt(this.finished.length),
      BigInt(this.#states.length),
      BigInt(this.#parameters.length),
      BigInt(this.queue.length),
    );
  }

  #parts(): StatePart[] {
    return [
      this.keys,
      this.#states,
      this.#parameters,
      this.#commands,
      this.queue,
      this.latency,
      this.episodes,
      this.steps,
      this.held,
      this.finished,
    ];
  }
}
