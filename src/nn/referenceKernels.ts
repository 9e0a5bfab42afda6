import { broadcastStrides, type Shape, sizeOf, stridesOf } from '#nn/shape';
import type { BinaryOp, ReduceOp, Tensor, UnaryOp } from '#nn/tensor';

/** One closure per node: the interpreter's arithmetic, in the precision of the arrays it is given. */

export type Values = Float32Array | Float64Array | Int32Array;
export type Kernel = () => void;

export const unaryFunctions: Readonly<Record<UnaryOp, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  square: (x) => x * x,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  exp: Math.exp,
  log: Math.log,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  tanh: Math.tanh,
  relu: (x) => Math.max(x, 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  erf,
  sin: Math.sin,
  cos: Math.cos,
  sign: Math.sign,
};

export const binaryFunctions: Readonly<Record<BinaryOp, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  minimum: (x, y) => Math.min(x, y),
  maximum: (x, y) => Math.max(x, y),
  less: (x, y) => (x < y ? 1 : 0),
  lessEqual: (x, y) => (x <= y ? 1 : 0),
  equal: (x, y) => (x === y ? 1 : 0),
  reluGradient: (g, y) => (y > 0 ? g : 0),
};

/** @source series and continued fraction of the incomplete gamma function P(1/2, x^2), to double precision */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let total = a;
    for (let n = 1; Math.abs(term) > 1e-17 * total; n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

/** For each element of `target` in row-major order, its offset under the given strides. */
export function offsets(target: Shape, strides: readonly number[], start = 0): Int32Array {
  const out = new Int32Array(sizeOf(target));
  const index = new Array<number>(target.length).fill(0);
  let offset = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = offset;
    for (let axis = target.length - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++index[axis]! < target[axis]!) break;
      offset -= strides[axis]! * target[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Reads element i of `target`'s shape from a tensor that broadcasts to it. */
function reader(values: Values, shape: Shape, target: Shape): (i: number) => number {
  if (values.length === sizeOf(target)) return (i) => values[i]!;
  if (values.length === 1) return () => values[0]!;
  const map = offsets(target, broadcastStrides(shape, target));
  return (i) => values[map[i]!]!;
}

/** The closure that fills `out` from `inputs`. Leaves have none. */
export function kernelOf(node: Tensor, inputs: readonly Values[], out: Values): Kernel {
  const shapes = node.inputs.map((i) => i.shape);
  const read = (k: number): ((i: number) => number) => reader(inputs[k]!, shapes[k]!, node.shape);
  const each =
    (f: (i: number) => number): Kernel =>
    () => {
      for (let i = 0; i < out.length; i++) out[i] = f(i);
    };
  const op = node.op;
  if (op in unaryFunctions) {
    const f = unaryFunctions[op as UnaryOp];
    const x = inputs[0]!;
    return each((i) => f(x[i]!));
  }
  if (op in binaryFunctions) {
    const f = binaryFunctions[op as BinaryOp];
    const a = read(0);
    const b = read(1);
    return each((i) => f(a(i), b(i)));
  }
  if (node.is('where')) {
    const [c, a, b] = [read(0), read(1), read(2)];
    return each((i) => (c(i) !== 0 ? a(i) : b(i)));
  }
  if (node.is('clamp')) {
    const { low, high } = node.attributes;
    const x = inputs[0]!;
    return each((i) => Math.min(Math.max(x[i]!, low), high));
  }
  if (node.is('matmul')) return matmulKernel(node, inputs, out);
  if (op === 'sum' || op === 'max' || op === 'min')
    return reduceKernel(node as Tensor<ReduceOp>, inputs[0]!, out);
  if (op === 'reshape' || op === 'cast' || op === 'stopGradient') return () => out.set(inputs[0]!);
  if (op === 'broadcast') return each(read(0));
  return movingKernel(node, inputs, out) ?? rowKernel(node, inputs, out);
}

function movingKernel(node: Tensor, inputs: readonly Values[], out: Values): Kernel | undefined {
  const source = inputs[0]!;
  const copy =
    (map: Int32Array): Kernel =>
    () => {
      for (let i = 0; i < out.length; i++) out[i] = source[map[i]!]!;
    };
  const strides = node.inputs[0] ? stridesOf(node.inputs[0].shape) : [];
  if (node.is('transpose'))
    return copy(
      offsets(
        node.shape,
        node.attributes.axes.map((axis) => strides[axis]!),
      ),
    );
  if (node.is('slice')) {
    const { axis, from } = node.attributes;
    return copy(offsets(node.shape, strides, from * strides[axis]!));
  }
  if (node.is('concat')) {
    const { axis } = node.attributes;
    const whole = stridesOf(node.shape);
    let start = 0;
    const places = node.inputs.map((part) => {
      const place = offsets(part.shape, whole, start * whole[axis]!);
      start += part.shape[axis]!;
      return place;
    });
    return () => {
      places.forEach((place, k) => {
        const part = inputs[k]!;
        for (let i = 0; i < place.length; i++) out[place[i]!] = part[i]!;
      });
    };
  }
  if (node.is('takeMembers')) {
    const index = inputs[1]!;
    const size = out.length / index.length;
    return () => {
      for (let k = 0; k < index.length; k++)
        out.set(source.subarray(index[k]! * size, (index[k]! + 1) * size), k * size);
    };
  }
  return undefined;
}

/** Operations that work along the last axis as a whole. */
function rowKernel(node: Tensor, inputs: readonly Values[], out: Values): Kernel {
  const x = inputs[0]!;
  const W = node.inputs[0]!.shape.at(-1)!;
  const rows = x.length / W;
  const eachRow =
    (f: (start: number, row: number) => void): Kernel =>
    () => {
      for (let row = 0; row < rows; row++) f(row * W, row);
    };
  const total = (f: (i: number) => number, start: number): number => {
    let s = 0;
    for (let i = start; i < start + W; i++) s += f(i);
    return s;
  };
  const moments = (start: number, epsilon: number): { mean: number; inverse: number } => {
    const mean = total((i) => x[i]!, start) / W;
    const variance = total((i) => (x[i]! - mean) ** 2, start) / W;
    return { mean, inverse: 1 / Math.sqrt(variance + epsilon) };
  };
  if (node.is('normalize')) {
    const { epsilon } = node.attributes;
    return eachRow((start) => {
      const { mean, inverse } = moments(start, epsilon);
      for (let i = start; i < start + W; i++) out[i] = (x[i]! - mean) * inverse;
    });
  }
  if (node.is('inverseDeviation')) {
    const { epsilon } = node.attributes;
    return eachRow((start, row) => {
      out[row] = moments(start, epsilon).inverse;
    });
  }
  if (node.is('normalizeGradient')) {
    const y = inputs[1]!;
    const inverse = inputs[2]!;
    return eachRow((start, row) => {
      const meanG = total((i) => x[i]!, start) / W;
      const meanGY = total((i) => x[i]! * y[i]!, start) / W;
      for (let i = start; i < start + W; i++) out[i] = (x[i]! - meanG - y[i]! * meanGY) * inverse[row]!;
    });
  }
  const logarithmic = node.is('logSoftmax');
  return eachRow((start) => {
    let top = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + W; i++) top = Math.max(top, x[i]!);
    const norm = total((i) => Math.exp(x[i]! - top), start);
    for (let i = start; i < start + W; i++) {
      out[i] = logarithmic ? x[i]! - top - Math.log(norm) : Math.exp(x[i]! - top) / norm;
    }
  });
}

function reduceKernel(node: Tensor<ReduceOp>, x: Values, out: Values): Kernel {
  const { axes } = node.attributes;
  const shape = node.inputs[0]!.shape;
  const kept = shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const map = offsets(shape, broadcastStrides(kept, shape));
  const totals = new Float64Array(out.length);
  const first = { sum: 0, max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY }[node.op];
  const join = { sum: binaryFunctions.add, max: binaryFunctions.maximum, min: binaryFunctions.minimum }[
    node.op
  ];
  return () => {
    totals.fill(first);
    for (let i = 0; i < x.length; i++) totals[map[i]!] = join(totals[map[i]!]!, x[i]!);
    out.set(totals);
  };
}

function matmulKernel(node: Tensor<'matmul'>, inputs: readonly Values[], out: Values): Kernel {
  const { transposeA, transposeB } = node.attributes;
  const [a, b] = [inputs[0]!, inputs[1]!];
  const [shapeA, shapeB] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const [M, N] = [node.shape.at(-2)!, node.shape.at(-1)!];
  const K = shapeA.at(transposeA ? -2 : -1)!;
  const [rowA, columnA] = transposeA ? [1, M] : [K, 1];
  const [rowB, columnB] = transposeB ? [1, K] : [N, 1];
  const batch = node.shape.slice(0, -2);
  const batchOf = (shape: Shape): Int32Array => {
    const strides = stridesOf(shape).slice(0, -2);
    return offsets(batch, broadcastStrides(shape.slice(0, -2), batch, strides));
  };
  const startA = batchOf(shapeA);
  const startB = batchOf(shapeB);
  const row = new Float64Array(N);
  return () => {
    for (let s = 0; s < startA.length; s++) {
      for (let i = 0; i < M; i++) {
        row.fill(0);
        for (let k = 0; k < K; k++) {
          const x = a[startA[s]! + i * rowA + k * columnA]!;
          const bk = startB[s]! + k * rowB;
          for (let j = 0; j < N; j++) row[j]! += x * b[bk + j * columnB]!;
        }
        out.set(row, (s * M + i) * N);
      }
    }
  };
}
