import * as nn from '#nn/graph';

/** One small graph per operation, for the gradient check and for parity between backends. */

export type Range = readonly [low: number, high: number];
export interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly range?: Range;
  readonly f: (...x: nn.Tensor[]) => nn.Tensor;
}

const pair = [
  [3, 4],
  [3, 4],
] as const;
const spread = [
  [2, 3, 4],
  [3, 1],
] as const;
const one = [[3, 4]] as const;
const positive: Range = [0.3, 2];

export const cases: Readonly<Record<string, Case>> = {
  add: { shapes: pair, f: nn.add },
  'add, broadcast': { shapes: spread, f: nn.add },
  sub: { shapes: spread, f: nn.sub },
  mul: { shapes: spread, f: nn.mul },
  'mul with itself': { shapes: one, f: (x) => nn.mul(x, x) },
  div: { shapes: spread, range: positive, f: nn.div },
  minimum: { shapes: spread, f: nn.minimum },
  maximum: { shapes: spread, f: nn.maximum },
  where: {
    shapes: [[3, 4], [3, 4], [4]],
    f: (c, a, b) => nn.where(nn.less(0, c), a, b),
  },
  neg: { shapes: one, f: nn.neg },
  abs: { shapes: one, f: nn.abs },
  square: { shapes: one, f: nn.square },
  sqrt: { shapes: one, range: positive, f: nn.sqrt },
  rsqrt: { shapes: one, range: positive, f: nn.rsqrt },
  exp: { shapes: one, f: nn.exp },
  log: { shapes: one, range: positive, f: nn.log },
  softplus: { shapes: one, f: nn.softplus },
  tanh: { shapes: one, f: nn.tanh },
  relu: { shapes: one, f: nn.relu },
  sigmoid: { shapes: one, f: nn.sigmoid },
  erf: { shapes: one, f: nn.erf },
  gelu: { shapes: one, f: nn.gelu },
  silu: { shapes: one, f: nn.silu },
  sin: { shapes: one, f: nn.sin },
  cos: { shapes: one, f: nn.cos },
  clamp: { shapes: one, f: (x) => nn.clamp(x, -0.5, 0.7) },
  'sum over an axis': { shapes: [[2, 3, 4]], f: (x) => nn.sum(x, 1) },
  'sum kept': { shapes: [[2, 3, 4]], f: (x) => nn.sum(x, [0, 2], true) },
  mean: { shapes: [[2, 3, 4]], f: (x) => nn.mean(x, [0, 1]) },
  max: { shapes: [[2, 3, 4]], f: (x) => nn.max(x, 0) },
  min: { shapes: [[2, 3, 4]], f: (x) => nn.min(x, [1, 2], true) },
  reshape: { shapes: one, f: (x) => nn.reshape(x, [2, -1]) },
  broadcastTo: { shapes: [[3, 1]], f: (x) => nn.broadcastTo(x, [2, 3, 4]) },
  transpose: { shapes: [[2, 3, 4]], f: (x) => nn.transpose(x, [2, 0, 1]) },
  slice: { shapes: [[2, 5, 2]], f: (x) => nn.slice(x, 1, 1, 4) },
  concat: {
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    f: (...x) => nn.concat(x, 1),
  },
  takeMembers: { shapes: [[4, 3, 2]], f: (x) => nn.takeMembers(x, nn.input('index', [3], 'i32')) },
  normalize: { shapes: one, f: (x) => nn.normalize(x) },
  inverseDeviation: { shapes: one, f: (x) => nn.inverseDeviation(x) },
  layerNorm: { shapes: [[3, 4], [4], [4]], f: (x, gain, bias) => nn.layerNorm(x, gain, bias) },
  softmax: { shapes: one, f: nn.softmax },
  logSoftmax: { shapes: one, f: nn.logSoftmax },
  'matmul nn': {
    shapes: [
      [2, 3],
      [3, 4],
    ],
    f: (a, b) => nn.matmul(a, b),
  },
  'matmul tn': {
    shapes: [
      [3, 2],
      [3, 4],
    ],
    f: (a, b) => nn.matmul(a, b, { transposeA: true }),
  },
  'matmul nt': {
    shapes: [
      [2, 3],
      [4, 3],
    ],
    f: (a, b) => nn.matmul(a, b, { transposeB: true }),
  },
  'matmul tt': {
    shapes: [
      [3, 2],
      [4, 3],
    ],
    f: (a, b) => nn.matmul(a, b, { transposeA: true, transposeB: true }),
  },
  'matmul, rows shared by an ensemble': {
    shapes: [
      [2, 3],
      [5, 3, 4],
    ],
    f: (a, b) => nn.matmul(a, b),
  },
  'matmul, batched and broadcast': {
    shapes: [
      [2, 1, 2, 3],
      [4, 3, 2],
    ],
    f: (a, b) => nn.matmul(a, b),
  },
};
