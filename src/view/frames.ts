import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';

/** Strips of several frames, and mp4 files where ffmpeg is installed. */

/** Frames of one size side by side, a white gap between them. @throws SHAPE without frames or of many sizes */
export function filmstrip(frames: readonly Picture[], gap = 4): Picture {
  const [first] = frames;
  if (!first) throw new VernierError('SHAPE', 'a strip needs at least one frame');
  const width = frames.length * (first.width + gap) - gap;
  const rgb = new Uint8Array(3 * width * first.height).fill(255);
  for (const [index, frame] of frames.entries()) {
    if (frame.width !== first.width || frame.height !== first.height) {
      throw new VernierError(
        'SHAPE',
        `frame ${index} of the strip has ${frame.width} x ${frame.height} pixels, expected ${first.width} x ${first.height}`,
      );
    }
    const left = index * (first.width + gap);
    for (let row = 0; row < first.height; row++) {
      const line = frame.rgb.subarray(3 * row * first.width, 3 * (row + 1) * first.width);
      rgb.set(line, 3 * (row * width + left));
    }
  }
  return { width, height: first.height, rgb };
}

/** `count` indices of 0..length-1, evenly spaced, first and last among them; all where there are no more. */
export function evenlySpaced(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  if (count === 1) return [length - 1];
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
}

export function ffmpegAvailable(): boolean {
  return spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' }).status === 0;
}

/** Encodes frames as they come; the mp4 plays in browsers.
 * @throws IO with ffmpeg's own words when it fails, also on a full disk */
export async function writeMp4(
  path: string,
  frames: Iterable<Picture>,
  framesPerSecond: number,
): Promise<void> {
  let encoder: Encoder | undefined;
  try {
    for (const frame of frames) {
      encoder ??= startEncoder(path, frame, framesPerSecond);
      await encoder.write(frame.rgb);
    }
  } catch (error) {
    encoder?.abort();
    throw error;
  }
  if (!encoder) throw new VernierError('SHAPE', `no frames to write to ${path}`);
  await encoder.end();
}

export interface Encoder {
  write(rgb: Uint8Array): Promise<void>;
  end(): Promise<void>;
  abort(): void;
}

/** Starts ffmpeg on frames of this size. */
export function startEncoder(path: string, { width, height }: Picture, framesPerSecond: number): Encoder {
  const input = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${width}x${height}`];
  // yuv420p wants even sides; players know nothing else.
  const output = ['-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2', '-pix_fmt', 'yuv420p', '-movflags', '+faststart'];
  const child: ChildProcessByStdio<Writable, null, Readable> = spawn(
    'ffmpeg',
    ['-y', '-loglevel', 'error', ...input, '-framerate', String(framesPerSecond), '-i', '-', ...output, path],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let complaint = '';
  child.stderr.on('data', (text) => {
    complaint += text;
  });
  let ended = false;
  const closed = new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new VernierError('IO', `ffmpeg could not write ${path}: ${why}`));
    child.on('error', (error) => fail(error.message));
    child.on('close', (code) => {
      ended = true;
      if (code === 0) resolve();
      else fail(complaint.trim() || `it ended with code ${code}`);
    });
  });
  closed.catch(() => {}); // whoever writes or ends next is told
  child.stdin.on('error', () => {}); // a broken pipe: what ffmpeg said on closing is the cause
  return {
    async write(rgb) {
      if (ended || !child.stdin.writable) await closed;
      if (child.stdin.write(rgb)) return;
      const drained = new Promise<void>((resolve) => child.stdin.once('drain', resolve));
      await Promise.race([drained, closed]);
    },
    async end() {
      child.stdin.end();
      await closed;
    },
    abort() {
      child.kill();
    },
  };
}
