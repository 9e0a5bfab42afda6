import { Draws } from '#core/draws';
import { type Moment, makeFrame } from '#core/frame';

/** Pictures that the tiny model can read: a bright block on its way from left (0) to right (1) before a dark ground. */

const size = 64;

/** @param progress 0: at the left edge, 1: at the right @param draws varies colours, height and noise; none without */
export function blockAt(progress: number, draws?: Draws): Moment {
  const uniform = (low: number, high: number) => low + (high - low) * (draws?.uniform() ?? 0.5);
  const [side, top] = [Math.round(uniform(12, 16)), Math.round(uniform(16, 32))];
  const left = Math.round(progress * (size - side));
  const ground = [uniform(20, 60), uniform(20, 60), uniform(20, 60)];
  const block = [uniform(200, 255), uniform(120, 220), uniform(20, 80)];
  const rgb = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const inside = x >= left && x < left + side && y >= top && y < top + side;
      for (let c = 0; c < 3; c++)
        rgb[3 * (y * size + x) + c] = Math.round((inside ? block : ground)[c]! + uniform(-4, 4));
    }
  }
  return { views: [makeFrame('front', { width: size, height: size, rgb })] };
}

/** An episode of `steps` + 1 moments from left to right. */
export function crossing(steps: number, seed: number): Moment[] {
  return Array.from({ length: steps + 1 }, (_, t) => blockAt(t / steps, new Draws(seed, t)));
}
