import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { type Demos, episodeOffsets } from '#data/demos';
import { type CompileOptions, compile, inputOf, outputOf } from '#nn/compile';
import { input, mean, ParameterBlock, square, sub, type Tensor } from '#nn/graph';
import { mlp } from '#nn/layers';
import { adamW } from '#nn/optimizer';
import { normaliseObservation } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { ProgressFilterSpec } from '#spec/learningSchema';

/** Which steps of mixed demonstrations are worth cloning: those after which the goal is nearer. */

export interface FilterOptions {
  readonly demos: Demos;
  readonly normaliser: Normaliser;
  readonly settings: ProgressFilterSpec;
  /** Steps over which progress is measured: the actions of a chunk. */
  readonly window: number;
  readonly seed: number;
  readonly compile: CompileOptions;
}

/** Keeps a step when the steps to success, as predicted from its observation and from the one a window later, fall by at
 * least `pace` a step. Predictions for an episode come from networks that have not seen it; success itself is 0 steps
 * away, and the end of a failure is as far as anything.
 * @returns 1 for each step to keep. @shape result [sum(length)]
 * @source GR-RL (ByteDance 2025, arXiv:2512.01801): the value of a critic as progress, steps that lose it are left out;
 * differs: remaining steps regressed on whole episodes, cross-fitted, in the place of a distributional critic's value */
export function keptSteps(options: FilterOptions): Uint8Array {
  const { demos, settings, window } = options;
  const remaining = remainingSteps(options);
  const offsets = episodeOffsets(demos);
  const keep = new Uint8Array(demos.action.length / demos.A);
  for (const [k, { length, success }] of demos.episodes.entries()) {
    const { step, observation } = offsets[k]!;
    for (let t = 0; t < length; t++) {
      const end = Math.min(t + window, length);
      const least = settings.pace * (end - t);
      const isGoal = end === length && success;
      const after = isGoal ? 0 : end === length ? Number.POSITIVE_INFINITY : remaining[observation + end]!;
      keep[step + t] = remaining[observation + t]! - after >= least ? 1 : 0;
    }
  }
  return keep;
}

/** Expected steps to success at every observation. Failures count as the longest success.
 * @shape result [sum(length + 1)] */
export function remainingSteps(options: FilterOptions): Float32Array {
  const { demos, settings } = options;
  const longest = Math.max(1, ...demos.episodes.filter((e) => e.success).map((e) => e.length));
  const wanted = new Float32Array(demos.observation.length / demos.O);
  const fold = new Int32Array(wanted.length);
  const folds = Math.max(1, Math.min(settings.folds, demos.episodes.length));
  for (const [k, { observation }] of episodeOffsets(demos).entries()) {
    const { length, success } = demos.episodes[k]!;
    for (let t = 0; t <= length; t++) {
      wanted[observation + t] = success ? (length - t) / longest : 1;
      fold[observation + t] = k % folds;
    }
  }
  const predicted = new Float32Array(wanted.length);
  for (let k = 0; k < folds; k++) predictFold(options, wanted, fold, k, folds, predicted);
  return predicted.map((share) => share * longest);
}

/** Trains on all folds but one and predicts that one; with a single fold, on all of it. */
function predictFold(
  options: FilterOptions,
  wanted: Float32Array,
  fold: Int32Array,
  k: number,
  folds: number,
  outPredicted: Float32Array,
): void {
  const { demos, settings, seed, compile: how } = options;
  const { O } = demos;
  const { batch, steps, learning_rate } = settings;
  const seen = [...wanted.keys()].filter((i) => folds === 1 || fold[i] !== k);
  const held = [...wanted.keys()].filter((i) => fold[i] === k);
  const block = new ParameterBlock('remaining', { rng: new PhiloxStream(seed, 0x50524f47 + k) });
  const layer = mlp(block, 'remaining', { in: O, hidden: settings.hidden, out: 1, layerNorm: true });
  const predict = (x: Tensor): Tensor => layer.apply(normaliseObservation(x, options.normaliser));
  const loss = mean(square(sub(predict(input('observation', [batch, O])), input('wanted', [batch, 1]))));
  const update = adamW({ block, loss, learningRate: input('learningRate', [1]) });
  const training = compile({ name: 'progress', outputs: { loss }, updates: [update] }, how);
  const draws = new Draws(seed, 0x50524f47 + k);
  const index = new Int32Array(batch);
  for (let step = 0; step < steps; step++) {
    draws.integers(index, seen.length);
    for (let row = 0; row < batch; row++) {
      const at = seen[index[row]!]!;
      inputOf(training, 'observation').set(demos.observation.subarray(at * O, (at + 1) * O), row * O);
      inputOf(training, 'wanted')[row] = wanted[at]!;
    }
    inputOf(training, 'learningRate')[0] = (learning_rate * (1 + Math.cos((Math.PI * step) / steps))) / 2;
    training.run();
  }
  training.close();
  const outputs = { share: predict(input('observation', [held.length, O])) };
  const reading = compile({ name: 'progress of a fold', outputs }, how);
  for (const [row, at] of held.entries())
    inputOf(reading, 'observation').set(demos.observation.subarray(at * O, (at + 1) * O), row * O);
  reading.run();
  for (const [row, at] of held.entries()) outPredicted[at] = outputOf(reading, 'share')[row]!;
  reading.close();
}
