import { VernierError } from '#core/errors';
import type { FreeCamera } from '#core/frame';
import { makeEnv } from '#env/makeEnv';
import type { RendererOptions } from '#env/renderer';
import type { VectorEnv } from '#env/vectorEnv';
import type { ResolvedTask } from '#spec/resolved';
import { filmEpisodes } from '#view/episodeFilm';
import {
  type Actor,
  type EpisodeId,
  type RecordedEpisode,
  recordEpisode,
  type SaveOptions,
  saveEpisode,
} from '#view/episodes';
import type { Film } from '#view/film';
import { Views } from '#view/views';

/** Plays a policy or the expert on chosen episodes of a task and writes what it looks like. */

export interface PlayOptions {
  readonly task: ResolvedTask;
  /** Makes the actor for an environment of one row; it is closed with the environment. */
  readonly makeActor: (env: VectorEnv) => Actor | Promise<Actor>;
  readonly seed: number;
  readonly episodes: readonly EpisodeId[];
  /** Where the files go; without it nothing is drawn. */
  readonly directory?: string;
  /** What the files' names start with, before the episode and how it ended; the task's name when left out. */
  readonly name?: string;
  readonly picture?: PictureOptions;
  readonly save?: Omit<SaveOptions, 'framesPerSecond'>;
  /** All episodes are added to it, one after the other. */
  readonly film?: Film;
}

/** How an episode is drawn; several cameras stand side by side. */
export type PictureOptions = Partial<Omit<RendererOptions, 'camera'>> & {
  readonly cameras?: Views['cameras'];
};

export interface PlayedEpisode extends EpisodeId {
  readonly success: boolean;
  /** Control steps. */
  readonly steps: number;
  readonly files: readonly string[];
  readonly recorded: RecordedEpisode;
}

/** Yields each episode as it is done.
 * @throws BACKEND when pictures are asked for and this machine cannot draw */
export async function* playEpisodes(options: PlayOptions): AsyncGenerator<PlayedEpisode> {
  const { task, directory, seed, film, name = task.name } = options;
  const framesPerSecond = 1 / task.control.period;
  const views =
    directory === undefined && film === undefined
      ? undefined
      : new Views(task.model, { width: 480, height: 480, samples: 4, ...options.picture });
  const env = await makeEnv(task, { environments: 1, seed, threads: 1, autoReset: false });
  let actor: Actor | undefined;
  try {
    actor = await options.makeActor(env);
    for (const id of options.episodes) {
      const recorded = await recordEpisode(env, actor, { seed, ...id });
      const { success, poses } = recorded;
      const files =
        views && directory !== undefined
          ? await saveEpisode(directory, fileName(name, recorded), views, recorded, {
              ...options.save,
              framesPerSecond,
            })
          : [];
      if (views && film) await filmEpisodes(film, views, [recorded], framesPerSecond);
      yield { ...id, success, steps: poses.length - 1, files, recorded };
    }
  } finally {
    actor?.close?.();
    env.close();
    views?.close();
  }
}

/** `lift_e0_n3_success`: environment 0, its episode 3. */
function fileName(name: string, { environment, episode, success }: RecordedEpisode): string {
  return `${name}_e${environment}_n${episode}_${success ? 'success' : 'failure'}`;
}

/** A camera of the task by its name, else as parseCamera reads it. */
export function taskView({ cameras }: Pick<ResolvedTask, 'cameras'>, text: string): string | FreeCamera {
  return cameras.find(({ name }) => name === text)?.view ?? parseCamera(text);
}

/** `x,y,z,distance,azimuth,elevation` as a free camera, anything else as the name of one.
 * @throws USAGE for a list of another length or with something that is no number */
export function parseCamera(text: string): NonNullable<RendererOptions['camera']> {
  if (!text.includes(',')) return text;
  const numbers = text.split(',').map(Number);
  const [x, y, z, distance, azimuthDeg, elevationDeg] = numbers;
  if (numbers.length !== 6 || !numbers.every(Number.isFinite)) {
    throw new VernierError('USAGE', `'${text}' is no camera`, {
      hint: 'a name, or x,y,z,distance,azimuth,elevation: the point looked at in metres, angles in degrees',
    });
  }
  return {
    lookat: [x!, y!, z!],
    distance: distance!,
    azimuthDeg: azimuthDeg!,
    elevationDeg: elevationDeg!,
  };
}
