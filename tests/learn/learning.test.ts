import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunDirectory } from '#learn/runDirectory';
import { trainProblem } from '#learn/train';
import { hasNativeEngine } from '#nn/native';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

// A small task with a known optimum: centring the peg always succeeds. Three seeds, each of them over the threshold.

// The interpreter gets smaller networks, so that this ends within a minute without the addon too.
const size = hasNativeEngine()
  ? { hidden: [64, 64], batch: 64, critics: 4 }
  : { hidden: [32, 32], batch: 32 };

describe('residual learning on the kinematic peg', () => {
  it.each([0, 1, 2])(
    'lifts a mediocre clone above 90 % (seed %i)',
    async (seed) => {
      const run = new RunDirectory(mkdtempSync(join(tmpdir(), 'vernier-learning-')));
      const config = smallRun(
        { ...size, seed, steps: 3500, utd: 2, critic_only_updates: 800 },
        { base: { seed }, demos: { seed: 1000 + seed } },
      );
      const result = await trainProblem(kinematicPeg(), config, run, () => {}, new AbortController().signal);
      expect(result.base!.rate).toBeGreaterThan(0.2);
      expect(result.base!.rate).toBeLessThan(0.6);
      expect(result.policy!.rate).toBeGreaterThan(0.9);
      expect(result.shipped).toBe('policy');
      expect(result.paired!.pValue).toBeLessThan(1e-6);
    },
    180_000,
  );
});
