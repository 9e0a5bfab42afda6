import { join } from 'node:path';
import { VernierError } from '#core/errors';
import type { Demos } from '#data/demos';
import type { Replay } from '#data/replay';
import type { ScenePose } from '#env/renderer';
import type { TrainEvent } from '#learn/events';
import type { LearnEnv, Problem } from '#learn/problem';
import { demoPoses, referenceOf, scoreDemos } from '#learn/scoredDemos';
import { ScoredRewards } from '#learn/scoredRewards';
import type { CompileOptions } from '#nn/compile';
import { DistilledScores } from '#reward/distilled/distilledScores';
import type { ResolvedReward } from '#spec/resolvedReward';

/** Episodes that wait for the scoring thread, and those it has: enough to draw one while the model looks at another. */
const QUEUE = 64;
const IN_FLIGHT = 4;
/** How long the first picture of a batch waits for others, ms. */
const DEADLINE_MS = 50;

export interface ScoringStart {
  readonly problem: Problem;
  readonly reward: ResolvedReward;
  readonly gamma: number;
  readonly env: LearnEnv;
  readonly demos: Demos;
  /** The demonstrations in a replay, if they are learned from. */
  readonly labelled: Replay | undefined;
  /** The run's: for the answers' log, and networks that learn of them. */
  readonly folder: string;
  readonly seed: number;
  readonly compile: CompileOptions;
  readonly tell: (event: TrainEvent) => void;
}

/** Starts the models that score pictures and has the demonstrations scored.
 * @throws SPEC where the problem has no pictures; what a scorer cannot do */
export async function startScoring({
  problem,
  reward,
  gamma,
  env,
  demos,
  labelled,
  folder,
  seed,
  compile,
  tell,
}: ScoringStart): Promise<{ readonly scored: ScoredRewards; readonly close: () => Promise<void> }> {
  const { pictures } = problem;
  if (!pictures || !env.readCopy)
    throw new VernierError('SPEC', `${problem.task} has no pictures that a model could score`);
  const poseOf = env.readCopy.bind(env);
  const { scores, camera: task } = pictures;
  const poses = scores.length > 0 ? await posesOf(pictures, demos) : demos.episodes.map(() => undefined);
  const unknown = poses.filter((episode) => !episode).length;
  if (scores.length > 0 && unknown > 0)
    tell({
      kind: 'note',
      text: `${unknown} of ${poses.length} demonstrations cannot be drawn, since their actions lead elsewhere here: they get no scores`,
    });
  const note = (text: string): void => tell({ kind: 'note', text });
  const distilled =
    pictures.distilled.length > 0
      ? new DistilledScores({
          ...{ scores: pictures.distilled, fields: problem.observationFields, note },
          ...{ seed, compile, folder },
        })
      : undefined;
  const scored = await ScoredRewards.start({
    ...{ reward, gamma, rows: env.B, poseOf, note },
    ...(distilled ? { distilled } : {}),
    ...(scores.length > 0
      ? {
          service: {
            ...{ task, scores, reference: referenceOf(demos, poses) },
            ...{
              log: join(folder, 'scores.log'),
              queue: QUEUE,
              inFlight: IN_FLIGHT,
              deadlineMs: DEADLINE_MS,
            },
          },
        }
      : {}),
  });
  const close = (): Promise<void> => scored.close();
  try {
    if (labelled)
      await scoreDemos(demos, labelled, poses, scored, (done, total) =>
        tell({ kind: 'scored demos', done, total }),
      );
  } catch (error) {
    await close();
    throw error;
  }
  return { scored, close };
}

async function posesOf(
  pictures: NonNullable<Problem['pictures']>,
  demos: Demos,
): Promise<(readonly ScenePose[] | undefined)[]> {
  const env = await pictures.makeEnv();
  try {
    return demoPoses(env, demos);
  } finally {
    env.close();
  }
}
