import { createHash } from 'node:crypto';
import { VernierError } from '#core/errors';
import type { Frame, Moment, Scorer, ScorerContext, Scores } from '#reward/score';
import type { GoalImageSpec } from '#spec/scores/goalImageSchema';

/** How much a moment looks like the goal: the cosine of its pixels, their mean taken off, to the goal's, averaged over the
 * views; 0 at the likeness of the reference's start and 1 at that of the goal itself.
 * @throws DATA without a start and a goal to compare with */
export async function makeGoalImageScorer(
  { features }: GoalImageSpec,
  { start, goal }: ScorerContext,
): Promise<Scorer> {
  if (!start || !goal)
    throw new VernierError('DATA', 'goal-image: there is no picture of the goal to compare with', {
      hint: 'it comes from a demonstration that succeeded: record some with the present task file',
    });
  const goals = goal.views.map(centred);
  const least = likeness(start, goals);
  const score = (moment: Moment): number => {
    const risen = (likeness(moment, goals) - least) / (1 - least);
    return Math.min(1, Math.max(0, risen));
  };
  return {
    scope: 'moment',
    model: hash('goal-image', features),
    prompt: hash(...[...start.views, ...goal.views].map((view) => view.hash)),
    score: async (requests) =>
      requests.map(({ moments }): Scores => {
        const from = performance.now();
        const phi = Float64Array.from(moments, score);
        return {
          phi,
          confidence: new Float64Array(moments.length).fill(1),
          latencyMs: performance.now() - from,
        };
      }),
    close: async () => {},
  };
}

function likeness({ views }: Moment, goals: readonly Float64Array[]): number {
  let sum = 0;
  for (const [v, goal] of goals.entries()) sum += cosine(centred(views[v]!), goal) / goals.length;
  return sum;
}

function centred({ rgb }: Frame): Float64Array {
  const values = Float64Array.from(rgb);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

function cosine(a: Float64Array, b: Float64Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.sqrt(aa * bb + 1e-12);
}

function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}
