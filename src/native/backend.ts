import { availableParallelism } from 'node:os';
import { addonStatus } from '#native/addon';

export type PhysicsBackend = 'native' | 'wasm';

/** The backend to use: the one asked for, else native where the addon has physics, else WASM. */
export function physicsBackend(asked?: PhysicsBackend): PhysicsBackend {
  return asked ?? (addonStatus().addon?.PhysicsBatch === undefined ? 'wasm' : 'native');
}

/** CPUs that this process may run on. */
export function defaultThreads(): number {
  return availableParallelism();
}
