import type { EnvFault, PhysicsBatch } from '#native/physicsBatch';

export type { EnvFault, ResetOptions } from '#native/physicsBatch';

/** A batch of B environments of one task, stepped in one native call per control step, with automatic reset.
 *
 * Write `action`, call `step()`, read `observation`, `reward`, `terminated`, `truncated`. Where an episode
 * ended, `finalObservation` keeps its last observation and `observation` is the first of the next episode.
 * The buffers are described at BatchBuffers. */
export interface VectorEnv extends PhysicsBatch {
  /** Control steps after which an episode is truncated. */
  readonly horizon: number;
  /** Seconds of one control step. */
  readonly controlPeriod: number;
  readonly faults: readonly EnvFault[];
}

export interface EnvOptions {
  readonly environments: number;
  readonly seed: number;
  /** Threads of the native backend; the CPUs this process may run on when left out. */
  readonly threads?: number;
  /** `native` where the addon has physics, else `wasm`, when left out. */
  readonly backend?: 'native' | 'wasm';
  /** false: an environment whose episode ended stays as it is, and is not stepped, until reset(). */
  readonly autoReset?: boolean;
  /** Index that row 0 has in the randomness keys; 0 when left out. */
  readonly firstEnvironment?: number;
}
