import type { Initializer } from '#nn/parameters';

/** First values of parameters. Weights are [fanIn, fanOut]. */

export const zeros: Initializer = (_rng, out) => {
  out.fill(0);
};

export const ones: Initializer = (_rng, out) => {
  out.fill(1);
};

export const filled =
  (value: number): Initializer =>
  (_rng, out) => {
    out.fill(value);
  };

/** U(-1/sqrt(fanIn), 1/sqrt(fanIn)), PyTorch's default for a linear layer; a bias names its layer's fan-in. */
export const uniformFanIn =
  (fanIn?: number): Initializer =>
  (rng, out, shape) => {
    const limit = 1 / Math.sqrt(fanIn ?? shape[0] ?? 1);
    for (let i = 0; i < out.length; i++) out[i] = limit * (2 * rng.uniform() - 1);
  };

/** Orthonormal rows or columns, whichever are fewer, times `gain`.
 * @source Saxe et al. 2013, arXiv:1312.6120; differs: modified Gram-Schmidt instead of QR, the same distribution */
export const orthogonal =
  (gain = 1): Initializer =>
  (rng, out, shape) => {
    const rows = shape[0] ?? 1;
    const columns = out.length / rows;
    const count = Math.min(rows, columns);
    const length = Math.max(rows, columns);
    const basis: Float64Array[] = [];
    while (basis.length < count) {
      const v = Float64Array.from({ length }, () => rng.normal());
      for (const u of basis) {
        const projection = dot(u, v);
        for (let i = 0; i < length; i++) v[i]! -= projection * u[i]!;
      }
      const norm = Math.sqrt(dot(v, v));
      if (norm > 1e-6) basis.push(v.map((x) => x / norm));
    }
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        out[i * columns + j] = gain * (rows <= columns ? basis[i]![j]! : basis[j]![i]!);
      }
    }
  };

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}
