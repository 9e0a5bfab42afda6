import { extname } from 'node:path';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { ApngWriter } from '#view/apng';
import { ffmpegAvailable, startEncoder } from '#view/frames';

/** Films of pictures that come one by one: mp4 through ffmpeg, or animated PNG, which needs nothing installed. */

export interface Film {
  readonly path: string;
  /** @throws SHAPE for a picture of another size than the first; IO when the file cannot be written */
  add(picture: Picture): Promise<void>;
  /** @throws SHAPE without any picture; IO */
  end(): Promise<void>;
  /** Leaves an unfinished file behind. */
  abort(): void;
}

/** The ending of films on this machine where none is asked for. */
export function filmEnding(): '.mp4' | '.apng' {
  return ffmpegAvailable() ? '.mp4' : '.apng';
}

/** @throws USAGE for another ending than mp4, apng and png; BACKEND for mp4 where ffmpeg is not installed */
export function requireFilm(path: string): 'mp4' | 'apng' {
  const ending = extname(path).toLowerCase();
  if (ending === '.apng' || ending === '.png') return 'apng';
  if (ending !== '.mp4')
    throw new VernierError('USAGE', `${path}: expected a film's name to end in .mp4 or .apng`);
  if (ffmpegAvailable()) return 'mp4';
  throw new VernierError('BACKEND', `${path}: mp4 needs ffmpeg, which is not installed`, {
    hint: 'apt-get install -y ffmpeg, or name the film .apng, which needs nothing and plays in browsers',
  });
}

/** @throws as requireFilm, and IO */
export function openFilm(path: string, framesPerSecond: number): Film {
  return requireFilm(path) === 'mp4' ? mp4(path, framesPerSecond) : apng(path, framesPerSecond);
}

function mp4(path: string, framesPerSecond: number): Film {
  let encoder: ReturnType<typeof startEncoder> | undefined;
  let first: Picture | undefined;
  return {
    path,
    async add(picture) {
      first ??= picture;
      if (picture.width !== first.width || picture.height !== first.height)
        throw new VernierError(
          'SHAPE',
          `a frame of ${picture.width} x ${picture.height} pixels in a film of ${first.width} x ${first.height}`,
        );
      encoder ??= startEncoder(path, first, framesPerSecond);
      await encoder.write(picture.rgb);
    },
    async end() {
      if (!encoder) throw new VernierError('SHAPE', `no frames to write to ${path}`);
      await encoder.end();
    },
    abort: () => encoder?.abort(),
  };
}

function apng(path: string, framesPerSecond: number): Film {
  const writer = new ApngWriter(path, framesPerSecond);
  return {
    path,
    add: async (picture) => writer.write(picture),
    end: async () => writer.end(),
    abort: () => writer.close(),
  };
}
