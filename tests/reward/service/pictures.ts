import { type Frame, type Moment, makeFrame } from '#core/frame';
import type { ScoreRequest, Scorer, Scores } from '#reward/score';

/** A picture of a white square on black, its left side at `x` of 16. */
export function squareAt(x: number): Moment {
  const rgb = new Uint8Array(3 * 16 * 4);
  for (let row = 0; row < 4; row++) rgb.fill(255, 3 * (16 * row + x), 3 * (16 * row + x + 3));
  return { views: [makeFrame('front', { width: 16, height: 4, rgb })] };
}

/** How far to the right the picture is bright: 0 to 1. */
export function brightness({ rgb, width }: Frame): number {
  let [sum, weighted] = [0, 0];
  for (let i = 0; i < rgb.length; i += 3) {
    sum += rgb[i]!;
    weighted += rgb[i]! * ((i / 3) % width);
  }
  return sum === 0 ? Number.NaN : weighted / sum / (width - 1);
}

/** Scores by where the picture is bright, and keeps account of what it was asked. Black pictures it cannot read. */
export class BrightnessScorer implements Scorer {
  model = 'brightness 1';
  readonly prompt = 'right';
  readonly scope: 'moment' | 'episode';
  readonly asked: number[] = [];
  failing = false;

  constructor(scope: 'moment' | 'episode' = 'moment') {
    this.scope = scope;
  }

  async score(requests: readonly ScoreRequest[]): Promise<readonly Scores[]> {
    this.asked.push(requests.reduce((sum, { moments }) => sum + moments.length, 0));
    if (this.failing) throw new Error('the model is gone');
    return requests.map(({ moments }) => ({
      phi: Float64Array.from(moments, ({ views }) => brightness(views[0]!)),
      confidence: new Float64Array(moments.length).fill(1),
      latencyMs: 1,
    }));
  }

  async close(): Promise<void> {}
}
