import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { VernierError } from '#core/errors';
import { type Frame, makeFrame } from '#core/frame';
import { decodePng } from '#core/png';
import { calibrated } from '#reward/backends/calibration';
import { likeness, openFeatures } from '#reward/backends/placeFeatures';
import type { Moment, Scorer, ScorerContext, Scores } from '#reward/score';
import type { GoalImageSpec } from '#spec/scores/goalImageSchema';

/** How much a moment looks like the goal: the cosine of its features to the goal's, averaged over the places and the views: of
 * every place, since features pooled over the picture lose where things are.
 * 0 at the likeness of a demonstration's start and 1 at that of the goal itself, unless calibrated otherwise.
 * @throws DATA without a goal and a start to compare with; IO for a file; BACKEND, DATA as openFeatures */
export async function makeGoalImageScorer(
  settings: GoalImageSpec,
  { directory, start, goal }: ScorerContext,
): Promise<Scorer> {
  const ends = settings.goal?.map((path) => readPng(resolve(directory, path))) ?? goal?.views;
  if (!ends || !(start || settings.calibrate))
    throw new VernierError(
      'DATA',
      'goal-image: there is no picture of the goal and of a start to compare with',
      {
        hint: 'they come from a demonstration that succeeded: record some with the present task file, or give goal and calibrate',
      },
    );
  const features = await openFeatures(settings.features, (path) => resolve(directory, path));
  const goals = await features.of(ends);

  const raw = async (moments: readonly Moment[]): Promise<Float64Array> => {
    const seen = await features.of(moments.flatMap(({ views }) => views));
    let next = 0;
    return Float64Array.from(moments, ({ views }) => {
      if (views.length !== goals.length) {
        const what = `goal-image: ${views.length} views against ${goals.length} pictures of the goal`;
        throw new VernierError('SHAPE', what, {
          hint: 'one for each of the cameras of the score, in their order',
        });
      }
      return goals.reduce((sum, one) => sum + likeness(seen[next++]!, one), 0) / goals.length;
    });
  };
  const calibration = settings.calibrate ?? { low: (await raw([start!]))[0]!, high: 1 };
  const references = [...ends, ...(settings.calibrate ? [] : start!.views)].map(({ hash }) => hash);
  return {
    scope: 'moment',
    model: sha256(['goal-image', features.hash, JSON.stringify(settings.features)]),
    prompt: sha256([...references, JSON.stringify(settings.calibrate ?? null)]),
    score: async (requests) => {
      const answers: Scores[] = [];
      for (const { moments } of requests) {
        const from = performance.now();
        const phi = (await raw(moments)).map((value) => calibrated(value, calibration));
        const confidence = new Float64Array(moments.length).fill(1);
        answers.push({ phi, confidence, latencyMs: performance.now() - from });
      }
      return answers;
    },
    close: () => features.close(),
  };
}

/** @throws IO, DATA */
function readPng(path: string): Frame {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new VernierError('IO', `${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
  try {
    return makeFrame(path, decodePng(bytes));
  } catch (cause) {
    throw new VernierError('DATA', `${path}: ${(cause as Error).message}`, {
      hint: 'expected a PNG file',
      context: { file: path },
      cause,
    });
  }
}

function sha256(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}
