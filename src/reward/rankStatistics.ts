import { VernierError } from '#core/errors';

/** How well scores order things: moments by time, episodes by success. Only ranks count, so no scale has to be agreed on. */

/** Ranks from 1; equal values share the mean of theirs. @shape values, result [N] */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    while (end < order.length && values[order[end]!] === values[order[first]!]) end++;
    for (let i = first; i < end; i++) result[order[i]!] = (first + end + 1) / 2;
    first = end;
  }
  return result;
}

/** Spearman's rank correlation over the pairs of which both are known; NaN where fewer than two are, or where either side
 * has one value only.
 * @shape first, second [N]
 * @throws SHAPE when the lengths differ
 * @source Spearman 1904, as Pearson's correlation of mean ranks; differs: none */
export function rankCorrelation(first: ArrayLike<number>, second: ArrayLike<number>): number {
  if (first.length !== second.length)
    throw new VernierError('SHAPE', `${first.length} values against ${second.length}`);
  const known = Array.from({ length: first.length }, (_, i) => i).filter(
    (i) => !Number.isNaN(first[i]) && !Number.isNaN(second[i]),
  );
  const a = ranks(known.map((i) => first[i]!));
  const b = ranks(known.map((i) => second[i]!));
  const mean = (known.length + 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < known.length; i++) {
    const [x, y] = [a[i]! - mean, b[i]! - mean];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? Number.NaN : Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb)));
}

/** Value-order correlation (VOC): the rank correlation of an episode's scores with time. 1: they rise all the way. Missing
 * scores (NaN) are left out; scores that never change tell no order: 0. NaN where fewer than two are known.
 * @shape phi [T]
 * @source Ma 2024 (GVL), arXiv:2411.04549, Sec. 4.2; differs: missing scores are left out */
export function valueOrderCorrelation(phi: ArrayLike<number>): number {
  const time = Float64Array.from({ length: phi.length }, (_, t) => t);
  const correlation = rankCorrelation(phi, time);
  if (!Number.isNaN(correlation)) return correlation;
  return Array.from(phi).filter((value) => !Number.isNaN(value)).length < 2 ? Number.NaN : 0;
}

/** Area under the ROC curve: how often the score of a success is above that of a failure, ties for half. Missing scores are
 * left out; NaN where successes or failures are missing altogether.
 * @shape scores, success [N]
 * @source Mann & Whitney 1947; differs: none */
export function areaUnderCurve(scores: ArrayLike<number>, success: ArrayLike<boolean | number>): number {
  if (scores.length !== success.length)
    throw new VernierError('SHAPE', `${scores.length} scores, ${success.length} outcomes`);
  const known = Array.from({ length: scores.length }, (_, i) => i).filter((i) => !Number.isNaN(scores[i]));
  const order = ranks(known.map((i) => scores[i]!));
  let [sum, positives] = [0, 0];
  for (const [k, i] of known.entries()) {
    if (!success[i]) continue;
    sum += order[k]!;
    positives++;
  }
  const negatives = known.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
