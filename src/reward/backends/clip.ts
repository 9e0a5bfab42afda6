import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { VernierError } from '#core/errors';
import type { Moment } from '#core/frame';
import { calibrated } from '#reward/backends/calibration';
import { ImageTextModel } from '#reward/backends/imageTextModel';
import type { Scorer, ScorerContext, Scores } from '#reward/score';
import type { ClipSpec } from '#spec/scores/clipSchema';

/** A score by a model that embeds pictures and texts in one space. */
export interface ClipScorer extends Scorer {
  /** Before the calibration, for measuring one. @shape result [moments], in [-1, 1] */
  raw(moments: readonly Moment[]): Promise<Float64Array>;
}

/** The goal-baseline reward of each moment, averaged over its views, then calibrated to [0,1].
 * @throws IO, DATA, BACKEND as ImageTextModel.load; DATA where goal and baseline mean the same to the model */
export async function makeClipScorer(settings: ClipSpec, context: ScorerContext): Promise<ClipScorer> {
  const { variant, threads, calibrate } = settings;
  const words = wordsOf(settings, context);
  const model = await ImageTextModel.load(resolve(context.directory, settings.model), {
    threads,
    ...(variant === undefined ? {} : { variant }),
  });
  const goal = mean(await model.embedTexts(words.goal));
  const baseline = words.baseline && mean(await model.embedTexts(words.baseline));
  const reward = goalBaselineReward(goal, baseline, words.alpha);

  const raw = async (moments: readonly Moment[]): Promise<Float64Array> => {
    const embeddings = await model.embedImages(moments.flatMap(({ views }) => views));
    let next = 0;
    return Float64Array.from(moments, ({ views }) => {
      const sum = views.reduce((total) => total + reward(embeddings[next++]!), 0);
      return sum / views.length;
    });
  };
  return {
    scope: 'moment',
    model: model.hash,
    prompt: createHash('sha256')
      .update(JSON.stringify({ ...words, calibrate }))
      .digest('hex'),
    raw,
    score: async (requests) => {
      const answers: Scores[] = [];
      for (const { moments } of requests) {
        const from = performance.now();
        const phi = (await raw(moments)).map((value) => calibrated(value, calibrate));
        const confidence = new Float64Array(moments.length).fill(1);
        answers.push({ phi, confidence, latencyMs: performance.now() - from });
      }
      return answers;
    },
    close: () => model.close(),
  };
}

interface Words {
  readonly goal: readonly string[];
  readonly baseline: readonly string[] | undefined;
  readonly alpha: number;
}

function wordsOf({ goal, baseline, alpha }: ClipSpec, { instruction }: ScorerContext): Words {
  if (!goal && instruction === '') {
    throw new VernierError('SPEC', 'clip: there are no words for the goal', {
      hint: 'give the score a goal, or the task a description',
    });
  }
  return { goal: goal ?? [instruction], baseline, alpha: alpha ?? (baseline ? 0.5 : 0) };
}

/** 1 - |(x - g) (alpha P + (1 - alpha) I)|^2 / 2 with P the projection onto the line from baseline to goal, d d^T / |d|^2 for
 * d = g - b. alpha = 0 is the cosine of x and g; alpha = 1 sees only what lies between baseline and goal.
 * @shape goal, baseline [D]: means of unit vectors; the result's x [D]: a unit vector
 * @throws DATA where d = 0
 * @source Rocamonde 2023 (VLM-RM), arXiv:2310.12921, Def. 1; differs: none */
export function goalBaselineReward(
  goal: Float64Array,
  baseline: Float64Array | undefined,
  alpha: number,
): (x: Float64Array) => number {
  const d = baseline ? goal.map((g, i) => g - baseline[i]!) : new Float64Array(goal.length);
  const length = d.reduce((sum, value) => sum + value * value, 0);
  if (alpha > 0 && !(length > 1e-12))
    throw new VernierError('DATA', 'clip: goal and baseline mean the same to the model', {
      hint: 'word them differently, or leave the baseline out',
    });
  return (x) => {
    const v = x.map((value, i) => value - goal[i]!);
    const along = alpha > 0 ? v.reduce((sum, value, i) => sum + value * d[i]!, 0) / length : 0;
    const squared = v.reduce((sum, value, i) => sum + (alpha * along * d[i]! + (1 - alpha) * value) ** 2, 0);
    return 1 - squared / 2;
  };
}

function mean(vectors: readonly Float64Array[]): Float64Array {
  return vectors[0]!.map((_, i) => vectors.reduce((sum, v) => sum + v[i]!, 0) / vectors.length);
}
