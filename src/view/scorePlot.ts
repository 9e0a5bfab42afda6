import type { TopLevelSpec } from 'vega-lite';
import type { Picture } from '#core/frame';
import { encodePng } from '#core/png';

/** What a scorer said of episodes: its scores over time, and pictures with the score under each. */

/** @shape samples, phi [scored samples] */
export interface ScoreTrace {
  readonly success: boolean;
  /** Control steps from the start. */
  readonly samples: readonly number[];
  /** NaN where missing. */
  readonly phi: ArrayLike<number>;
}

const SUCCESS = '#2ea043';
const FAILURE = '#d03c30';

/** Score against time: a thin line per episode, successes and failures in two colours; what is missing leaves a gap. */
export function scorePlotSpec(title: string, traces: readonly ScoreTrace[], period: number): TopLevelSpec {
  const values = traces.flatMap(({ success, samples, phi }, episode) =>
    samples.map((sample, i) => ({
      episode,
      outcome: success ? 'success' : 'failure',
      time: sample * period,
      score: Number.isNaN(phi[i]) ? null : phi[i],
    })),
  );
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 520,
    height: 280,
    background: 'white',
    padding: 12,
    title: { text: title, anchor: 'start' },
    config: {
      font: 'DejaVu Sans, Helvetica, Arial, sans-serif',
      view: { stroke: null },
      axis: { gridColor: '#e5e7eb', domainColor: '#9ca3af', tickColor: '#9ca3af', labelColor: '#374151' },
    },
    data: { values },
    mark: { type: 'line', strokeWidth: 1.2, opacity: 0.7, invalid: 'break-paths-show-path-domains' },
    encoding: {
      x: { field: 'time', type: 'quantitative', title: 'time, s', axis: { grid: false } },
      y: { field: 'score', type: 'quantitative', title: 'score', scale: { domain: [0, 1] } },
      detail: { field: 'episode', type: 'nominal' },
      color: {
        field: 'outcome',
        type: 'nominal',
        scale: { domain: ['success', 'failure'], range: [SUCCESS, FAILURE] },
        legend: { title: null, orient: 'bottom' },
      },
    },
  };
}

export interface ScoredFrame {
  /** Seconds from the start. */
  readonly time: number;
  readonly score: number;
  readonly picture: Picture;
}

/** Rows of pictures as SVG, one row per episode, under each picture its time, its score and a bar of that length. */
export function scoreStripSvg(
  rows: readonly {
    readonly title: string;
    readonly success: boolean;
    readonly frames: readonly ScoredFrame[];
  }[],
): string {
  const [gap, caption, heading] = [6, 30, 18];
  let [top, width] = [gap, 0];
  const parts: string[] = [];
  for (const { title, success, frames } of rows) {
    const colour = success ? SUCCESS : FAILURE;
    parts.push(text(gap, top + 12, title, colour));
    let left = gap;
    const tallest = Math.max(...frames.map(({ picture }) => picture.height));
    for (const { time, score, picture } of frames) {
      const data = Buffer.from(encodePng(picture)).toString('base64');
      const under = top + heading + picture.height;
      const said = Number.isNaN(score) ? 'no score' : score.toFixed(2);
      parts.push(
        `<image x="${left}" y="${top + heading}" width="${picture.width}" height="${picture.height}" href="data:image/png;base64,${data}"/>`,
        `<rect x="${left}" y="${under + 3}" width="${picture.width}" height="5" fill="#e5e7eb"/>`,
        `<rect x="${left}" y="${under + 3}" width="${(picture.width * (Number.isNaN(score) ? 0 : score)).toFixed(1)}" height="5" fill="${colour}"/>`,
        text(left, under + 21, `${time.toFixed(1)} s: ${said}`, '#374151'),
      );
      left += picture.width + gap;
    }
    width = Math.max(width, left);
    top += heading + tallest + caption;
  }
  const size = `width="${width}" height="${top}" viewBox="0 0 ${width} ${top}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${parts.join('')}</svg>\n`;
}

function text(x: number, y: number, content: string, colour: string): string {
  const escaped = content.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${x}" y="${y}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11" fill="${colour}">${escaped}</text>`;
}
