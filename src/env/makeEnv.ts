import { physicsSpec } from '#env/physicsSpec';
import type { EnvOptions, VectorEnv } from '#env/vectorEnv';
import { decodeProgram, evaluateProgram } from '#expr/evaluate';
import { needs } from '#expr/program';
import { defaultThreads, physicsBackend } from '#native/backend';
import { createNativeBatch } from '#native/nativeBatch';
import type { PhysicsBatch } from '#native/physicsBatch';
import type { PhysicsSpec } from '#native/physicsSpec';
import type { ResolvedTask } from '#spec/resolved';
import { TaskMonitor } from '#stl/taskMonitor';

/** A batch of environments of a task, reset to episode 0 of the seed.
 * @throws BACKEND when the backend asked for is missing; PHYSICS when MuJoCo refuses the model or the control mode
 * does not fit its actuators */
export async function makeEnv(task: ResolvedTask, options: EnvOptions): Promise<VectorEnv> {
  const spec = physicsSpec(task, {
    environments: options.environments,
    seed: options.seed >>> 0,
    threads: options.threads ?? defaultThreads(),
    autoReset: options.autoReset ?? true,
    firstEnvironment: options.firstEnvironment ?? 0,
  });
  const batch = await createBatch(spec, options.backend);
  return Object.assign(batch, {
    horizon: task.horizon,
    controlPeriod: task.control.period,
  });
}

/** A batch of environments from its plain description. @throws as makeEnv */
export async function createBatch(spec: PhysicsSpec, backend?: 'native' | 'wasm'): Promise<PhysicsBatch> {
  if (physicsBackend(backend) === 'native') return createNativeBatch(spec);
  const { createWasmBatch } = await import('#native/wasm/batch');
  const evaluator = { decode: decodeProgram, evaluate: evaluateProgram, needs };
  return createWasmBatch(spec, evaluator, spec.monitor && new TaskMonitor(spec.monitor, spec.environments));
}
