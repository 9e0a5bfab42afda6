import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { type LearningCurve, learningCurveSpec, renderSvg, scalarCurveSpec, svgToPng } from '#view/plots';

const curve: LearningCurve = {
  title: 'peg_insertion',
  subtitle: 'seed 1',
  series: [
    {
      name: 'base + residual',
      points: [
        { environmentSteps: 0, success: 0, low: 0, high: 0.2 },
        { environmentSteps: 10_000, success: 1, low: 0.8, high: 1 },
      ],
    },
  ],
  base: { name: 'base', success: 0.5, low: 0.4, high: 0.6 },
};

/** The end points of every stroked line mark, in pixels of the plot. */
function lineEnds(svg: string): number[][] {
  const lines = [...svg.matchAll(/mark-line[^>]*>(?:<path[^>]*?\sd="([^"]+)"[^>]*>)/g)].map(([, d]) => d!);
  return lines.map((d) => d.match(/-?\d+(\.\d+)?/g)!.map(Number));
}

describe('plots', () => {
  it('place success on the y axis and steps on the x axis, the base across the whole width', async () => {
    const svg = await renderSvg(learningCurveSpec(curve));
    const [base, learned] = lineEnds(svg);
    expect(base).toEqual([0, 150, 560, 150]);
    expect(learned).toEqual([0, 300, 560, 0]);
    for (const text of ['peg_insertion', 'seed 1', 'base + residual', 'environment steps']) {
      expect(svg).toContain(text);
    }
  });

  it('draw a curve with no point and no base', async () => {
    const svg = await renderSvg(learningCurveSpec({ title: 'empty', series: [{ name: 'a', points: [] }] }));
    expect(svg).toContain('empty');
  });

  it('leave a gap where a scalar is not finite', async () => {
    const values = [1, Number.NaN, 3, 4];
    const points = values.map((value, i) => ({ environmentSteps: i, value }));
    const svg = await renderSvg(
      scalarCurveSpec({ title: 'loss', unit: '', series: [{ name: 'critic', points }] }),
    );
    expect(svg).not.toContain('NaN');
    expect(svg.match(/mark-line.*?d="([^"]+)"/)![1]!.match(/M/g)).toHaveLength(2);
  });

  it('become a PNG of the SVG at the asked scale, in the colours of the series', async () => {
    const svg = await renderSvg(learningCurveSpec(curve));
    const [, width, height] = svg.match(/width="(\d+)" height="(\d+)"/)!.map(Number);
    const png = PNG.sync.read(Buffer.from(svgToPng(svg, 2)));
    expect([png.width, png.height]).toEqual([2 * width!, 2 * height!]);
    let blue = 0;
    for (let i = 0; i < png.data.length; i += 4) {
      if (png.data[i] === 0x25 && png.data[i + 1] === 0x63 && png.data[i + 2] === 0xeb) blue++;
    }
    expect(blue).toBeGreaterThan(500);
  });
});
