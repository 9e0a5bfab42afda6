import { areaUnderCurve, valueOrderCorrelation } from '#reward/rankStatistics';

/** What a scorer is worth, by rollouts whose outcome is known. */

/** One episode as a scorer saw it. @shape phi [scored samples], in the order of time; NaN where missing */
export interface ScoredEpisode {
  readonly success: boolean;
  readonly phi: ArrayLike<number>;
}

/** A mean with its 95 % interval; NaN of nothing, and an interval without ends of a single value. */
export interface MeanInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

export interface ScoreVerdict {
  readonly episodes: number;
  readonly successes: number;
  /** Value-order correlation over the episodes with success. */
  readonly valueOrder: MeanInterval;
  /** How well the last score tells success from failure: 1 always, 0.5 not at all; NaN where all end alike. */
  readonly area: number;
  /** Mean of the last scores, of successes and of failures; NaN without any. */
  readonly lastOfSuccess: number;
  readonly lastOfFailure: number;
  /** Share of the scored samples that have no score. */
  readonly missing: number;
}

export function judgeScores(episodes: readonly ScoredEpisode[]): ScoreVerdict {
  const successes = episodes.filter(({ success }) => success);
  const last = ({ phi }: ScoredEpisode): number => phi[phi.length - 1] ?? Number.NaN;
  const lastOf = (outcome: boolean): number =>
    meanInterval(episodes.filter(({ success }) => success === outcome).map(last)).mean;
  const samples = episodes.flatMap(({ phi }) => Array.from(phi));
  return {
    episodes: episodes.length,
    successes: successes.length,
    valueOrder: within(meanInterval(successes.map(({ phi }) => valueOrderCorrelation(phi)))),
    area: areaUnderCurve(
      episodes.map(last),
      episodes.map(({ success }) => success),
    ),
    lastOfSuccess: lastOf(true),
    lastOfFailure: lastOf(false),
    missing: samples.length === 0 ? Number.NaN : samples.filter(Number.isNaN).length / samples.length,
  };
}

/** A correlation's interval does not leave [-1, 1]. */
function within(interval: MeanInterval): MeanInterval {
  return { ...interval, low: Math.max(-1, interval.low), high: Math.min(1, interval.high) };
}

/** Quantiles 0.975 of Student's t for 1 to 30 degrees of freedom. */
const T_975 = [
  ...[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228],
  ...[2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086],
  ...[2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042],
];

/** Mean of the values that are known, with Student's interval.
 * @source Student 1908; differs: above 30 degrees of freedom the quantile is 1.96 + 2.4 / df */
export function meanInterval(values: readonly number[]): MeanInterval {
  const known = values.filter((value) => !Number.isNaN(value));
  const count = known.length;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  const df = count - 1;
  if (df < 1) return { mean, low: Number.NaN, high: Number.NaN, count };
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / df);
  const half = ((T_975[df - 1] ?? 1.96 + 2.4 / df) * deviation) / Math.sqrt(count);
  return { mean, low: mean - half, high: mean + half, count };
}
