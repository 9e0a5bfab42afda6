import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import type { FormulaBundle } from '#learn/tgpo/formulaBundle';
import { FormulaLearner } from '#learn/tgpo/formulaLearner';
import type { Policy } from '#policy/policy';
import type { ResolvedTask } from '#spec/resolved';

/** The policy of a formula's bundle for the rows of one environment. Plans are rehearsed in a simulation of its own.
 * @param seed of the plans that are drawn
 * @throws SPEC where the task has no formula */
export async function formulaPolicy(
  task: ResolvedTask,
  { settings, distance, networks }: FormulaBundle,
  env: VectorEnv,
  seed: number,
): Promise<Policy> {
  const learner = new FormulaLearner(task, settings, distance);
  const compile = { threads: env.threads };
  const simulation = await makeEnv(task, {
    environments: env.B,
    seed,
    threads: env.threads,
    backend: env.backend,
    autoReset: false,
  });
  const policy = learner.makePolicy(env, networks, { seed, compile, simulation });
  return {
    B: policy.B,
    O: policy.O,
    A: policy.A,
    reset: (mask) => policy.reset(mask),
    act: (observation, outAction, mask) => policy.act(observation, outAction, mask),
    close: () => {
      policy.close();
      simulation.close();
    },
  };
}
