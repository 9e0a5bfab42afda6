import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import { type GraphState, stepGraph } from '#learn/planning/dynamicsGraph';
import { planByGradient } from '#learn/planning/gradientPlanner';
import { taskRollouts } from '#learn/planning/rollouts';
import { type DifferentiableOptions, differentiableProblem } from '#learn/planning/taskDynamics';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask, type ResolvedTask } from '#spec/task';
import { generateFormula } from '#stl/families';
import { familySpaces } from '#stl/familySpaces';

const actionOf = (t: number, a: number): number => Math.fround(Math.sin(1.3 * t + 2.1 * a));

/** Joint positions and velocities of an environment. */
function joints(task: ResolvedTask, env: VectorEnv): number[] {
  const { qpos, qvel } = env.readCopy(0);
  const { names, robot } = task;
  return [
    ...robot.arm.joints.map((joint) => qpos[names.jointQposAddress[joint]!]!),
    ...robot.arm.joints.map((joint) => qvel[names.jointDofAddress[joint]!]!),
  ];
}

describe('dynamics as a graph', () => {
  it.each(['stl_linear', 'stl_unicycle', 'stl_quadrotor', 'stl_panda'])(
    'go where those of %s go',
    async (name) => {
      const steps = 25;
      const formula = { signals: { far: 'time' }, formula: 'G far >= 0', horizon: steps + 1 };
      const task = await loadFormulaTask(name, formula);
      const env = await makeEnv(task, { environments: 1, seed: 3 });
      const { model, start, A } = differentiableProblem(task, env, 0);
      const actions = nn.input('actions', [steps, A]);
      const column = (value: number): nn.Tensor => nn.constant([value], [1, 1]);
      let state: GraphState = { q: start.q.map(column), v: start.v.map(column) };
      const outputs: Record<string, nn.Tensor> = {};
      for (let t = 0; t < steps; t++) {
        const action = Array.from({ length: A }, (_, a) =>
          nn.slice(nn.slice(actions, 0, t, t + 1), 1, a, a + 1),
        );
        state = stepGraph(model, state, action);
        outputs[t] = nn.concat([...state.q, ...state.v], 1);
      }
      const program = compile({ name: 'dynamics', outputs }, { backend: 'reference', precision: 'float64' });
      program.inputs.actions!.set(
        Float64Array.from({ length: steps * A }, (_, i) => actionOf(Math.floor(i / A), i % A)),
      );
      program.run();
      for (let t = 0; t < steps; t++) {
        for (let a = 0; a < A; a++) env.action[a] = actionOf(t, a);
        env.step();
        const expected = joints(task, env);
        for (const [i, value] of expected.entries()) {
          expect(program.outputs[t]![i], `step ${t}, entry ${i}`).toBeCloseTo(value, 6);
        }
      }
      program.close();
      env.close();
    },
  );

  it('refuses a task without analytic dynamics', async () => {
    const task = await loadTask('reach');
    const nowhere = { readCopy: () => expect.fail() };
    expect(() => differentiableProblem(task, nowhere, 0)).toThrow('gradients need analytic');
  });
});

async function planned(
  task: ResolvedTask,
  seed: number,
  iterations: number,
  options: DifferentiableOptions = {},
) {
  const env = await makeEnv(task, { environments: 1, seed });
  const plan = planByGradient(differentiableProblem(task, env, 0, options), {
    seed,
    iterations,
    restarts: 8,
  });
  env.close();
  const rollouts = await taskRollouts(task, { sequences: 1, seed });
  const played = new Float64Array(1);
  rollouts.run(plan.actions, played);
  rollouts.close();
  return { plan, played: played[0]! };
}

describe('gradient planner', () => {
  it('brings a point through two regions in time, as the environment confirms', async () => {
    const signals = { a: '1 - norm(position - [3, 2])', b: '1 - distance(position, [-2, 3])' };
    const task = await loadFormulaTask('stl_linear', {
      signals,
      formula: 'F[0,12] (a > 0 and F[4,14] b > 0)',
      horizon: 26,
    });
    const { plan, played } = await planned(task, 2, 200);
    expect(played).toBeGreaterThan(0);
    expect(plan.robustness).toBeCloseTo(played, 4);
    expect(plan.history).toEqual(plan.history.toSorted((x, y) => x - y));
  });

  it.each([
    ['stl_linear', familySpaces.linear, 40, 2, {}],
    ['stl_unicycle', familySpaces.unicycle, 40, 2, {}],
    ['stl_quadrotor', familySpaces.quadrotor, 40, 1, { substeps: 1 }],
  ] as const)('solves some formulas of a family on %s', async (name, space, horizon, subgoals, options) => {
    let solved = 0;
    for (let seed = 0; seed < 3; seed++) {
      const generated = generateFormula('conjunction', { space, subgoals, horizon, obstacles: 1, seed });
      const { played } = await planned(await loadFormulaTask(name, generated), seed, 120, options);
      if (played > 0) solved++;
    }
    expect(solved).toBeGreaterThan(1);
  });
});
