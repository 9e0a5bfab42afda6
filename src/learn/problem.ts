import type { DemosHeader } from '#data/demos';
import type { Mirror } from '#data/mirror';
import type { CameraTask } from '#env/taskCameras';
import type { VectorEnv } from '#env/vectorEnv';
import type { ResolvedDistilled, ResolvedScore } from '#spec/resolved';

/** What learning needs of a batch of environments: the VectorEnv's buffers, stepping and state. */
export type LearnEnv = Pick<
  VectorEnv,
  | 'B'
  | 'O'
  | 'A'
  | 'action'
  | 'observation'
  | 'finalObservation'
  | 'reward'
  | 'terminated'
  | 'truncated'
  | 'success'
  | 'signals'
  | 'finalSignals'
  | 'active'
  | 'episode'
  | 'faults'
  | 'reset'
  | 'step'
  | 'stepAsync'
  | 'getEnvironment'
  | 'setEnvironment'
  | 'getState'
  | 'setState'
  | 'close'
> &
  // Where models score pictures of it.
  Partial<Pick<VectorEnv, 'readCopy'>>;

/** A policy that knows the environment's insides and produces demonstrations. */
export interface ExpertPolicy {
  /** What a bit-exact continuation needs, by name: live arrays. */
  readonly state?: Readonly<Record<string, Int32Array | Float64Array>>;
  /** Starts over in the rows whose mask is 1; everywhere without a mask. */
  reset(mask?: Uint8Array): void;
  /** @shape outAction [B,A] */
  act(outAction: Float32Array): void;
}

export interface ProblemEnvOptions {
  readonly environments: number;
  readonly seed: number;
  readonly threads?: number;
}

/** A task as models see it that score pictures. */
export interface PictureTask {
  readonly camera: CameraTask;
  readonly scores: readonly ResolvedScore[];
  /** Scores by small networks, of the observation. */
  readonly distilled: readonly ResolvedDistilled[];
  /** One row that stays where its episode ended, to go through demonstrations again. */
  makeEnv(): Promise<VectorEnv>;
}

/** What the learner is given: a task's dimensions and names, and ways to make its environments and expert.
 * `taskProblem` makes one of a task file. */
export interface Problem extends DemosHeader {
  readonly O: number;
  readonly A: number;
  readonly horizon: number;
  /** Columns of the environments' signals, where demonstrations must keep them for the aids of a reward. */
  readonly signalNames?: readonly string[];
  /** What becomes of observations and actions in a mirror, where the task has one, and whether that is so.
   * `check` throws SPEC where the simulator says otherwise. */
  readonly mirror?: Mirror & { check(): Promise<void> };
  /** What the actions mean, for a bundle: the control mode and its scales. */
  readonly control: Readonly<Record<string, unknown>>;
  /** What models that score pictures need; left out where there are none. */
  readonly pictures?: PictureTask;
  makeEnv(options: ProblemEnvOptions): Promise<LearnEnv>;
  makeExpert(env: LearnEnv, seed: number): ExpertPolicy;
}
