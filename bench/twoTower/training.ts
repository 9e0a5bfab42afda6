import { existsSync } from 'node:fs';
import {
  type ContainerArray,
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { PhiloxStream } from '#core/philox';
import { compile, indexInputOf, inputOf, outputOf } from '#nn/compile';
import * as nn from '#nn/graph';
import { adamW } from '#nn/optimizer';
import type { Dataset } from './dataset.js';
import { CONTEXT, makeTowers, type Towers } from './network.js';
import { SIDE, subjects } from './statements.js';
import type { Vocabulary } from './vocabulary.js';

/** Contrastive training: every picture of a batch against every sentence of it. */

const BATCH = 48;
const PEAK_RATE = 2e-3;
const SHIFT = 3;
const PICTURE = 3 * SIDE * SIDE;
const KIND = 'two-tower-training';
const ERROR = { code: 'CHECKPOINT', label: KIND } as const;
const wordings = subjects.flatMap(({ statements }) => statements.map((statement) => statement.wordings));

export interface TrainingOptions {
  readonly steps: number;
  readonly seed: number;
  /** Where an unfinished training is kept, to go on from: with the same options the result has the bits of one run. */
  readonly state: string;
  /** Seconds after which the training is put away unfinished. */
  readonly seconds: number;
  report(step: number, loss: number): void;
}

/** The sigmoid loss of all pairs, each with the truth that the simulator knows in place of "its own caption or not".
 * @returns undefined when the time was up before the training was done
 * @source Zhai 2023 (SigLIP), arXiv:2303.15343, alg. 1; differs: other captions may be true as well, or in part */
export function trainTowers(
  dataset: Dataset,
  vocabulary: Vocabulary,
  options: TrainingOptions,
): Towers | undefined {
  const towers = makeTowers(new PhiloxStream(options.seed), vocabulary.size);
  const truth = nn.input('truth', [BATCH, BATCH]);
  const images = towers.image(nn.input('pixel_values', [BATCH, SIDE, SIDE, 3])).embedding;
  const texts = towers.text(nn.input('input_ids', [BATCH, CONTEXT], 'i32'));
  const logits = towers.logits(images, texts);
  const loss = nn.div(nn.sum(nn.sub(nn.softplus(logits), nn.mul(truth, logits))), BATCH);
  const learningRate = nn.input('learning_rate', [1]);
  const update = adamW({ block: towers.block, loss, learningRate, weightDecay: 0.02, clipNorm: 5 });
  const program = compile({ name: 'two_tower', outputs: { loss }, updates: [update] }, { threads: 2 });
  const batches = new Batches(dataset, vocabulary, options.seed);
  const until = performance.now() + 1000 * options.seconds;
  let sum = 0;
  for (let step = resume(options.state, towers.block); step < options.steps; step++) {
    if (performance.now() > until) {
      suspend(options.state, towers.block, step);
      program.close();
      return undefined;
    }
    const cosine = 0.5 * (1 + Math.cos((Math.PI * step) / options.steps));
    inputOf(program, 'learning_rate')[0] = PEAK_RATE * Math.min(1, step / 100) * cosine;
    const pixels = inputOf(program, 'pixel_values');
    batches.fill(step, pixels, indexInputOf(program, 'input_ids'), inputOf(program, 'truth'));
    program.run();
    sum += outputOf(program, 'loss')[0]!;
    if (step % 50 === 49) {
      options.report(step + 1, sum / 50);
      sum = 0;
    }
  }
  program.close();
  suspend(options.state, towers.block, options.steps);
  return towers;
}

function suspend(file: string, block: nn.ParameterBlock, step: number): void {
  const arrays = new Map<string, ContainerArray>(
    block.state().map(({ name, values }) => [name, { shape: [values.length], data: values }]),
  );
  writeFileAtomic(file, encodeContainer({ kind: KIND, version: 1, meta: { step }, arrays }));
}

/** The step that comes next, the block as it was then. */
function resume(file: string, block: nn.ParameterBlock): number {
  if (!existsSync(file)) return 0;
  const container = decodeContainer(readFileBytes(file), { kind: KIND, version: 1, ...ERROR });
  if (block.optimizer.step.length === 0) return 0;
  for (const { name, values } of block.state()) {
    values.set(containerArray(container, name, 'f32', [values.length], ERROR));
  }
  return container.meta['step'] as number;
}

/** Pairs of a picture and a sentence that is true of it, each statement as often as any other. */
class Batches {
  readonly #dataset: Dataset;
  readonly #vocabulary: Vocabulary;
  readonly #seed: number;
  /** For each statement the pictures that it is mostly true of. */
  readonly #examples: readonly number[][];

  constructor(dataset: Dataset, vocabulary: Vocabulary, seed: number) {
    this.#dataset = dataset;
    this.#vocabulary = vocabulary;
    this.#seed = seed;
    const pictures = dataset.pixels.length / PICTURE;
    this.#examples = wordings.map((_, statement) =>
      Array.from({ length: pictures }, (__, i) => i).filter(
        (i) => dataset.truth[i * wordings.length + statement]! > 0.5,
      ),
    );
    const never = this.#examples.findIndex((examples) => examples.length === 0);
    if (never >= 0) throw new Error(`nothing shows "${wordings[never]![0]}"`);
  }

  /** @shape outPixels [B,SIDE,SIDE,3], outTokens [B,16], outTruth [B,B] */
  fill(step: number, outPixels: Float32Array, outTokens: Int32Array, outTruth: Float32Array): void {
    const rng = new PhiloxStream(this.#seed, 1, step);
    const pairs = Array.from({ length: BATCH }, () => {
      const statement = rng.integer(wordings.length);
      const examples = this.#examples[statement]!;
      return { statement, picture: examples[rng.integer(examples.length)]! };
    });
    for (const [row, { statement, picture }] of pairs.entries()) {
      this.#augment(rng, picture, outPixels.subarray(row * PICTURE, (row + 1) * PICTURE));
      const sentences = wordings[statement]!;
      const tokens = this.#vocabulary.encode(sentences[rng.integer(sentences.length)]!);
      outTokens.set(tokens, row * CONTEXT);
      for (const [column, other] of pairs.entries()) {
        const at = picture * wordings.length + other.statement;
        outTruth[row * BATCH + column] = this.#dataset.truth[at]!;
      }
    }
  }

  /** Shifted by a few pixels, a little brighter or darker; from bytes to [-1, 1]. */
  #augment(rng: PhiloxStream, picture: number, out: Float32Array): void {
    const pixels = this.#dataset.pixels.subarray(picture * PICTURE, (picture + 1) * PICTURE);
    const [dx, dy] = [rng.integer(2 * SHIFT + 1) - SHIFT, rng.integer(2 * SHIFT + 1) - SHIFT];
    const gain = (0.9 + 0.2 * rng.uniform()) / 127.5;
    const inside = (at: number): number => Math.max(0, Math.min(SIDE - 1, at));
    for (let y = 0, at = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const from = 3 * (SIDE * inside(y + dy) + inside(x + dx));
        for (let c = 0; c < 3; c++) out[at++] = gain * pixels[from + c]! - 1;
      }
    }
  }
}
