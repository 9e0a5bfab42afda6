import { beforeAll, describe, expect, it } from 'vitest';
import { type Demos, episodeOffsets } from '#data/demos';
import { chunkSpecOf, cloneBase } from '#learn/bc';
import { collectDemos } from '#learn/collect';
import { evaluate } from '#learn/evaluate';
import { keptSteps, remainingSteps } from '#learn/progressFilter';
import { makeBase } from '#policy/bundle';
import { fitNormaliser, type Normaliser } from '#policy/normaliser';
import { baseSchema, demosSchema } from '#spec/learningSchema';
import { kinematicPeg } from './kinematicPeg.js';

const problem = kinematicPeg();
const settings = baseSchema.parse({
  hidden: [64, 64],
  steps: 1500,
  chunk: 4,
  validation: 0,
  filter: {},
});

/** Episodes of an expert and as many of one that hardly aims; the first half are good. */
async function mixed(seed: number, count: number): Promise<Demos> {
  const record = async (noise: number, first: number): Promise<Demos> => {
    const spec = demosSchema.parse({ episodes: count, seed: first, successful_only: false });
    return (await collectDemos(kinematicPeg({ noise }), { settings: spec }))!.demos;
  };
  const [good, bad] = [await record(0.1, seed), await record(1.2, seed + 500)];
  const joined = (key: 'observation' | 'action' | 'reward'): Float32Array =>
    Float32Array.from([...good[key], ...bad[key]]);
  return {
    ...good,
    episodes: [...good.episodes, ...bad.episodes],
    observation: joined('observation'),
    action: joined('action'),
    reward: joined('reward'),
  };
}

const normaliserOf = ({ observation, O, action, A }: Demos): Normaliser =>
  fitNormaliser(observation, O, action, A, { scale: 0, rangeFloor: 0.1, stdFloor: 0.1 });

const filterOf = (demos: Demos) => ({
  demos,
  normaliser: normaliserOf(demos),
  settings: settings.filter!,
  window: settings.chunk,
  seed: 1,
  compile: {},
});

/** Success of a clone of the steps kept. */
async function cloned(demos: Demos, keep: Uint8Array | undefined): Promise<number> {
  const normaliser = normaliserOf(demos);
  const options = { demos, normaliser, settings, keep, compile: {}, report: () => {}, stop: () => false };
  const network = (await cloneBase(options))!;
  const spec = chunkSpecOf(settings, demos.O, demos.A);
  const env = await problem.makeEnv({ environments: 100, seed: 7 });
  const base = await makeBase({ kind: 'chunk', spec, network, normaliser }, env);
  const { rate } = await evaluate(env, base, { episodes: 200, seed: 7 });
  base.close();
  return rate;
}

describe('the progress filter', () => {
  let demos: Demos;
  let keep: Uint8Array;
  beforeAll(async () => {
    demos = await mixed(3, 20);
    keep = keptSteps(filterOf(demos));
  });

  it('keeps more of the good half than of the bad one', () => {
    const share = (from: number, to: number): number => {
      const steps = episodeOffsets(demos)
        .slice(from, to)
        .flatMap(({ step }, k) => [...keep.subarray(step, step + demos.episodes[from + k]!.length)]);
      return steps.reduce((a, b) => a + b, 0) / steps.length;
    };
    const [good, bad] = [share(0, 20), share(20, 40)];
    expect(good).toBeGreaterThan(0.5);
    expect(bad).toBeLessThan(0.75 * good);
  });

  it('predicts fewer remaining steps the nearer success is, in episodes it has not seen', () => {
    const remaining = remainingSteps(filterOf(demos));
    const { observation } = episodeOffsets(demos)[0]!;
    const { length } = demos.episodes[0]!;
    expect(remaining[observation]! - remaining[observation + length - 1]!).toBeGreaterThan(length / 2);
  });

  it('makes the better clone', async () => {
    const [all, filtered] = [await cloned(demos, undefined), await cloned(demos, keep)];
    expect(filtered).toBeGreaterThan(all + 0.2);
  });
});
