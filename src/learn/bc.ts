import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { type Demos, episodeOffsets } from '#data/demos';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import { input, mean, square, sub } from '#nn/graph';
import { adamW } from '#nn/optimizer';
import { type ChunkSpec, chunkNetwork, chunkOutput } from '#policy/chunkPolicy';
import type { Network } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { BaseSpec } from '#spec/learningSchema';

/** Chunked behaviour cloning: from one observation the next H actions, by mean squared error. */

/** Pairs of an observation and the H normalised actions from there on; the last action repeats past the end.
 * @shape observation [N,O], chunk [N,H*A] */
export interface ChunkDataset {
  readonly size: number;
  readonly observation: Float32Array;
  readonly chunk: Float32Array;
}

/** The dataset of some of the episodes. @param keep 0 leaves a step out; all are kept without it. @shape keep [sum(length)] */
export function chunkDataset(
  demos: Demos,
  episodes: readonly number[],
  H: number,
  normaliser: Normaliser,
  keep?: Uint8Array,
): ChunkDataset {
  const { O, A } = demos;
  const offsets = episodeOffsets(demos);
  const rows = episodes.flatMap((k) =>
    Array.from({ length: demos.episodes[k]!.length }, (_, t) => ({ k, t })).filter(
      ({ t }) => keep === undefined || keep[offsets[k]!.step + t] === 1,
    ),
  );
  const size = rows.length;
  const observation = new Float32Array(size * O);
  const chunk = new Float32Array(size * H * A);
  for (const [row, { k, t }] of rows.entries()) {
    const { length } = demos.episodes[k]!;
    const { step, observation: first } = offsets[k]!;
    observation.set(demos.observation.subarray((first + t) * O, (first + t + 1) * O), row * O);
    for (let h = 0; h < H; h++)
      for (let i = 0; i < A; i++) {
        const action = demos.action[(step + Math.min(t + h, length - 1)) * A + i]!;
        chunk[(row * H + h) * A + i] = (action - normaliser.actionCenter[i]!) / normaliser.actionHalf[i]!;
      }
  }
  return { size, observation, chunk };
}

function joined(a: ChunkDataset, b: ChunkDataset): ChunkDataset {
  return {
    size: a.size + b.size,
    observation: Float32Array.from([...a.observation, ...b.observation]),
    chunk: Float32Array.from([...a.chunk, ...b.chunk]),
  };
}

export interface BcProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** On the held-out episodes; undefined where there are none. */
  readonly validation: number | undefined;
}

export interface BcOptions {
  readonly demos: Demos;
  readonly normaliser: Normaliser;
  readonly settings: BaseSpec;
  /** Steps to learn from; all without it. @shape [sum(length)] */
  readonly keep?: Uint8Array | undefined;
  /** Of each demonstration another one, step by step, to learn from beside it. */
  readonly mirrored?: Demos | undefined;
  readonly compile: CompileOptions;
  readonly report: (progress: BcProgress) => void;
  /** Called between steps; true stops. */
  readonly stop: () => boolean;
}

export function chunkSpecOf(settings: BaseSpec, O: number, A: number): ChunkSpec {
  const { chunk, hidden } = settings;
  return { O, A, chunk, hidden, execute: Math.min(chunk, settings.execute ?? chunk) };
}

const REPORTS = 20;

/** Trains a chunk network; the learning rate falls to 0 as half a cosine. The last step's network is returned, or
 * undefined where `stop` ended it early. */
export async function cloneBase(options: BcOptions): Promise<Network | undefined> {
  const { demos, normaliser, settings, keep } = options;
  const { O, A } = demos;
  const H = settings.chunk;
  const held = Math.floor(demos.episodes.length * settings.validation);
  const order = demos.episodes.map((_, k) => k);
  const own = chunkDataset(demos, order.slice(held), H, normaliser, keep);
  const { mirrored } = options;
  const training = mirrored
    ? joined(own, chunkDataset(mirrored, order.slice(held), H, normaliser, keep))
    : own;
  const validation = held > 0 ? chunkDataset(demos, order.slice(0, held), H, normaliser, keep) : undefined;
  const network = chunkNetwork(chunkSpecOf(settings, O, A), new PhiloxStream(settings.seed, 0x4243));
  const program = updateProgram(network, options);
  const draws = new Draws(settings.seed, 0x42434441);
  const index = new Int32Array(settings.batch);
  const rate = inputOf(program, 'learningRate');
  const loss = outputOf(program, 'loss');
  const every = Math.max(1, Math.floor(settings.steps / REPORTS));
  let sum = 0;
  for (let step = 1; step <= settings.steps; step++) {
    draws.integers(index, training.size);
    gather(training, index, O, H * A, inputOf(program, 'observation'), inputOf(program, 'chunk'));
    rate[0] = (settings.learning_rate * (1 + Math.cos((Math.PI * (step - 1)) / settings.steps))) / 2;
    program.run();
    sum += loss[0]!;
    if (step % every !== 0) continue;
    const heldOut = validation && validationLoss(network, validation, options);
    options.report({ step, steps: settings.steps, loss: sum / every, validation: heldOut });
    sum = 0;
    await new Promise((resume) => setImmediate(resume));
    if (options.stop()) return undefined;
  }
  program.close();
  return network;
}

function updateProgram(network: Network, { demos, normaliser, settings, compile: how }: BcOptions): Program {
  const { batch, chunk } = settings;
  const predicted = chunkOutput(network, input('observation', [batch, demos.O]), normaliser);
  const loss = mean(square(sub(predicted, input('chunk', [batch, chunk * demos.A]))));
  const update = adamW({
    block: network.block,
    loss,
    learningRate: input('learningRate', [1]),
    weightDecay: settings.weight_decay,
    clipNorm: settings.grad_clip,
  });
  return compile({ name: 'behaviour cloning', outputs: { loss }, updates: [update] }, how);
}

function validationLoss(network: Network, data: ChunkDataset, options: BcOptions): number {
  const { demos, normaliser, settings } = options;
  const observation = input('observation', [data.size, demos.O]);
  const wanted = input('chunk', [data.size, settings.chunk * demos.A]);
  const loss = mean(square(sub(chunkOutput(network, observation, normaliser), wanted)));
  const program = compile({ name: 'validation', outputs: { loss } }, options.compile);
  inputOf(program, 'observation').set(data.observation);
  inputOf(program, 'chunk').set(data.chunk);
  program.run();
  const value = outputOf(program, 'loss')[0]!;
  program.close();
  return value;
}

function gather(
  data: ChunkDataset,
  index: Int32Array,
  O: number,
  width: number,
  outObservation: Float32Array,
  outChunk: Float32Array,
): void {
  for (let row = 0; row < index.length; row++) {
    const from = index[row]!;
    for (let i = 0; i < O; i++) outObservation[row * O + i] = data.observation[from * O + i]!;
    for (let i = 0; i < width; i++) outChunk[row * width + i] = data.chunk[from * width + i]!;
  }
}
