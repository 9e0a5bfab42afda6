import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { planByCem } from '#learn/planning/cem';
import { envRollouts, taskRollouts } from '#learn/planning/rollouts';
import { loadFormulaTask } from '#spec/formulaTask';
import type { ResolvedTask } from '#spec/resolved';
import { loadTask } from '#spec/task';
import { generateFormula } from '#stl/families';
import { familySpaces } from '#stl/familySpaces';

function linear(formula: string, horizon: number): Promise<ResolvedTask> {
  const signals = { a: '1 - norm(position - [3, 2])', b: '1 - norm(position - [-2, 3])' };
  return loadFormulaTask('stl_linear', { signals, formula, horizon });
}

describe('rollouts', () => {
  it('play every sequence from the same start, again and again, and judge as the environment does', async () => {
    const task = await linear('F[0,12] a > 0', 12);
    const rollouts = await taskRollouts(task, { sequences: 3, seed: 4, firstEnvironment: 2 });
    const { T, A } = rollouts;
    const actions = Float32Array.from({ length: 3 * T * A }, (_, i) => Math.sin(i % (T * A)));
    const [first, again] = [new Float64Array(3), new Float64Array(3)];
    rollouts.run(actions, first);
    rollouts.run(actions, again);
    rollouts.close();
    expect(first).toEqual(again);
    expect(new Set(first).size).toBe(1);

    // Row 2 of a batch begins where all three did.
    const env = await makeEnv(task, { environments: 4, seed: 4 });
    for (let t = 0; t < T; t++) {
      env.action.set(actions.subarray(t * A, (t + 1) * A), 2 * A);
      env.step();
    }
    expect(env.finalRobustness[2]).toBe(first[0]);
    env.close();
  });

  it('refuse a task without a formula, and episodes that go on', async () => {
    await expect(taskRollouts(await loadTask('reach'), { sequences: 2, seed: 0 })).rejects.toThrow(
      'there is none',
    );
    const task = await linear('F[0,12] a > 0', 12);
    const env = await makeEnv(task, { environments: 1, seed: 0, autoReset: false });
    const rollouts = envRollouts([env], 5, () => env.reset());
    expect(() => rollouts.run(new Float32Array(10), new Float64Array(1))).toThrow(
      'row 0: expected the episode to end',
    );
    rollouts.close();
  });
});

describe('cross-entropy method', () => {
  it('climbs to the centre of a region', async () => {
    const rollouts = await taskRollouts(await linear('F[0,16] a > 0', 16), { sequences: 64, seed: 1 });
    const plan = planByCem(rollouts, { enough: 0.95, iterations: 40 });
    // It plays as promised.
    const replay = new Float64Array(64);
    const copies = new Float32Array(64 * plan.actions.length);
    for (let i = 0; i < 64; i++) copies.set(plan.actions, i * plan.actions.length);
    rollouts.run(copies, replay);
    rollouts.close();
    expect(plan.robustness).toBeGreaterThan(0.9);
    expect(replay[63]).toBe(plan.robustness);
    expect(plan.history).toEqual(plan.history.toSorted((x, y) => x - y));
    expect(plan.evaluations).toBe(64 * plan.history.length);
  });

  it('solves some of the formulas of a family', async () => {
    const solved: string[] = [];
    for (let seed = 0; seed < 4; seed++) {
      const options = { space: familySpaces.linear, subgoals: 2, horizon: 60, seed };
      const generated = generateFormula('conjunction', options);
      const task = await loadFormulaTask('stl_linear', generated);
      const rollouts = await taskRollouts(task, { sequences: 128, seed });
      if (planByCem(rollouts, { iterations: 40 }).robustness >= 0) solved.push(generated.name);
      rollouts.close();
    }
    expect(solved.length).toBeGreaterThan(1);
  });

  it('needs two elites', async () => {
    const rollouts = await taskRollouts(await linear('F[0,4] a > -9', 4), { sequences: 8, seed: 1 });
    expect(() => planByCem(rollouts)).toThrow('2 or more elites, received 1');
    rollouts.close();
  });
});
