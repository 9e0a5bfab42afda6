import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { hasNativeEngine } from '#nn/native';
import { cases } from './cases.js';
import { fill, worst } from './parity.js';

const available = hasNativeEngine();

describe.skipIf(!available)('native against reference', () => {
  for (const [name, { shapes, range, f }] of Object.entries(cases)) {
    it(name, () => {
      const xs = shapes.map((shape, i) => nn.input(`x${i}`, shape));
      const y = f(...xs);
      const rng = new PhiloxStream(11);
      const weights = nn.constant(
        Array.from({ length: y.size }, () => rng.normal()),
        y.shape,
      );
      const loss = nn.sum(nn.mul(y, weights));
      const gradients = nn.grad(loss, xs).map((g, i) => [`g${i}`, g] as const);
      const outputs = Object.fromEntries([['y', y], ['loss', loss], ...gradients]);
      const native = compile({ name, outputs }, { backend: 'native', threads: 2 });
      const reference = compile({ name, outputs }, { backend: 'reference', precision: 'float64' });
      fill(reference.inputs, rng, range ?? [-1.5, 1.5]);
      for (const [key, values] of Object.entries(reference.inputs)) native.inputs[key]!.set(values);
      native.run();
      reference.run();
      expect(worst(native.outputs, reference.outputs)).toBeLessThan(2e-5);
    });
  }
});
