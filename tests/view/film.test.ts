import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { PNG } from 'pngjs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Picture } from '#core/frame';
import type { ScenePose } from '#env/renderer';
import { filmEpisodes } from '#view/episodeFilm';
import type { RecordedEpisode } from '#view/episodes';
import { type Film, filmEnding, openFilm } from '#view/film';
import { ffmpegAvailable } from '#view/frames';

const folder = mkdtempSync(join(tmpdir(), 'vernier-film-'));
afterAll(() => rmSync(folder, { recursive: true }));
const searchPath = process.env.PATH;
afterEach(() => {
  process.env.PATH = searchPath;
});

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}

/** The chunks of a PNG file, their lengths and checks looked at. */
function chunks(file: string): Chunk[] {
  const bytes = readFileSync(file);
  expect(bytes.subarray(1, 4).toString()).toBe('PNG');
  const found: Chunk[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
    found.push({
      type: bytes.toString('latin1', at + 4, at + 8),
      data: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 12 + length;
  }
  return found;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A still PNG of compressed rows, read by another program's decoder. */
function decode(width: number, height: number, data: Uint8Array): PNG {
  const chunk = (type: string, body: Uint8Array) => {
    const named = Buffer.concat([Buffer.from(type), body]);
    return Buffer.concat([u32(body.length), named, u32(crc32(named))]);
  };
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([8, 2, 0, 0, 0])]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return PNG.sync.read(
    Buffer.concat([
      signature,
      chunk('IHDR', header),
      chunk('IDAT', data),
      chunk('IEND', deflateSync('').subarray(0, 0)),
    ]),
  );
}

/** The frames as a player shows them, one over the other. */
function play(file: string): { frames: Uint8Array[]; delays: number[]; declared: number } {
  const all = chunks(file);
  const [width, height] = [all[0]!.data.readUInt32BE(0), all[0]!.data.readUInt32BE(4)];
  const canvas = new Uint8Array(3 * width * height);
  const frames: Uint8Array[] = [];
  const delays: number[] = [];
  let sequence = 0;
  let control: Buffer | undefined;
  for (const { type, data } of all) {
    if (type === 'fcTL' || type === 'fdAT') expect(data.readUInt32BE(0)).toBe(sequence++);
    if (type === 'fcTL') control = data;
    if (type !== 'IDAT' && type !== 'fdAT') continue;
    const [w, h, x, y] = [4, 8, 12, 16].map((at) => control!.readUInt32BE(at)) as [
      number,
      number,
      number,
      number,
    ];
    delays.push(control!.readUInt16BE(20) / control!.readUInt16BE(22));
    const still = decode(w, h, type === 'IDAT' ? data : data.subarray(4));
    for (let row = 0; row < h; row++)
      for (let column = 0; column < w; column++)
        canvas.set(
          still.data.subarray(4 * (row * w + column), 4 * (row * w + column) + 3),
          3 * ((y + row) * width + x + column),
        );
    frames.push(canvas.slice());
  }
  return { frames, delays, declared: all.find(({ type }) => type === 'acTL')!.data.readUInt32BE(0) };
}

async function write(film: Film, frames: readonly Picture[]): Promise<void> {
  for (const frame of frames) await film.add(frame);
  await film.end();
}

const grey = (width: number, height: number, value: number): Picture => ({
  width,
  height,
  rgb: new Uint8Array(3 * width * height).fill(value),
});

describe('an animated PNG', () => {
  it('shows every frame as it was given, whatever changes between them', async () => {
    const picture = fc.uint8Array({ minLength: 3 * 7 * 5, maxLength: 3 * 7 * 5 });
    const sparse = fc.array(fc.tuple(fc.nat(104), fc.nat(255)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(picture, fc.array(sparse, { maxLength: 6 }), async (first, changes) => {
        const frames = [first];
        for (const change of changes) {
          const next = frames.at(-1)!.slice();
          for (const [at, value] of change) next[at] = value;
          frames.push(next);
        }
        const path = join(folder, 'a.apng');
        await write(
          openFilm(path, 20),
          frames.map((rgb) => ({ width: 7, height: 5, rgb })),
        );
        const shown = play(path);
        expect(shown.frames).toEqual(frames.map((rgb) => new Uint8Array(rgb)));
        expect(shown.declared).toBe(frames.length);
        expect(new Set(shown.delays)).toEqual(new Set([0.05]));
      }),
      { numRuns: 50 },
    );
  });

  it.skipIf(!ffmpegAvailable())('is read by ffmpeg, with its size, rate and length', async () => {
    const path = join(folder, 'b.apng');
    await write(
      openFilm(path, 20),
      Array.from({ length: 10 }, (_, i) => grey(65, 48, 20 * i)),
    );
    const probe = spawnSync('ffmpeg', ['-i', path, '-f', 'null', '-'], { encoding: 'utf8' });
    expect(probe.stderr).toMatch(/apng.*65x48.*20 fps/);
    expect(probe.stderr).toMatch(/frame=\s*10\b/);
  });

  it('refuses frames of another size, no frames, and a place that cannot be written', async () => {
    const film = openFilm(join(folder, 'c.png'), 20);
    await film.add(grey(4, 4, 1));
    await expect(film.add(grey(4, 5, 1))).rejects.toMatchObject({ code: 'SHAPE' });
    film.abort();
    await expect(openFilm(join(folder, 'd.apng'), 20).end()).rejects.toMatchObject({ code: 'SHAPE' });
    expect(() => openFilm('/dev/null/e.apng', 20)).toThrow(expect.objectContaining({ code: 'IO' }));
  });
});

describe('the ending of a film', () => {
  it('says how it is written; mp4 without ffmpeg is one line with two ways out', () => {
    expect(() => openFilm('film.gif', 20)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('.mp4 or .apng') }),
    );
    process.env.PATH = folder;
    expect(filmEnding()).toBe('.apng');
    expect(() => openFilm(join(folder, 'film.mp4'), 20)).toThrow(
      expect.objectContaining({
        code: 'BACKEND',
        message: expect.stringContaining('needs ffmpeg'),
        hint: expect.stringMatching(/apt-get install -y ffmpeg.*\.apng/),
      }),
    );
  });
});

describe('episodes in a film', () => {
  /** Paints a pose as a grey of its first number. */
  const painter = { render: ({ qpos }: ScenePose) => grey(6, 4, qpos[0]!) };
  const episode = (success: boolean, ...values: number[]): RecordedEpisode => ({
    seed: 1,
    environment: 0,
    episode: 0,
    success,
    poses: values.map((value) => ({ qpos: Float64Array.of(value) })),
  });

  it('run side by side, wait for the longest, and end in the colour of their outcome', async () => {
    const pictures: Picture[] = [];
    const film = {
      path: '',
      add: async (picture: Picture) => void pictures.push(picture),
    } as unknown as Film;
    await filmEpisodes(film, painter, [episode(true, 10, 20), episode(false, 30, 40, 50)], 10);
    expect(pictures).toHaveLength(3 + 6);
    const width = 2 * (6 + 8) + 4;
    const pixel = ({ rgb }: Picture, x: number, y: number) => [
      ...rgb.subarray(3 * (width * y + x), 3 * (width * y + x) + 3),
    ];
    const [left, right] = [4, 14 + 4 + 4];
    const values = pictures.map((picture) => [pixel(picture, left, 4)[0], pixel(picture, right, 4)[0]]);
    expect(values.slice(0, 4)).toEqual([
      [10, 30],
      [20, 40],
      [20, 50],
      [20, 50],
    ]);
    const border = pictures.map((picture) => [pixel(picture, 0, 0), pixel(picture, right - 4, 0)]);
    const [white, green, red] = [
      [255, 255, 255],
      [46, 160, 67],
      [208, 60, 48],
    ];
    expect(border.slice(0, 3)).toEqual([
      [white, white],
      [green, white],
      [green, red],
    ]);
  });
});
