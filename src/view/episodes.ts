import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { encodePng } from '#core/png';
import type { ScenePose } from '#env/renderer';
import type { VectorEnv } from '#env/vectorEnv';
import { evenlySpaced, ffmpegAvailable, filmstrip, writeMp4 } from '#view/frames';
import type { Painter } from '#view/views';

/** Episodes played for the eye: recorded as poses first, drawn afterwards, so that the simulation does not wait
 * for pictures and a strip can be cut once the length is known. */

/** Anything that acts in one environment: a policy as it is, an expert behind two lines. */
export interface Actor {
  reset(): void;
  /** @shape observation [1,O], outAction [1,A] */
  act(observation: Float32Array, outAction: Float32Array): void | Promise<void>;
  close?(): void;
}

/** Which episode of a seed: episode e of environment i has the same start whatever the size of the batch. */
export interface EpisodeId {
  readonly environment: number;
  readonly episode: number;
}

export interface RecordedEpisode extends EpisodeId {
  readonly seed: number;
  readonly success: boolean;
  /** The start, then the scene after each control step. */
  readonly poses: readonly ScenePose[];
}

export type PlayedEnv = Pick<
  VectorEnv,
  | 'B'
  | 'horizon'
  | 'observation'
  | 'action'
  | 'terminated'
  | 'truncated'
  | 'success'
  | 'faults'
  | 'reset'
  | 'step'
  | 'readCopy'
>;

/** Plays one episode in an environment of one row that does not reset itself.
 * @throws PHYSICS when the simulation breaks off */
export async function recordEpisode(
  env: PlayedEnv,
  actor: Actor,
  { seed, environment, episode }: EpisodeId & { readonly seed: number },
): Promise<RecordedEpisode> {
  if (env.B !== 1) throw new VernierError('SHAPE', `recording needs an environment of one row, not ${env.B}`);
  env.reset({ seed, episode, firstEnvironment: environment });
  actor.reset();
  const poses: ScenePose[] = [env.readCopy(0)];
  for (let ended = false; !ended; ) {
    await actor.act(env.observation, env.action);
    env.step();
    const [fault] = env.faults;
    if (fault) throw new VernierError('PHYSICS', `episode ${episode}, step ${fault.step}: ${fault.cause}`);
    poses.push(env.readCopy(0));
    ended = env.terminated[0] === 1 || env.truncated[0] === 1;
  }
  return { seed, environment, episode, success: env.success[0] === 1, poses };
}

/** Frames of a strip, evenly spaced over the episode, its first and last moment among them. */
export function episodeStrip(painter: Painter, { poses }: RecordedEpisode, frames: number): Picture {
  return filmstrip(evenlySpaced(poses.length, frames).map((i) => painter.render(poses[i]!)));
}

export interface SaveOptions {
  /** Of the strip. */
  readonly frames?: number;
  readonly framesPerSecond: number;
  /** Write no mp4 even where ffmpeg is installed. */
  readonly stripOnly?: boolean;
}

/** Writes `<name>.png`, a strip, and `<name>.mp4` where ffmpeg is installed; returns the paths.
 * @throws IO when a file cannot be written */
export async function saveEpisode(
  directory: string,
  name: string,
  painter: Painter,
  episode: RecordedEpisode,
  { frames = 6, framesPerSecond, stripOnly = false }: SaveOptions,
): Promise<string[]> {
  const strip = join(directory, `${name}.png`);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(strip, encodePng(episodeStrip(painter, episode, frames)));
  } catch (cause) {
    if (cause instanceof VernierError) throw cause;
    throw new VernierError('IO', `cannot write ${strip}: ${(cause as Error).message}`, { cause });
  }
  if (stripOnly || !ffmpegAvailable()) return [strip];
  const video = join(directory, `${name}.mp4`);
  await writeMp4(video, pictures(painter, episode), framesPerSecond);
  return [strip, video];
}

function* pictures(painter: Painter, { poses }: RecordedEpisode): Generator<Picture> {
  for (const pose of poses) yield painter.render(pose);
}
