import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { hasNativeEngine } from '#nn/native';
import { fill, worst } from './parity.js';

/** Random graphs over rows, ensembles and vectors: the native executor agrees with the float64 interpreter, with
 * one thread and with two. */

const rows = [3, 128, 130] as const;
const widths = [1, 2, 5, 16, 33] as const;

interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly extra: number;
}

const unary = [nn.tanh, nn.relu, nn.sigmoid, nn.softplus, nn.sin, nn.abs, nn.square, nn.gelu, nn.neg];

/** Grows a list of tensors [B, W] and [E, B, W], one per step; what does not fit is skipped. */
function grow(B: number, W: number, E: number, steps: readonly Step[]): nn.Tensor[] {
  const pool: nn.Tensor[] = [
    nn.input('x', [B, W]),
    nn.input('e', [E, B, W]),
    nn.input('r', [W]),
    nn.input('c', [B, 1]),
  ];
  const square = nn.input('w', [W, W]);
  const ensemble = nn.input('we', [E, W, W]);
  for (const { kind, a, b, extra } of steps) {
    const [p, q] = [pool[a % pool.length]!, pool[b % pool.length]!];
    const wide = p.shape.at(-1) === W && p.shape.length >= 2;
    const made = ((): nn.Tensor | undefined => {
      switch (kind) {
        case 0:
          return unary[extra % unary.length]!(p);
        case 1:
          return nn.add(p, nn.mul(q, 0.5));
        case 2:
          return nn.mul(p, nn.tanh(q));
        case 3:
          return nn.minimum(p, q);
        case 4:
          return wide ? nn.matmul(p, extra % 2 ? square : ensemble) : undefined;
        case 5:
          return wide ? nn.matmul(p, square, { transposeB: true }) : undefined;
        case 6:
          return p.shape.length >= 2
            ? nn.layerNorm(p, nn.slice(nn.reshape(square, [W * W]), 0, 0, p.shape.at(-1)!), nn.constant(0.1))
            : undefined;
        case 7:
          return p.shape.length >= 2 ? nn.mean(p, extra % p.shape.length, true) : undefined;
        case 8:
          return p.shape.length === 3 ? nn.max(p, 0) : undefined;
        case 9:
          return wide ? nn.softmax(p) : undefined;
        case 10:
          return wide && W > 1 ? nn.concat([nn.slice(p, -1, 1, W), nn.slice(p, -1, 0, 1)], -1) : undefined;
        case 11:
          return p.shape.length === 2 && p.shape[0] === B ? nn.reshape(nn.transpose(p), p.shape) : undefined;
        case 12:
          return nn.where(nn.less(0, p), q, p);
        default:
          return p.shape.length === 3 ? nn.sum(p, [0, 1]) : undefined;
      }
    })();
    if (made && made.size <= E * B * W * 2) pool.push(nn.clamp(made, -3, 3));
  }
  return pool;
}

const step = fc.record({
  kind: fc.integer({ min: 0, max: 13 }),
  a: fc.nat(50),
  b: fc.nat(50),
  extra: fc.nat(50),
});

describe.skipIf(!hasNativeEngine())('random graphs', () => {
  it('native agrees with the reference, for 1 and 2 threads', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...rows),
        fc.constantFrom(...widths),
        fc.constantFrom(1, 2, 3),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        (B, W, E, steps) => {
          const pool = grow(B, W, E, steps);
          const last = pool.at(-1)!;
          const leaves = nn.topologicalOrder([last]).filter((t) => t.is('input'));
          const loss = nn.mean(nn.square(last));
          const gradients = nn.grad(loss, leaves).map((g, i) => [`g${i}`, g] as const);
          const outputs = Object.fromEntries([['last', last], ['loss', loss], ...gradients]);
          const reference = compile(
            { name: 'random', outputs },
            { backend: 'reference', precision: 'float64' },
          );
          const one = compile({ name: 'random', outputs }, { backend: 'native', threads: 1 });
          const two = compile({ name: 'random', outputs }, { backend: 'native', threads: 2 });
          fill(reference.inputs, new PhiloxStream(steps.length), [-1, 1]);
          for (const [name, values] of Object.entries(reference.inputs)) {
            one.inputs[name]!.set(values);
            two.inputs[name]!.set(values);
          }
          for (const program of [reference, one, two]) program.run();
          expect(two.outputs).toEqual(one.outputs);
          expect(worst(one.outputs, reference.outputs)).toBeLessThan(1e-3);
        },
      ),
      { numRuns: 150, seed: 7 },
    );
  });
});
