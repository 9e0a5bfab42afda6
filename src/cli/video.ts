import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PolicyName } from '#cli/arguments';
import { makeNamedPolicy, type Subject } from '#cli/subject';
import { VernierError } from '#core/errors';
import type { ResolvedTask } from '#spec/resolved';
import { filmEpisodes } from '#view/episodeFilm';
import type { RecordedEpisode } from '#view/episodes';
import { type Film, filmEnding, openFilm, requireFilm } from '#view/film';
import { playEpisodes } from '#view/play';
import { Views } from '#view/views';

/** `--video` of play, eval and train. */

/** The file that the flag means: a name, or `video` with this machine's ending in the folder. Asked before anything is
 * computed. @throws USAGE as requireFilm; BACKEND where this machine cannot draw or not encode */
export function videoPath(flag: string | true, folder: string): string {
  const path = flag === true ? join(folder, `video${filmEnding()}`) : flag;
  requireFilm(path);
  new Views({ xml: '<mujoco/>', files: new Map() }, { width: 16, height: 16 }).close();
  return path;
}

export function openVideo(flag: string | true, folder: string, task: ResolvedTask): Film {
  const path = videoPath(flag, folder);
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new VernierError('IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  return openFilm(path, 1 / task.control.period);
}

/** Films policies side by side from the first starts of the evaluation, one start after the other; each camera of the task,
 * or the whole model where it has none.
 * @throws BACKEND where this machine cannot draw */
export async function filmPolicies(
  subject: Subject,
  names: readonly PolicyName[],
  path: string,
  { starts = 3, side = 240 }: { readonly starts?: number; readonly side?: number } = {},
): Promise<void> {
  const { task } = subject;
  const { seed } = task.spec.evaluation;
  const cameras = task.cameras.map(({ view }) => view);
  const views = new Views(task.model, { width: side, height: side, cameras });
  try {
    const recorded: RecordedEpisode[][] = [];
    for (const name of names) {
      const played: RecordedEpisode[] = [];
      const episodes = Array.from({ length: starts }, (_, environment) => ({ environment, episode: 0 }));
      const makeActor = (env: Parameters<typeof makeNamedPolicy>[2]) =>
        makeNamedPolicy(subject, name, env, seed);
      for await (const each of playEpisodes({ task, seed, episodes, makeActor })) played.push(each.recorded);
      recorded.push(played);
    }
    const film = openVideo(path, '.', task);
    try {
      for (let start = 0; start < starts; start++)
        await filmEpisodes(
          film,
          views,
          recorded.map((played) => played[start]!),
          1 / task.control.period,
        );
      await film.end();
    } catch (error) {
      film.abort();
      throw error;
    }
  } finally {
    views.close();
  }
}
