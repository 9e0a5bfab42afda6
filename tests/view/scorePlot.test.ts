import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import type { Picture } from '#core/frame';
import { renderSvg, svgToPng } from '#view/plots';
import { scorePlotSpec, scoreStripSvg } from '#view/scorePlot';

const blue = (width: number, height: number): Picture => {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 2; i < rgb.length; i += 3) rgb[i] = 255;
  return { width, height, rgb };
};

describe('scores over time', () => {
  it('are a line per episode in the colour of its outcome, broken where a score is missing', async () => {
    const svg = await renderSvg(
      scorePlotSpec(
        'lift: progress',
        [
          { success: true, samples: [0, 5, 10, 15, 20], phi: [0, 0.4, Number.NaN, 0.6, 1] },
          { success: false, samples: [0, 5], phi: [0, 0.1] },
        ],
        0.05,
      ),
    );
    expect(svg).toContain('lift: progress');
    const lines = [...svg.matchAll(/<path[^>]*aria-roledescription="line mark"[^>]*>/g)].map(
      ([path]) => path,
    );
    const colours = lines.map((path) => /stroke="([^"]+)"/.exec(path)![1]);
    expect(colours.sort()).toEqual(['#2ea043', '#d03c30']);
    const broken = lines.find((path) => path.includes('#2ea043'))!;
    expect(/ d="([^"]+)"/.exec(broken)![1]!.match(/M/g)).toHaveLength(2);
    expect(lines.find((path) => path.includes('#d03c30'))).toMatch(/ d="M[^M]+"/);
  });
});

describe('a strip with scores', () => {
  it('shows each picture with a bar as long as its score, none where it is missing', () => {
    const svg = scoreStripSvg([
      {
        title: 'expert <a>: success',
        success: true,
        frames: [0.25, 1, Number.NaN].map((score, i) => ({ time: i, score, picture: blue(40, 30) })),
      },
      { title: 'base: failure', success: false, frames: [{ time: 0, score: 0.5, picture: blue(40, 30) }] },
    ]);
    expect(svg).toContain('expert &lt;a>: success');
    expect(svg).toContain('2.0 s: no score');
    const { width, height, data } = PNG.sync.read(Buffer.from(svgToPng(svg, 1)));
    const is = (x: number, y: number, [r, g, b]: readonly number[]) =>
      [r, g, b].every((value, c) => Math.abs(data[4 * (y * width + x) + c]! - value!) < 3);
    const count = (colour: readonly number[], top: number, bottom: number) => {
      let pixels = 0;
      for (let y = top; y < bottom; y++) for (let x = 0; x < width; x++) if (is(x, y, colour)) pixels++;
      return pixels;
    };
    expect(count([0, 0, 255], 0, height)).toBe(4 * 40 * 30);
    // Five rows of a bar, between the picture and the words under it.
    expect(count([0x2e, 0xa0, 0x43], 6 + 18 + 30, 6 + 18 + 30 + 9)).toBe(5 * (10 + 40));
    const second = 6 + 18 + 30 + 30;
    expect(count([0xd0, 0x3c, 0x30], second + 18 + 30, second + 18 + 30 + 9)).toBe(5 * 20);
  });
});
