import { VernierError } from '#core/errors';
import { makeEnv } from '#env/makeEnv';
import type { EnvOptions, VectorEnv } from '#env/vectorEnv';
import type { ResolvedTask } from '#spec/resolved';

/** What planning needs of a batch of environments. */
export type PlanningEnv = Pick<
  VectorEnv,
  | 'B'
  | 'A'
  | 'action'
  | 'terminated'
  | 'truncated'
  | 'faults'
  | 'finalRobustness'
  | 'reset'
  | 'step'
  | 'close'
>;

/** Plays action sequences from one start and judges them by the exact monitor. */
export interface Rollouts {
  /** Sequences in a batch. */
  readonly N: number;
  readonly T: number;
  readonly A: number;
  /** Robustness of the specification over the episode of each sequence; -Infinity where the simulation gave up.
   * @shape actions [N,T,A], outRobustness [N] */
  run(actions: Float32Array, outRobustness: Float64Array): void;
  close(): void;
}

export interface TaskRolloutOptions extends Omit<EnvOptions, 'environments' | 'autoReset'> {
  readonly sequences: number;
}

/** Rollouts of a task from the start that its first episode has with `seed` and `firstEnvironment`. All rows of one batch
 * where nothing is randomised; else batches of one row each, which draw the same.
 * @throws SPEC for a task without a specification */
export async function taskRollouts(task: ResolvedTask, options: TaskRolloutOptions): Promise<Rollouts> {
  if (task.monitors?.specification === undefined) {
    throw new VernierError(
      'SPEC',
      `${task.file}: planning looks for the robustness of a \`spec\`, and there is none`,
    );
  }
  const { sequences, ...rest } = options;
  const isShared = task.randomize.length === 0;
  const envs: VectorEnv[] = [];
  for (let i = 0; i < (isShared ? 1 : sequences); i++) {
    envs.push(await makeEnv(task, { ...rest, environments: isShared ? sequences : 1, autoReset: false }));
  }
  const { seed, firstEnvironment = 0 } = options;
  return envRollouts(envs, task.horizon, (env) => env.reset({ seed, episode: 0, firstEnvironment }));
}

/** Rollouts in environments that do not reset by themselves.
 * @param restore brings every row of an environment to the start */
export function envRollouts(
  envs: readonly PlanningEnv[],
  T: number,
  restore: (env: PlanningEnv) => void,
): Rollouts {
  const [first] = envs;
  if (!first) throw new VernierError('USAGE', 'expected at least one environment to plan in');
  const { A } = first;
  return {
    N: envs.reduce((sum, { B }) => sum + B, 0),
    T,
    A,
    run(actions, outRobustness) {
      let row = 0;
      for (const env of envs) {
        restore(env);
        play(env, T, actions.subarray(row * T * A), outRobustness.subarray(row, row + env.B));
        row += env.B;
      }
    },
    close() {
      for (const env of envs) env.close();
    },
  };
}

/** @shape actions [B,T,A] and more, outRobustness [B] */
function play(env: PlanningEnv, T: number, actions: Float32Array, outRobustness: Float64Array): void {
  const { A, B, action, finalRobustness, terminated, truncated } = env;
  outRobustness.fill(Number.NaN);
  let running = B;
  for (let t = 0; t < T && running > 0; t++) {
    for (let i = 0; i < B; i++) {
      const at = (i * T + t) * A;
      for (let a = 0; a < A; a++) action[i * A + a] = actions[at + a]!;
    }
    env.step();
    for (let i = 0; i < B; i++) {
      if (terminated[i] === 0 && truncated[i] === 0) continue;
      outRobustness[i] = finalRobustness[i]!;
      running--;
    }
    for (const { environment } of env.faults) outRobustness[environment] = Number.NEGATIVE_INFINITY;
  }
  const bad = outRobustness.findIndex(Number.isNaN);
  if (bad < 0) return;
  throw new VernierError(
    'STATE',
    `row ${bad}: expected the episode to end within ${T} steps and to be judged`,
    {
      hint: 'plan for the whole horizon of a task with a `spec`',
    },
  );
}
