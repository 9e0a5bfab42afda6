import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyName } from '#cli/arguments';
import { makeNamedPolicy, type Subject } from '#cli/subject';
import { VernierError } from '#core/errors';
import type { EpisodeId } from '#view/episodes';
import { type PlayedEpisode, playEpisodes } from '#view/play';
import { drawTrajectories as draw } from '#view/trajectories';

/** How many starts are tried for one that tells base and policy apart. */
const STARTS = 12;

async function play(
  subject: Subject,
  name: PolicyName,
  episodes: readonly EpisodeId[],
  directory?: string,
): Promise<PlayedEpisode[]> {
  const { task } = subject;
  const { seed } = task.spec.evaluation;
  const played: PlayedEpisode[] = [];
  const each = playEpisodes({
    task,
    seed,
    episodes,
    makeActor: (env) => makeNamedPolicy(subject, name, env, seed),
    name: name === 'policy' ? 'base_and_residual' : name,
    ...(directory === undefined
      ? {}
      : {
          directory,
          picture: { width: 300, height: 300, shadows: true, samples: 4 },
          save: { frames: 5, stripOnly: true },
        }),
  });
  for await (const episode of each) played.push(episode);
  return played;
}

/** Strips of the base and of what was learned from the same start, in the run's `episodes` folder: a start that the
 * base fails and the policy solves, where there is one among the first few. Resolves to why there are none, where
 * this machine cannot draw. */
export async function drawContrast(folder: string, subject: Subject): Promise<string | undefined> {
  const starts = Array.from({ length: STARTS }, (_, environment) => ({ environment, episode: 0 }));
  const base = await play(subject, 'base', starts);
  const policy = await play(subject, 'policy', starts);
  const telling = starts.find((_, i) => !base[i]!.success && policy[i]!.success) ?? starts[0]!;
  try {
    const directory = join(folder, 'episodes');
    await play(subject, 'base', [telling], directory);
    await play(subject, 'policy', [telling], directory);
    return undefined;
  } catch (error) {
    if (error instanceof VernierError && error.code === 'BACKEND') return error.message;
    throw error;
  }
}

/** Paths of a learned formula from some starts, in the run's `trajectories.svg`. Resolves to why there is no picture, where
 * the task has no position to draw. */
export async function drawTrajectories(folder: string, subject: Subject): Promise<string | undefined> {
  const { task } = subject;
  const { seed } = task.spec.evaluation;
  const svg = await draw({
    task,
    seed,
    episodes: STARTS,
    makePolicy: (env) => makeNamedPolicy(subject, 'policy', env, seed),
  });
  if (svg === undefined) return 'the task has no signal `position`';
  writeFileSync(join(folder, 'trajectories.svg'), svg);
  return undefined;
}
