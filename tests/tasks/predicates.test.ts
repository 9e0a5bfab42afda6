import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { addonStatus } from '#native/addon';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask } from '#spec/task';
import { robustness } from '#stl/evaluate';

const hasNative = addonStatus().addon?.['PhysicsBatch'] !== undefined;
const backends = (['native', 'wasm'] as const).filter((backend) => backend === 'wasm' || hasNative);
const horizon = 20;
const signals = {
  a: '1 - norm(position - [2, 1])',
  b: '1 - norm(position - [-1, 1.5])',
  o: '0.5 - norm(position - [0, 3])',
};
const formulas = [
  'F[0,20] (a > 0 and F[0,10] b > 0) and G[0,20] not o > 0',
  'F[0,2] a > -10', // decided at once
  'G[0,20] a > 0', // lost at once
  'not a > 0 U[0,20] b > 0 or G[3,12] o < 0.2',
  'G[0,12] F[0,8] (a > -1 or b > -0.5)',
];

/** Whole episodes under actions that lead about: the predicates of every sample, and how they were judged. */
async function episodes(formula: string, backend: 'native' | 'wasm') {
  const task = await loadFormulaTask('stl_linear', { signals, formula, horizon });
  const environments = 4;
  const env = await makeEnv(task, { environments, seed: 2, threads: 1, backend });
  const P = env.predicates.length / environments;
  const row = (buffer: Float64Array, i: number): number[] => [...buffer.subarray(i * P, (i + 1) * P)];
  const open = Array.from({ length: environments }, (_, i) => [row(env.predicates, i)]);
  const done: { samples: number[][]; robustness: number; success: boolean; ends: number }[] = [];
  for (let k = 0; k < 2 * horizon; k++) {
    for (let i = 0; i < env.action.length; i++) env.action[i] = Math.sin(0.2 * k + 1.7 * i);
    env.step();
    for (let i = 0; i < environments; i++) {
      open[i]!.push(row(env.finalPredicates, i));
      if (env.terminated[i] === 0 && env.truncated[i] === 0) {
        expect(row(env.predicates, i)).toEqual(row(env.finalPredicates, i));
        continue;
      }
      const success = env.success[i] === 1;
      done.push({ samples: open[i]!, robustness: env.finalRobustness[i]!, success, ends: k + 1 });
      open[i] = [row(env.predicates, i)];
    }
  }
  env.close();
  return { task, done };
}

describe.each(backends)('to the horizon on %s', (backend) => {
  it.each(formulas)('%s is judged by the whole episode', async (formula) => {
    const { task, done } = await episodes(formula, backend);
    const specification = task.monitors!.specification!;
    expect(done.map(({ ends }) => ends)).toEqual([20, 20, 20, 20, 40, 40, 40, 40]);
    for (const { samples, robustness: judged, success } of done) {
      expect(samples).toHaveLength(horizon + 1);
      const columns = samples[0]!.map((_, p) => Float64Array.from(samples, (sample) => sample[p]!));
      const [offline] = robustness(specification.formula, columns);
      expect(judged).toBeCloseTo(offline!, 12);
      expect(success).toBe(offline! > 0);
    }
  });
});

describe('a task made of a formula', () => {
  it('keeps what the observation uses, and only that', async () => {
    const task = await loadFormulaTask('stl_unicycle', { signals, formula: 'F[0,9] a > 0', horizon: 9 });
    expect(task.program.signalNames.map(({ name }) => name)).toEqual([
      'position',
      'heading',
      'speed',
      'a',
      'b',
      'o',
    ]);
    expect(task.horizon).toBe(9);
    expect(task.spec.spec).toMatchObject({ formula: 'F[0,9] a > 0', terminate: false });
    const again = await loadTask(task.file, task.overrides);
    expect(again.hash).toBe(task.hash);
  });

  it('names the mistake in its formula', async () => {
    const problem = { signals, formula: 'F[0,9] nowhere > 0', horizon: 9 };
    await expect(loadFormulaTask('stl_linear', problem)).rejects.toThrow(/nowhere/);
  });
});
