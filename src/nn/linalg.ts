import { VernierError } from '#core/errors';
import { add, exp, mul, neg, square, sub, sum, sumTo } from '#nn/ops';
import { broadcastShapes } from '#nn/shape';
import { Tensor } from '#nn/tensor';

/** Matrix products and the operations that work along the last axis as a whole. */

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** op(a) op(b), batched over the leading axes with broadcasting.
 * @shape a [..., M, K], b [..., K, N] (as stored when not transposed); result [..., M, N] */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const transposeA = options.transposeA ?? false;
  const transposeB = options.transposeB ?? false;
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new VernierError('SHAPE', `matmul: [${a.shape}] by [${b.shape}]; both need two axes or more`);
  }
  const [m, k] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [k2, n] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
  if (k !== k2) {
    throw new VernierError(
      'SHAPE',
      `matmul: inner sizes ${k} and ${k2} differ ([${a.shape}] by [${b.shape}])`,
    );
  }
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return new Tensor('matmul', [a, b], [...batch, m, n], { transposeA, transposeB }, (g) => {
    const ga = transposeA
      ? matmul(b, g, { transposeA: transposeB, transposeB: true })
      : matmul(g, b, { transposeB: !transposeB });
    const gb = transposeB
      ? matmul(g, a, { transposeA: true, transposeB: transposeA })
      : matmul(a, g, { transposeA: !transposeA });
    return [sumTo(ga, a.shape), sumTo(gb, b.shape)];
  });
}

function lastAxis(op: string, x: Tensor): number {
  if (x.shape.length === 0) throw new VernierError('SHAPE', `${op}: a scalar has no last axis`);
  return x.shape.length - 1;
}

/** (x - mean) / sqrt(variance + epsilon) along the last axis. */
export function normalize(x: Tensor, epsilon = 1e-5): Tensor {
  lastAxis('normalize', x);
  return new Tensor('normalize', [x], x.shape, { epsilon }, (g, y) => {
    const gradient: Tensor = new Tensor(
      'normalizeGradient',
      [g, y, inverseDeviation(x, epsilon)],
      x.shape,
      {},
      () => {
        throw new VernierError('STATE', 'second derivatives through layerNorm are not available');
      },
    );
    return [gradient];
  });
}

/** 1 / sqrt(variance + epsilon) along the last axis, which is kept with size 1. */
export function inverseDeviation(x: Tensor, epsilon = 1e-5): Tensor {
  const axis = lastAxis('inverseDeviation', x);
  const W = x.shape[axis]!;
  return new Tensor('inverseDeviation', [x], [...x.shape.slice(0, -1), 1], { epsilon }, (g, y) => [
    mul(mul(mul(g, -1 / W), square(y)), normalize(x, epsilon)),
  ]);
}

/** @source Ba et al. 2016, arXiv:1607.06450, eq. 4; differs: none */
export function layerNorm(x: Tensor, gain: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return add(mul(normalize(x, epsilon), gain), bias);
}

export function softmax(x: Tensor): Tensor {
  const axis = lastAxis('softmax', x);
  return new Tensor('softmax', [x], x.shape, {}, (g, y) => [mul(y, sub(g, sum(mul(g, y), axis, true)))]);
}

export function logSoftmax(x: Tensor): Tensor {
  const axis = lastAxis('logSoftmax', x);
  return new Tensor('logSoftmax', [x], x.shape, {}, (g, y) => [add(g, neg(mul(exp(y), sum(g, axis, true))))]);
}
