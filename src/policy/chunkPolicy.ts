import type { PhiloxStream } from '#core/philox';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import { add, clamp, constant, input, mul, ParameterBlock, type Tensor } from '#nn/graph';
import { mlp } from '#nn/layers';
import { type Network, normaliseObservation } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { BasePolicy } from '#policy/policy';

export interface ChunkSpec {
  readonly O: number;
  readonly A: number;
  /** H, actions per chunk. */
  readonly chunk: number;
  /** How many of them are executed before the next chunk is decided. */
  readonly execute: number;
  readonly hidden: readonly number[];
}

/** The network of a chunked clone: one observation in, H actions out. */
export function chunkNetwork(spec: ChunkSpec, rng: PhiloxStream): Network {
  const block = new ParameterBlock('base', { rng });
  const layer = mlp(block, 'base', { in: spec.O, hidden: spec.hidden, out: spec.chunk * spec.A });
  return { block, layer };
}

/** H normalised actions.
 * @shape observation [B,O] in the task's units; result [B,H*A] */
export function chunkOutput(network: Network, observation: Tensor, normaliser: Normaliser): Tensor {
  return network.layer.apply(normaliseObservation(observation, normaliser));
}

/** H actions in the task's units, clipped to [-1, 1].
 * @shape result [B,H*A] */
export function chunkActions(network: Network, observation: Tensor, normaliser: Normaliser, H: number): Tensor {
  const tiled = (values: Float32Array): Tensor =>
    constant(Float32Array.from({ length: H * values.length }, (_, i) => values[i % values.length]!));
  const normalised = chunkOutput(network, observation, normaliser);
  return clamp(add(mul(normalised, tiled(normaliser.actionHalf)), tiled(normaliser.actionCenter)), -1, 1);
}

/** Runs a chunk network: a new chunk is decided in a row when its last one is used up or its episode is new. */
export class ChunkPolicy implements BasePolicy {
  readonly kind = 'chunk';
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly chunk: number;
  readonly phase: Float32Array;
  readonly #execute: number;
  /** Decided actions [B,H,A] and how many of them each row has used [B]. */
  readonly state: { readonly queue: Float32Array; readonly used: Int32Array };
  readonly #program: Program;

  constructor(B: number, spec: ChunkSpec, network: Network, normaliser: Normaliser, options?: CompileOptions) {
    const { O, A, chunk, execute } = spec;
    this.B = B;
    this.O = O;
    this.A = A;
    this.chunk = chunk;
    this.#execute = execute;
    this.phase = new Float32Array(B);
    this.state = { queue: new Float32Array(B * chunk * A), used: new Int32Array(B).fill(execute) };
    const actions = chunkActions(network, input('observation', [B, O]), normaliser, chunk);
    this.#program = compile({ name: 'base', outputs: { actions } }, options);
  }

  reset(mask?: Uint8Array): void {
    const { used } = this.state;
    for (let row = 0; row < this.B; row++) if (!mask || mask[row] === 1) used[row] = this.#execute;
  }

  act(observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void {
    this.#decide(observation, mask);
    const { A, chunk } = this;
    const { queue, used } = this.state;
    for (let row = 0; row < this.B; row++) {
      if (mask && mask[row] !== 1) continue;
      const k = used[row]!;
      for (let i = 0; i < A; i++) outAction[row * A + i] = queue[(row * chunk + k) * A + i]!;
      this.phase[row] = k / chunk;
      used[row] = k + 1;
    }
  }

  #decide(observation: Float32Array, mask: Uint8Array | undefined): void {
    const { queue, used } = this.state;
    const H = this.chunk;
    const isDue = (row: number): boolean => used[row] === this.#execute && (!mask || mask[row] === 1);
    let due = false;
    for (let row = 0; row < this.B && !due; row++) due = isDue(row);
    if (!due) return;
    inputOf(this.#program, 'observation').set(observation);
    this.#program.run();
    const actions = outputOf(this.#program, 'actions');
    const width = H * this.A;
    for (let row = 0; row < this.B; row++) {
      if (!isDue(row)) continue;
      for (let at = row * width; at < (row + 1) * width; at++) queue[at] = actions[at]!;
      used[row] = 0;
    }
  }

  close(): void {
    this.#program.close();
  }
}
