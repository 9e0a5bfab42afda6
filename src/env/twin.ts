import { createBatch } from '#env/makeEnv';
import { physicsSpec } from '#env/physicsSpec';
import type { PhysicsBatch } from '#native/physicsBatch';
import type { ResolvedTask } from '#spec/resolved';

/** A robot's twin: one environment of the task whose state comes from sensors in the place of physics, so that what is
 * observed, judged and commanded is what it was in training. A robot has latency and noise of its own: those of the task
 * are left out.
 * @throws as makeEnv */
export async function makeTwin(task: ResolvedTask, backend?: 'native' | 'wasm'): Promise<PhysicsBatch> {
  const options = { environments: 1, seed: 0, threads: 1, autoReset: false, firstEnvironment: 0 };
  return createBatch({ ...physicsSpec(task, options), latency: [0, 0], observationNoise: 0 }, backend);
}
