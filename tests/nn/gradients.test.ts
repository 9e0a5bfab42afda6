import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';

/** Every operation's gradient against central differences in float64: non-zero, then close. */

type Range = readonly [low: number, high: number];
interface Case {
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

const cases: Readonly<Record<string, Case>> = {
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

function check({ shapes, range = [-1.5, 1.5], f }: Case): { largest: number; worst: number } {
  const rng = new PhiloxStream(7);
  const xs = shapes.map((shape, i) => nn.input(`x${i}`, shape));
  const y = f(...xs);
  const weights = nn.constant(
    Array.from({ length: y.size }, () => rng.normal()),
    y.shape,
  );
  const loss = nn.sum(nn.mul(y, weights));
  const gradients = nn.grad(loss, xs);
  const outputs = Object.fromEntries([['loss', loss], ...gradients.map((g, i) => [`g${i}`, g] as const)]);
  const program = compile({ name: 'check', outputs }, { backend: 'reference', precision: 'float64' });
  if (program.inputs.index) program.inputs.index.set([2, 0, 2]);
  xs.forEach((_, i) => {
    const x = program.inputs[`x${i}`];
    for (let k = 0; k < (x?.length ?? 0); k++) x![k] = range[0] + (range[1] - range[0]) * rng.uniform();
  });
  program.run();
  const analytic = gradients.map((_, i) => Float64Array.from(program.outputs[`g${i}`]!));
  let largest = 0;
  let worst = 0;
  const h = 1e-5;
  analytic.forEach((g, i) => {
    const x = program.inputs[`x${i}`];
    if (!x) return;
    for (let k = 0; k < x.length; k++) {
      const at = x[k]!;
      const value = (v: number): number => {
        x[k] = v;
        program.run();
        return program.outputs.loss![0]!;
      };
      const numeric = (value(at + h) - value(at - h)) / (2 * h);
      x[k] = at;
      largest = Math.max(largest, Math.abs(g[k]!));
      worst = Math.max(worst, Math.abs(g[k]! - numeric));
    }
  });
  return { largest, worst };
}

describe('gradients against central differences', () => {
  for (const [name, example] of Object.entries(cases)) {
    it(name, () => {
      const { largest, worst } = check(example);
      expect(largest).toBeGreaterThan(1e-3);
      expect(worst).toBeLessThan(1e-6 * Math.max(1, largest));
    });
  }

  it('covers every operation that has a gradient', () => {
    const notDifferentiable = [
      'less',
      'lessEqual',
      'greater',
      'greaterEqual',
      'equal',
      'sign',
      'stopGradient',
      'cast',
    ];
    const composed = ['addAll', 'sumTo', 'grad', 'input', 'constant', 'topologicalOrder'];
    const covered = Object.keys(cases).map((name) => name.split(/[ ,]/)[0]);
    const exported = Object.entries(nn)
      .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name))
      .map(([name]) => name);
    const missing = exported.filter(
      (name) => ![...covered, ...composed, ...notDifferentiable].includes(name),
    );
    expect(missing).toEqual([]);
  });

  it('stops where it is told to', () => {
    const x = nn.input('x', [2]);
    const [g] = nn.grad(nn.sum(nn.mul(x, nn.stopGradient(x))), [x]);
    const program = compile({ name: 'stop', outputs: { g: g! } }, { backend: 'reference' });
    program.inputs.x!.set([3, -2]);
    program.run();
    expect([...program.outputs.g!]).toEqual([3, -2]);
  });
});
