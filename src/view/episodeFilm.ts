import type { Picture } from '#core/frame';
import type { RecordedEpisode } from '#view/episodes';
import type { Film } from '#view/film';
import { filmstrip } from '#view/frames';
import type { Painter } from '#view/views';

/** How long the end of an episode stays, seconds, and how wide the frame around it is, pixels. */
const HOLD = 0.6;
const BORDER = 4;
const COLOURS = { running: [255, 255, 255], success: [46, 160, 67], failure: [208, 60, 48] } as const;

/** Adds episodes that run at the same time to a film, side by side: each in a white frame, which turns green or red when it
 * has ended; whichever ends first waits for the others. */
export async function filmEpisodes(
  film: Film,
  painter: Painter,
  episodes: readonly RecordedEpisode[],
  framesPerSecond: number,
): Promise<void> {
  const steps = Math.max(...episodes.map(({ poses }) => poses.length));
  const ended: (Picture | undefined)[] = episodes.map(() => undefined);
  const pictureAt = (step: number, index: number): Picture => {
    const { poses, success } = episodes[index]!;
    if (step < poses.length - 1) return framed(painter.render(poses[step]!), 'running');
    ended[index] ??= framed(painter.render(poses.at(-1)!), success ? 'success' : 'failure');
    return ended[index];
  };
  for (let step = 0; step < steps + Math.round(HOLD * framesPerSecond); step++)
    await film.add(filmstrip(episodes.map((_, index) => pictureAt(step, index))));
}

function framed({ width, height, rgb }: Picture, colour: keyof typeof COLOURS): Picture {
  const outer = width + 2 * BORDER;
  const out = new Uint8Array(3 * outer * (height + 2 * BORDER));
  for (let i = 0; i < out.length; i += 3) out.set(COLOURS[colour], i);
  for (let y = 0; y < height; y++)
    out.set(rgb.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((y + BORDER) * outer + BORDER));
  return { width: outer, height: height + 2 * BORDER, rgb: out };
}
