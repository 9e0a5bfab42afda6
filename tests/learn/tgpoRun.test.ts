import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { loadLatestCheckpoint } from '#learn/checkpoint';
import { evaluate } from '#learn/evaluate';
import type { TrainEvent } from '#learn/events';
import { RunDirectory } from '#learn/runDirectory';
import { loadFormulaBundle } from '#learn/tgpo/formulaBundle';
import { formulaPolicy } from '#learn/tgpo/formulaPolicy';
import { trainFormula } from '#learn/tgpo/formulaRun';
import { packageRoot } from '#native/addon';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask } from '#spec/task';

const linear = join(packageRoot, 'tasks', 'stl_linear.yaml');
const small = [
  'tgpo.hidden=[16, 16]',
  'tgpo.environments=32',
  'tgpo.rollout=16',
  'tgpo.minibatch=128',
  'tgpo.candidates=8',
  'tgpo.evaluate_episodes=16',
  'tgpo.threads=1',
  'evaluation.episodes=16',
  'evaluation.environments=8',
];
const problem = {
  signals: { a: '1 - norm(position - [2, 2])', b: '1 - norm(position - [-2, 1])' },
  formula: 'eventually[0, 40] (a > 0) and eventually[0, 40] (b > 0) and (not (b > 0) until[0, 40] a > 0)',
  horizon: 40,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vernier-tgpo-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function learn(
  name: string,
  overrides: readonly string[],
  watch: (event: TrainEvent, stop: AbortController) => void = () => {},
) {
  const task = await loadFormulaTask(linear, problem, overrides);
  const run = new RunDirectory(join(folder, name));
  const stop = new AbortController();
  const result = await trainFormula(task, task.spec.tgpo!, run, (event) => watch(event, stop), stop.signal);
  return { task, run, result };
}

describe('a formula that is learned', { timeout: 240_000 }, () => {
  it.each([1, 2, 3])('succeeds by the exact monitor, and its bundle does so again, seed %i', async (seed) => {
    const { task, run, result } = await learn('run', [
      'tgpo.steps=150000',
      'tgpo.environments=64',
      'tgpo.threads=1',
      'tgpo.minibatch=512',
      `tgpo.seed=${seed}`,
      'evaluation.episodes=100',
    ]);
    expect(result.policy!.rate).toBeGreaterThan(0.9);
    const bundle = loadFormulaBundle(run.file('policy.vrn'), { taskHash: task.hash });
    const env = await makeEnv(task, { environments: 32, seed: 0, threads: 1 });
    const policy = await formulaPolicy(task, bundle, env, task.spec.evaluation.seed);
    // The task file lets episodes run to their horizon, and the verdict is the same.
    const again = await evaluate(env, policy, { episodes: 100, seed: task.spec.evaluation.seed });
    expect(again.successes).toBe(result.policy!.successes);
    policy.close();
    env.close();
  });

  it.each(['tgpo', 'tau_mdp', 'f_mdp', 'sparse'])(
    'goes on where it stopped with the same bits: %s',
    async (algorithm) => {
      const overrides = [
        ...small,
        `tgpo.algorithm=${algorithm}`,
        'tgpo.steps=6144',
        'tgpo.evaluate_every=2048',
        'tgpo.checkpoint_every=2048',
      ];
      const whole = await learn('whole', overrides);
      const halted = await learn('parts', overrides, (event, stop) => {
        if (event.kind === 'checkpoint') stop.abort();
      });
      expect(halted.result).toMatchObject({ finished: false, environmentSteps: 2048 });
      const parts = await learn('parts', overrides);
      expect(parts.result.finished).toBe(true);
      const [a, b] = [whole, parts].map(({ run }) => loadLatestCheckpoint(run.path)!);
      expect(a!.meta['counters']).toEqual(b!.meta['counters']);
      expect(a!.meta['draws']).toEqual(b!.meta['draws']);
      for (const [name, values] of a!.arrays)
        expect({ name, values }).toEqual({ name, values: b!.arrays.get(name) });
      expect(parts.result.policy).toEqual(whole.result.policy);
    },
  );

  it('gives weights up that lead nowhere, counts their steps, and resumes in the middle of that', async () => {
    const overrides = [
      ...small,
      'tgpo.steps=3072',
      'tgpo.restart_after=1024',
      'tgpo.explore=0',
      'tgpo.evaluate_every=512',
      'tgpo.checkpoint_every=1536',
    ];
    const whole = await learn('whole', overrides);
    expect(whole.result).toMatchObject({ environmentSteps: 3072, attempts: 3 });
    await learn('parts', overrides, (event, stop) => {
      if (event.kind === 'checkpoint') stop.abort();
    });
    const parts = await learn('parts', overrides);
    const [a, b] = [whole, parts].map(({ run }) => loadLatestCheckpoint(run.path)!);
    expect(a!.meta['counters']).toEqual(b!.meta['counters']);
    expect([...a!.arrays]).toEqual([...b!.arrays]);
  });

  it('refuses to go on with other settings', async () => {
    await learn('run', [...small, 'tgpo.steps=512']);
    await expect(learn('run', [...small, 'tgpo.steps=512', 'tgpo.gamma=0.9'])).rejects.toThrow(/tgpo.gamma/);
  });

  it('needs a formula', async () => {
    const task = await loadTask(join(packageRoot, 'tasks', 'reach.yaml'), ['tgpo={}']);
    const run = new RunDirectory(join(folder, 'run'));
    const training = trainFormula(task, task.spec.tgpo!, run, () => {}, new AbortController().signal);
    await expect(training).rejects.toThrow(/learns a formula, and the task has none/);
  });

  it('says in which update the arithmetic failed', async () => {
    const training = learn('run', [...small, 'tgpo.steps=4096', 'tgpo.success=1e39']);
    await expect(training).rejects.toThrow(/update \d+: .*(NaN|Infinity)/);
  });
});
