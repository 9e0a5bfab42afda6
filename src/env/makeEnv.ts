import { physicsSpec } from '#env/physicsSpec';
import type { EnvOptions, VectorEnv } from '#env/vectorEnv';
import { defaultThreads } from '#native/backend';
import { createNativeBatch } from '#native/nativeBatch';
import type { ResolvedTask } from '#spec/resolved';

/** A batch of environments of a task, reset to episode 0 of the seed.
 * @throws BACKEND when the backend is missing; PHYSICS when MuJoCo refuses the model or the control mode does not
 * fit its actuators */
export async function makeEnv(task: ResolvedTask, options: EnvOptions): Promise<VectorEnv> {
  const spec = physicsSpec(task, {
    environments: options.environments,
    seed: options.seed >>> 0,
    threads: options.threads ?? defaultThreads(),
    autoReset: options.autoReset ?? true,
    firstEnvironment: options.firstEnvironment ?? 0,
  });
  return Object.assign(createNativeBatch(spec), {
    horizon: task.horizon,
    controlPeriod: task.control.period,
  });
}
