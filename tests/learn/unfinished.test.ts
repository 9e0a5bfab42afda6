import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunDirectory } from '#learn/runDirectory';
import { trainProblem } from '#learn/train';
import { unfinishedPolicy } from '#learn/unfinished';
import { loadBundle, makePolicy, type PolicyBundle } from '#policy/bundle';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

const problem = kinematicPeg();
const B = 4;
const settings = (algorithm: string, more: Record<string, unknown> = {}) =>
  smallRun(
    {
      algorithm,
      steps: 200,
      environments: 4,
      hidden: [16, 16],
      batch: 16,
      warmup_steps: 60,
      critic_only_updates: 10,
      utd: 0.5,
      evaluate_episodes: 4,
      ...more,
    },
    {
      // Neither this base nor so little learning gets a peg in: the tie ships what was learned.
      base: { steps: 1, hidden: [8] },
      demos: { episodes: 4 },
      evaluation: { episodes: 8, environments: 8 },
      backend: 'reference',
    },
  );

async function actions(bundle: PolicyBundle): Promise<Float32Array> {
  const policy = await makePolicy(bundle, B, { backend: 'reference' });
  policy.reset();
  const observation = Float32Array.from({ length: B * problem.O }, (_, i) => Math.sin(i));
  const out = new Float32Array(B * problem.A);
  await policy.act(observation, out);
  policy.close();
  return out;
}

it.each([
  ['residual', { scale_warmup: 1000 }],
  ['ibrl', {}],
  ['rlpd', {}],
])('acts from the checkpoint as from the bundle: %s', async (algorithm, more) => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-unfinished-'));
  const config = settings(algorithm, more);
  expect(unfinishedPolicy(problem, config, folder)).toBeUndefined();
  const stop = new AbortController().signal;
  const result = await trainProblem(problem, config, new RunDirectory(folder), () => {}, stop);
  expect(result.shipped).toBe('policy');
  const { policy, environmentSteps } = unfinishedPolicy(problem, config, folder)!;
  const shipped = loadBundle(join(folder, 'policy.vrn'));
  expect(environmentSteps).toBe(result.environmentSteps);
  expect(policy.scale).toBe(shipped.scale);
  const acted = await actions(policy);
  expect(acted).toEqual(await actions(shipped));
  expect(Math.max(...acted.map(Math.abs))).toBeGreaterThan(0);
  const other = { ...problem, taskHash: 'other' };
  expect(() => unfinishedPolicy(other, config, folder)).toThrow('another version of the task');
  const wider = settings(algorithm, { ...more, hidden: [32, 16] });
  expect(() => unfinishedPolicy(problem, wider, folder)).toThrow(/agent\.actor: expected/);
});
