import type { ModelSource } from '#core/model';
import { createBatch } from '#env/makeEnv';
import { addonStatus } from '#native/addon';
import { modelNames } from '#native/modelNames';
import type { PhysicsBatch } from '#native/physicsBatch';
import type { PhysicsSpec } from '#native/physicsSpec';

/** Every suite over a batch runs on both backends. */
export const backends = ['native', 'wasm'] as const;
export type Backend = (typeof backends)[number];

export const hasNative = addonStatus().addon?.PhysicsBatch !== undefined;

export const namesOn = (backend: Backend) => (source: ModelSource) => modelNames(source, backend);

/** Runs `body` with a batch that is closed afterwards. */
export async function withBatch<T>(
  backend: Backend,
  spec: PhysicsSpec,
  body: (batch: PhysicsBatch) => T | Promise<T>,
): Promise<T> {
  const batch = await createBatch(spec, backend);
  try {
    return await body(batch);
  } finally {
    batch.close();
  }
}

/** Everything a step writes, in one copy. */
export function snapshot(batch: PhysicsBatch): number[] {
  return [
    ...batch.observation,
    ...batch.finalObservation,
    ...batch.reward,
    ...batch.terminated,
    ...batch.truncated,
    ...batch.success,
    ...batch.episode,
    ...batch.steps,
    ...batch.signals,
    ...batch.expert,
  ];
}
