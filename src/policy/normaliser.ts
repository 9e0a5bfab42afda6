import { VernierError } from '#core/errors';

/** Affine maps between the task's units and the networks': observations z-scored, actions by their range.
 *
 * normalised observation = (o - observationMean) / observationStd
 * normalised action = (a - actionCenter) / actionHalf
 * The executable actions, [-1, 1] in the task's units, are [actionLower, actionUpper] normalised. */
export interface Normaliser {
  readonly observationMean: Float32Array;
  readonly observationStd: Float32Array;
  readonly actionCenter: Float32Array;
  readonly actionHalf: Float32Array;
  readonly actionLower: Float32Array;
  readonly actionUpper: Float32Array;
}

export interface NormaliserOptions {
  /** Residual scale: the half-range is widened by 1 + scale, so that base + residual stays in range. */
  readonly scale: number;
  readonly rangeFloor: number;
  readonly stdFloor: number;
}

/** Fits a normaliser to demonstrations.
 * @shape observations [N,O], actions [M,A] row-major
 * @source Ankile 2025, arXiv:2509.19301; differs: none (range floor 0.1, std floor 0.1 by default there) */
export function fitNormaliser(
  observations: Float32Array,
  O: number,
  actions: Float32Array,
  A: number,
  options: NormaliserOptions,
): Normaliser {
  if (observations.length < O || actions.length < A)
    throw new VernierError('DATA', 'cannot fit a normaliser: the demonstrations are empty');
  const { mean, std } = meanAndStd(observations, O);
  const center = new Float32Array(A);
  const half = new Float32Array(A);
  for (let i = 0; i < A; i++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let at = i; at < actions.length; at += A) {
      low = Math.min(low, actions[at]!);
      high = Math.max(high, actions[at]!);
    }
    center[i] = (low + high) / 2;
    half[i] = (Math.max(high - low, options.rangeFloor) / 2) * (1 + options.scale);
  }
  return withLimits(
    mean,
    std.map((s) => Math.max(s, options.stdFloor)),
    center,
    half,
  );
}

/** The normaliser that changes nothing. */
export function identityNormaliser(O: number, A: number): Normaliser {
  const ones = (n: number) => new Float32Array(n).fill(1);
  return withLimits(new Float32Array(O), ones(O), new Float32Array(A), ones(A));
}

function withLimits(
  observationMean: Float32Array,
  observationStd: Float32Array,
  actionCenter: Float32Array,
  actionHalf: Float32Array,
): Normaliser {
  return {
    observationMean,
    observationStd,
    actionCenter,
    actionHalf,
    actionLower: actionCenter.map((c, i) => (-1 - c) / actionHalf[i]!),
    actionUpper: actionCenter.map((c, i) => (1 - c) / actionHalf[i]!),
  };
}

function meanAndStd(rows: Float32Array, width: number): { mean: Float32Array; std: Float32Array } {
  const mean = new Float32Array(width);
  const std = new Float32Array(width);
  const count = rows.length / width;
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (let at = i; at < rows.length; at += width) sum += rows[at]!;
    const average = sum / count;
    let squares = 0;
    for (let at = i; at < rows.length; at += width) squares += (rows[at]! - average) ** 2;
    mean[i] = average;
    std[i] = Math.sqrt(squares / count);
  }
  return { mean, std };
}

/** The same observations, actions left as they are. */
export function actionsUnscaled(normaliser: Normaliser): Normaliser {
  const A = normaliser.actionHalf.length;
  return withLimits(
    normaliser.observationMean,
    normaliser.observationStd,
    new Float32Array(A),
    new Float32Array(A).fill(1),
  );
}
