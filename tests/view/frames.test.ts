import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { PNG } from 'pngjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Picture } from '#core/frame';
import { encodePng } from '#core/png';
import { evenlySpaced, ffmpegAvailable, filmstrip, writeMp4 } from '#view/frames';

/** A picture whose pixel (x, y) is [x, y, mark]. */
function ramp(width: number, height: number, mark: number): Picture {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) rgb.set([i % width, Math.floor(i / width), mark], 3 * i);
  return { width, height, rgb };
}

describe('pictures', () => {
  it('come back from a PNG as they were', () => {
    const picture = ramp(7, 5, 200);
    const { width, height, data } = PNG.sync.read(Buffer.from(encodePng(picture)));
    expect([width, height]).toEqual([7, 5]);
    for (let i = 0; i < 35; i++) {
      expect([...data.subarray(4 * i, 4 * i + 4)]).toEqual([i % 7, Math.floor(i / 7), 200, 255]);
    }
  });

  it('stand side by side in a strip, with a white gap', () => {
    const strip = filmstrip([ramp(4, 3, 10), ramp(4, 3, 20), ramp(4, 3, 30)], 2);
    expect([strip.width, strip.height]).toEqual([16, 3]);
    const pixel = (x: number, y: number) => [...strip.rgb.subarray(3 * (16 * y + x), 3 * (16 * y + x) + 3)];
    expect(pixel(0, 0)).toEqual([0, 0, 10]);
    expect(pixel(3, 2)).toEqual([3, 2, 10]);
    expect(pixel(4, 1)).toEqual([255, 255, 255]);
    expect(pixel(6, 1)).toEqual([0, 1, 20]);
    expect(pixel(15, 2)).toEqual([3, 2, 30]);
  });

  it('of several sizes, or none, make no strip', () => {
    expect(() => filmstrip([])).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    expect(() => filmstrip([ramp(4, 3, 0), ramp(4, 2, 0)])).toThrow(/frame 1 .* 4 x 2 .* 4 x 3/);
  });

  it('are picked evenly, first and last among them', () => {
    expect(evenlySpaced(101, 5)).toEqual([0, 25, 50, 75, 100]);
    expect(evenlySpaced(3, 5)).toEqual([0, 1, 2]);
    expect(evenlySpaced(9, 1)).toEqual([8]);
  });
});

describe('mp4', () => {
  let folder: string;
  const path = process.env.PATH;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vernier-frames-'));
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });

  /** Puts a program named ffmpeg first on the PATH. */
  function standIn(script: string): void {
    writeFileSync(join(folder, 'ffmpeg'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env.PATH = `${folder}${delimiter}${path}`;
  }

  it('hands every frame to ffmpeg, in order', async () => {
    const out = join(folder, 'out.raw');
    standIn('for last; do :; done; cat > "$last"');
    const frames = Array.from({ length: 30 }, (_, i) => ramp(64, 48, i));
    await writeMp4(out, frames, 20);
    expect(readFileSync(out)).toEqual(Buffer.concat(frames.map(({ rgb }) => rgb)));
  });

  it("says ffmpeg's own words when it fails, early or late", async () => {
    standIn('echo "No space left on device" >&2; exit 1');
    const frames = Array.from({ length: 50 }, (_, i) => ramp(64, 48, i));
    const refused = { code: 'IO', message: expect.stringContaining('No space left on device') };
    await expect(writeMp4('out.mp4', frames, 20)).rejects.toMatchObject(refused);
    standIn('cat > /dev/null; echo "No space left on device" >&2; exit 1');
    await expect(writeMp4('out.mp4', frames, 20)).rejects.toMatchObject(refused);
  });

  it('passes on what the source of the frames throws', async () => {
    standIn('cat > /dev/null');
    function* broken() {
      yield ramp(4, 4, 0);
      throw new Error('no more');
    }
    await expect(writeMp4('out.mp4', broken(), 20)).rejects.toThrow('no more');
    await expect(writeMp4('out.mp4', [], 20)).rejects.toMatchObject({ code: 'SHAPE' });
  });

  it.skipIf(!ffmpegAvailable())('plays back with the size, rate and length it was given', async () => {
    const out = join(folder, 'out.mp4');
    await writeMp4(
      out,
      Array.from({ length: 10 }, (_, i) => ramp(65, 48, 20 * i)),
      20,
    );
    const probe = spawnSync('ffmpeg', ['-i', out, '-f', 'null', '-'], { encoding: 'utf8' });
    expect(probe.stderr).toMatch(/66x48/);
    expect(probe.stderr).toMatch(/20 fps/);
    expect(probe.stderr).toMatch(/frame=\s*10\b/);
  });
});
