import type { PhiloxStream } from '#core/philox';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import { add, clamp, constant, input, mul, ParameterBlock, type Tensor } from '#nn/graph';
import { mlp } from '#nn/layers';
import { type Network, normaliseObservation } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import { QueuedPolicy } from '#policy/queuedPolicy';

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
export function chunkActions(
  network: Network,
  observation: Tensor,
  normaliser: Normaliser,
  H: number,
): Tensor {
  const tiled = (values: Float32Array): Tensor =>
    constant(Float32Array.from({ length: H * values.length }, (_, i) => values[i % values.length]!));
  const normalised = chunkOutput(network, observation, normaliser);
  return clamp(add(mul(normalised, tiled(normaliser.actionHalf)), tiled(normaliser.actionCenter)), -1, 1);
}

/** Runs a chunk network: a new chunk is decided in a row when its last one is used up or its episode is new. */
export class ChunkPolicy extends QueuedPolicy {
  readonly kind = 'chunk';
  readonly #program: Program;
  readonly #observation: Float32Array;
  readonly #actions: Float32Array;

  constructor(
    B: number,
    spec: ChunkSpec,
    network: Network,
    normaliser: Normaliser,
    options?: CompileOptions,
  ) {
    const { O, A, chunk, execute } = spec;
    super({ B, O, A }, chunk, execute);
    const actions = chunkActions(network, input('observation', [B, O]), normaliser, chunk);
    this.#program = compile({ name: 'base', outputs: { actions } }, options);
    this.#observation = inputOf(this.#program, 'observation');
    this.#actions = outputOf(this.#program, 'actions');
  }

  protected override decide(observation: Float32Array): Float32Array {
    this.#observation.set(observation);
    this.#program.run();
    return this.#actions;
  }

  override close(): void {
    this.#program.close();
  }
}
