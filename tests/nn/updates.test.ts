import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import { hasNativeEngine } from '#nn/native';
import type { Program } from '#nn/program';
import { type Algorithm, cloning, ppo, redq, type Sizes, sac, td3 } from './algorithms.js';
import { fill, worst } from './parity.js';

const algorithms: Readonly<Record<string, (sizes: Sizes) => Algorithm>> = { redq, td3, sac, ppo, cloning };
const small: Sizes = { B: 256, O: 11, A: 3, H: 32, E: 5 };
const odd: Sizes = { B: 30, O: 5, A: 2, H: 19, E: 3 };
/** Chains of rows whose last chunk is short. */
const ragged: Sizes = { B: 150, O: 7, A: 2, H: 24, E: 3 };

function steps(programs: readonly Program[], count: number, after?: () => void): void {
  const rng = new PhiloxStream(2);
  for (let i = 0; i < count; i++) {
    const [first, ...others] = programs;
    fill(first!.inputs, rng, [-1, 1]);
    if (first!.inputs['rate']) first!.inputs['rate'][0] = 1e-3;
    for (const other of others) {
      for (const [name, values] of Object.entries(first!.inputs)) other.inputs[name]!.set(values);
    }
    for (const program of programs) program.run();
    after?.();
  }
}

function values(algorithm: Algorithm): Record<string, Float32Array> {
  return Object.fromEntries(algorithm.blocks.flatMap((b) => b.state().map((s) => [s.name, s.values])));
}

describe.skipIf(!hasNativeEngine())('whole updates', () => {
  for (const [name, make] of Object.entries(algorithms)) {
    for (const [label, sizes] of Object.entries({ small, odd, ragged })) {
      it(`${name}, ${label}: native follows the reference`, () => {
        const [a, b] = [make(sizes), make(sizes)];
        const native = compile(a.spec, { backend: 'native', threads: 2 });
        const reference = compile(b.spec, { backend: 'reference' });
        steps([reference, native], 4, () => {
          expect(worst(native.outputs, reference.outputs)).toBeLessThan(1e-4);
        });
        expect(worst(values(a), values(b))).toBeLessThan(2e-4);
      });
    }

    it(`${name}: the same bits for 1 and 2 threads`, () => {
      const [a, b] = [make(small), make(small)];
      const one = compile(a.spec, { backend: 'native', threads: 1 });
      const two = compile(b.spec, { backend: 'native', threads: 2 });
      steps([one, two], 6, () => {
        expect(two.outputs).toEqual(one.outputs);
      });
      expect(values(b)).toEqual(values(a));
    });
  }
});
