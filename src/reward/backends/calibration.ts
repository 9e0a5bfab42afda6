import { VernierError } from '#core/errors';

/** What of a model's raw scores counts as no progress and as all of it: measured once, then fixed. */

/** Raw scores that count as 0 and as 1. */
export interface Calibration {
  readonly low: number;
  readonly high: number;
}

export function calibrated(raw: number, { low, high }: Calibration): number {
  return Math.min(1, Math.max(0, (raw - low) / (high - low)));
}

/** The calibration that raw scores of two sets of states ask for: 0 for what an aimless policy sees often, 1 for what ends of
 * successful demonstrations reach.
 * @param random raw scores of states of a policy that does nothing useful @param goals of states with success
 * @throws DATA where goals do not score above the rest: then this score cannot tell progress */
export function measureCalibration(random: ArrayLike<number>, goals: ArrayLike<number>): Calibration {
  const low = quantile(random, 0.5);
  const high = quantile(goals, 0.5);
  if (!(low < high)) {
    throw new VernierError(
      'DATA',
      `states with success score ${high.toFixed(4)} in the median, those without ${low.toFixed(4)}`,
      { hint: 'this score cannot tell them apart: try other words, another camera, another model' },
    );
  }
  return { low, high };
}

/** Linear between the values; NaN (missing) values are left out. @throws DATA without any */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort((a, b) => a - b);
  if (sorted.length === 0) throw new VernierError('DATA', 'no scores to calibrate with');
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}
