import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { permuted } from '#core/signedPermutation';
import { mirrorDemos, mirrorRows } from '#data/mirror';
import { loadBase, prepareBase } from '#learn/baseStage';
import { collectDemos } from '#learn/collect';
import { evaluate } from '#learn/evaluate';
import { makeBase } from '#policy/bundle';
import { baseSchema, demosSchema } from '#spec/learningSchema';
import { kinematicPeg } from './kinematicPeg.js';

const problem = kinematicPeg();
const { O, A } = problem;
const mirror = problem.mirror!;

/** Success of a clone of four demonstrations, and how far it is from symmetric. */
async function clone(seed: number, mirrored: boolean): Promise<{ rate: number; asymmetry: number }> {
  const recorded = await collectDemos(problem, {
    settings: demosSchema.parse({ episodes: 4, seed: 100 + seed }),
  });
  const { demos } = recorded!;
  const settings = baseSchema.parse({
    hidden: [64, 64],
    steps: 1200,
    chunk: 4,
    validation: 0,
    seed,
    mirror: mirrored,
  });
  const file = join(mkdtempSync(join(tmpdir(), 'vernier-mirror-')), 'base.vrn');
  await prepareBase({
    ...{ settings, demos, mirror, file, compile: {} },
    ...{ report: () => {}, note: () => {}, stop: () => false },
  });
  const model = loadBase(file, settings, O, A);
  const env = await problem.makeEnv({ environments: 100, seed: 7 });
  const base = await makeBase(model, env);
  const action = new Float32Array(env.B * A);
  const image = new Float32Array(env.B * A);
  base.reset();
  await base.act(env.observation, action);
  base.reset();
  await base.act(permuted(env.observation, mirror.observation), image);
  const wanted = permuted(action, mirror.action);
  const asymmetry = image.reduce((sum, a, i) => sum + Math.abs(a - wanted[i]!), 0) / image.length;
  const { rate } = await evaluate(env, base, { episodes: 200, seed: 7 });
  base.close();
  return { rate, asymmetry };
}

describe('learning in a mirror', { timeout: 120_000 }, () => {
  it('clones what is more symmetric, and better, from few demonstrations', async () => {
    const seeds = [1, 2, 3];
    const plain = [];
    const doubled = [];
    for (const seed of seeds) {
      plain.push(await clone(seed, false));
      doubled.push(await clone(seed, true));
    }
    const sum = (all: { rate: number; asymmetry: number }[], key: 'rate' | 'asymmetry'): number =>
      all.reduce((total, one) => total + one[key], 0);
    expect(sum(doubled, 'asymmetry')).toBeLessThan(0.7 * sum(plain, 'asymmetry'));
    expect(sum(doubled, 'rate')).toBeGreaterThan(sum(plain, 'rate'));
  });

  it('mirrors each field of the rows whose coin says so, and no others', async () => {
    const { demos } = (await collectDemos(problem, { settings: demosSchema.parse({ episodes: 1 }) }))!;
    const image = mirrorDemos(demos, mirror);
    const rows = 3;
    const of = (source: typeof demos) => ({
      observation: source.observation.slice(0, rows * O),
      action: source.action.slice(0, rows * A),
      base: source.action.slice(A, (rows + 1) * A),
      nextObservation: source.observation.slice(O, (rows + 1) * O),
      nextBase: source.action.slice(2 * A, (rows + 2) * A),
      ...{
        phase: Float32Array.of(0, 1, 2),
        reward: Float32Array.of(3, 4, 5),
        discount: Float32Array.of(6, 7, 8),
      },
      nextPhase: Float32Array.of(9, 10, 11),
    });
    const batch = of(demos);
    mirrorRows(batch, mirror, Float32Array.of(0.4, 0.6, 0.1), new Float32Array(rows * O));
    const [own, other] = [of(demos), of(image)];
    for (const key of Object.keys(batch) as (keyof typeof batch)[]) {
      const width = batch[key].length / rows;
      const row = (from: typeof batch, i: number) => from[key].subarray(i * width, (i + 1) * width);
      expect(row(batch, 0), key).toEqual(row(other, 0));
      expect(row(batch, 1), key).toEqual(row(own, 1));
      expect(row(batch, 2), key).toEqual(row(other, 2));
    }
  });
});
