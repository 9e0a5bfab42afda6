import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunDirectory } from '#learn/runDirectory';
import { trainProblem } from '#learn/train';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

// A small task with a known optimum: centring the peg always succeeds. Three seeds, each of them over the threshold.

describe('residual learning on the kinematic peg', () => {
  it.each([0, 1, 2])('lifts a mediocre clone above 85 %% (seed %i)', async (seed) => {
    const run = new RunDirectory(mkdtempSync(join(tmpdir(), 'vernier-learning-')));
    const config = smallRun({ seed, evaluate_every: 1000 }, { base: { seed }, demos: { seed: 1000 + seed } });
    const result = await trainProblem(kinematicPeg(), config, run, () => {}, new AbortController().signal);
    expect(result.base!.rate).toBeGreaterThan(0.05);
    expect(result.base!.rate).toBeLessThan(0.8);
    expect(result.policy!.rate).toBeGreaterThan(0.85);
    expect(result.shipped).toBe('policy');
    expect(result.paired!.pValue).toBeLessThan(1e-6);
  });
});
