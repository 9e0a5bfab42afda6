import { Draws } from '#core/draws';
import type { ObservationField } from '#data/demos';
import { type CompileOptions, compile, inputOf, outputOf } from '#nn/compile';
import * as nn from '#nn/graph';
import { adamW } from '#nn/optimizer';
import {
  binsOf,
  type ObservationScale,
  PROGRESS_BINS,
  ProgressEnsemble,
} from '#reward/distilled/progressEnsemble';
import { valueOrderCorrelation } from '#reward/rankStatistics';
import type { DistillationSpec } from '#spec/scores/distilledSchema';

/** An episode with what a model says of some of its samples. */
export interface LabelledEpisode {
  /** Of all samples. @shape [T + 1,O] */
  readonly observation: Float32Array;
  /** Samples with a label, and the labels, in [0,1]. @shape [n] */
  readonly samples: readonly number[];
  readonly labels: readonly number[];
  readonly success: boolean;
}

export interface DistillerOptions {
  readonly fields: readonly ObservationField[];
  readonly settings: DistillationSpec;
  readonly seed: number;
  readonly compile: CompileOptions;
}

/** What a training came to. */
export interface Trained {
  /** Value-order correlation on episodes that were held out, of the new networks and of those in use. */
  readonly held: number;
  readonly before: number | undefined;
  readonly published: boolean;
}

const BATCH = 64;
const LEARNING_RATE = 3e-3;
/** Labels that differ by less say nothing about an order. */
const SAME = 0.02;
/** Of the successful episodes, one in so many is kept from training. */
const HELD_OUT = 4;
/** Labelled episodes, twice as many for each training, from the first on. */
const FIRST = 8;

/** Learns from the observation what a slow model says of pictures. A new ensemble takes the place of the one in use only where it
 * orders the samples of held-out successful episodes better.
 * @source Zheng et al. 2024, arXiv:2410.23022 (ONI): classification and ranking of a language model's labels; Bradley and
 * Terry 1952 for ranking; VOC as in Ma et al. 2024, arXiv:2411.04549 (GVL); differs: an ensemble, regression too, and the
 * comparison before publication */
export class Distiller {
  readonly #options: DistillerOptions;
  readonly #training: LabelledEpisode[] = [];
  readonly #held: LabelledEpisode[] = [];
  #current: ProgressEnsemble | undefined;
  #successes = 0;
  #episodes = 0;
  #next = FIRST;
  #trainings = 0;

  constructor(options: DistillerOptions) {
    this.#options = options;
  }

  /** The ensemble in use; undefined before the first one is good enough. */
  get current(): ProgressEnsemble | undefined {
    return this.#current;
  }

  /** Goes on from an ensemble that was learned before. */
  adopt(ensemble: ProgressEnsemble): void {
    this.#current = ensemble;
  }

  /** Takes in an episode. @returns whether it is time to train */
  add(episode: LabelledEpisode): boolean {
    const { labels, success } = episode;
    if (labels.length === 0) return false;
    this.#episodes++;
    const held = success && ++this.#successes % HELD_OUT === 0;
    (held ? this.#held : this.#training).push(episode);
    const budget = this.#options.settings.labels;
    let count = this.#training.reduce((sum, one) => sum + one.labels.length, 0);
    while (count > budget && this.#training.length > 1) count -= this.#training.shift()!.labels.length;
    return this.#episodes >= this.#next && this.#held.length > 0;
  }

  /** Trains a new ensemble on all labels and compares it with the one in use. */
  train(): Trained {
    while (this.#next <= this.#episodes) this.#next *= 2;
    const before = this.#current && this.#correlation(this.#current);
    const candidate = this.#fit();
    const held = this.#correlation(candidate);
    const published = held > (before ?? 0);
    if (published) {
      this.#current?.close();
      this.#current = candidate;
    } else candidate.close();
    return { held, before, published };
  }

  close(): void {
    this.#current?.close();
  }

  #correlation(ensemble: ProgressEnsemble): number {
    const orders = this.#held
      .map(({ observation }) => valueOrderCorrelation(ensemble.score(observation).phi))
      .filter((value) => !Number.isNaN(value));
    return orders.length === 0 ? 0 : orders.reduce((sum, value) => sum + value, 0) / orders.length;
  }

  #fit(): ProgressEnsemble {
    const { fields, settings, seed, compile: how } = this.#options;
    const { target, members, hidden, steps } = settings;
    const { observation, labels } = this.#labelled();
    const trainings = this.#trainings++;
    const ensemble = new ProgressEnsemble(
      { fields, target, members, hidden },
      scaleOf(observation, labels.length),
      seed + trainings,
      how,
    );
    const loss = lossOf(ensemble);
    const learningRate = nn.input('learningRate', [1]);
    const update = adamW({ block: ensemble.block, loss, learningRate, weightDecay: 1e-4 });
    const program = compile({ name: 'distillation', outputs: { loss }, updates: [update] }, how);
    const draws = new Draws(seed + trainings, 0x44495354);
    const index = new Int32Array(members * BATCH * (target === 'ranking' ? 2 : 1));
    for (let step = 0; step < steps; step++) {
      draws.integers(index, labels.length);
      fill(program.inputs as Readonly<Record<string, Float32Array>>, ensemble, index, observation, labels);
      inputOf(program, 'learningRate')[0] = (LEARNING_RATE * (1 + Math.cos((Math.PI * step) / steps))) / 2;
      program.run();
    }
    if (!Number.isFinite(outputOf(program, 'loss')[0]!))
      throw new Error('the loss of a distillation is not finite');
    program.close();
    ensemble.calibrate(observation);
    return ensemble;
  }

  /** @shape observation [N,O]; labels [N] */
  #labelled(): { readonly observation: Float32Array; readonly labels: Float32Array } {
    const O = this.#options.fields.reduce((sum, { length }) => sum + length, 0);
    const labels = Float32Array.from(this.#training.flatMap((episode) => episode.labels));
    const observation = new Float32Array(labels.length * O);
    let row = 0;
    for (const episode of this.#training) {
      for (const sample of episode.samples)
        observation.set(episode.observation.subarray(sample * O, (sample + 1) * O), O * row++);
    }
    return { observation, labels };
  }
}

/** By the shapes of `fill`. */
function lossOf(ensemble: ProgressEnsemble): nn.Tensor {
  const { members, target } = ensemble.shape;
  const observed = (name: string): nn.Tensor => nn.input(name, [members, BATCH, ensemble.O]);
  switch (target) {
    case 'regression':
      return nn.mean(
        nn.square(nn.sub(ensemble.value(observed('first')), nn.input('label', [members, BATCH, 1]))),
      );
    case 'classification': {
      const likely = nn.logSoftmax(ensemble.raw(observed('first')));
      const chosen = nn.mul(likely, nn.input('label', [members, BATCH, PROGRESS_BINS]));
      return nn.mul(nn.mean(nn.sum(chosen, [2], true)), -1);
    }
    case 'ranking': {
      // -log sigmoid(z_larger - z_smaller); pairs of equal labels have weight 0.
      const order = nn.input('label', [members, BATCH, 1]);
      const lead = nn.mul(
        nn.sub(ensemble.value(observed('first')), ensemble.value(observed('second'))),
        order,
      );
      return nn.mean(nn.mul(nn.softplus(nn.neg(lead)), nn.square(order)));
    }
    default:
      return target satisfies never;
  }
}

function fill(
  inputs: Readonly<Record<string, Float32Array>>,
  { O, shape }: ProgressEnsemble,
  index: Int32Array,
  observation: Float32Array,
  labels: Float32Array,
): void {
  const n = shape.members * BATCH;
  const gather = (name: string, from: number): void => {
    for (let i = 0; i < n; i++) {
      const at = index[from + i]!;
      inputs[name]!.set(observation.subarray(at * O, (at + 1) * O), i * O);
    }
  };
  gather('first', 0);
  if (shape.target !== 'ranking') {
    const chosen = Float32Array.from({ length: n }, (_, i) => labels[index[i]!]!);
    inputs['label']!.set(shape.target === 'classification' ? binsOf(chosen) : chosen);
    return;
  }
  gather('second', n);
  for (let i = 0; i < n; i++) {
    const difference = labels[index[i]!]! - labels[index[n + i]!]!;
    inputs['label']![i] = Math.abs(difference) < SAME ? 0 : Math.sign(difference);
  }
}

function scaleOf(observation: Float32Array, rows: number): ObservationScale {
  const O = observation.length / rows;
  const mean = new Float32Array(O);
  const std = new Float32Array(O);
  for (let i = 0; i < O; i++) {
    let [sum, squares] = [0, 0];
    for (let row = 0; row < rows; row++) {
      sum += observation[row * O + i]!;
      squares += observation[row * O + i]! ** 2;
    }
    mean[i] = sum / rows;
    std[i] = Math.max(1e-3, Math.sqrt(Math.max(0, squares / rows - mean[i]! ** 2)));
  }
  return { mean, std };
}
