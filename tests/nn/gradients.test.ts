import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { type Case, cases } from './cases.js';

/** Every operation's gradient against central differences in float64: non-zero, then close. */

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
