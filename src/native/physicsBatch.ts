import type { ModelNames } from '#core/model';

/** What a physics backend offers to the environment: native/physics through the addon, or its WASM twin.
 * Both take the same plain description and write to the same kinds of buffers. */

/** A simulation that MuJoCo or the arithmetic gave up on; it was reset and marked truncated. */
export interface EnvFault {
  readonly environment: number;
  readonly episode: number;
  /** Control steps of the episode that were done before the one that failed. */
  readonly step: number;
  readonly cause: string;
}

export interface ResetOptions {
  /** Seed of all randomness from here on; the present one when left out. */
  readonly seed?: number;
  /** Index of the episode every environment starts with; 0 when left out. */
  readonly episode?: number;
  /** Index that row 0 has in the randomness keys: rows of a smaller batch can replay those of a larger one. */
  readonly firstEnvironment?: number;
}

/** One environment's state and the poses that it alone does not give: mocap bodies, and every body's place in its
 * parent as randomised.
 * @shape qpos [Q], qvel [V], mocapPos [M,3], mocapQuat [M,4], bodyPos [bodies,3], bodyQuat [bodies,4] f64 */
export interface EnvScene {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly time: number;
  readonly mocapPos: Float64Array;
  readonly mocapQuat: Float64Array;
  readonly bodyPos: Float64Array;
  readonly bodyQuat: Float64Array;
}

/** Where everything is by a robot's sensors; what no sensor tells is as readCopy() had it.
 * @shape as EnvScene; of bodyPos and bodyQuat those count that the task randomises */
export type SensedScene = Omit<EnvScene, 'time'>;

/** What a driven batch tells after its last physics step; poses of the bodies are in the world, w first.
 * @shape qpos [Q], qvel [V], force [actuators], position [bodies,3], rotation [bodies,4] f64 */
export interface DrivenScene {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly force: Float64Array;
  readonly position: Float64Array;
  readonly rotation: Float64Array;
}

export function createDrivenScene(names: ModelNames): DrivenScene {
  const bodies = names.body.length;
  return {
    qpos: new Float64Array(names.nq),
    qvel: new Float64Array(names.nv),
    force: new Float64Array(names.nu),
    position: new Float64Array(3 * bodies),
    rotation: new Float64Array(4 * bodies),
  };
}

/** Kinds of frames that frameAt() knows. */
export const twinFrame = { body: 0, site: 1, geom: 2 } as const;

/** The buffers of a batch of B environments; a call writes them in place and nothing is allocated per step.
 * @shape action [B,A] f32 in [-1,1]; observation, finalObservation [B,O] f32; reward [B] f32; terminated, truncated,
 * success, active [B] u8; episode, steps [B] u32; signals, finalSignals, expert [B,.], robustness [B,2], finalRobustness [B], predicates,
 * finalPredicates [B,P] f64; violated [B,guards] u8 */
export interface BatchBuffers {
  readonly action: Float32Array;
  /** After a step: where the episode ended, the first observation of the next one. */
  readonly observation: Float32Array;
  /** The observation before the automatic reset; equal to `observation` where the episode goes on. */
  readonly finalObservation: Float32Array;
  readonly reward: Float32Array;
  /** 1 where the task ended the episode (success held, or failure): the value of what follows is 0. */
  readonly terminated: Uint8Array;
  /** 1 where the horizon or a fault ended the episode: the value of what follows is not 0. */
  readonly truncated: Uint8Array;
  /** 1 where the success condition has held for the required steps. */
  readonly success: Uint8Array;
  /** 1 = stepped. The rows of the others keep their state; their reward and flags read 0. */
  readonly active: Uint8Array;
  /** Index of the running episode. */
  readonly episode: Uint32Array;
  /** Control steps done in the running episode. */
  readonly steps: Uint32Array;
  /** Values behind `observation`, never those of the ended episode. */
  readonly signals: Float64Array;
  /** The same behind `finalObservation`. */
  readonly finalSignals: Float64Array;
  readonly expert: Float64Array;
  /** Robust interval of the running episode's specification, lower and upper; empty for tasks without, as the next. */
  readonly robustness: Float64Array;
  /** Robustness of the specification over the episode that ended in this step, else NaN. */
  readonly finalRobustness: Float64Array;
  /** Robustness of each predicate of the specification at the last sample, in the order of its indices; where an
   * episode ended, of the first sample of the next one. */
  readonly predicates: Float64Array;
  /** The same before the automatic reset; equal to `predicates` where the episode goes on. */
  readonly finalPredicates: Float64Array;
  /** 1 where the step violated a guard; never of the next episode. */
  readonly violated: Uint8Array;
}

export interface PhysicsBatch extends BatchBuffers {
  readonly backend: 'native' | 'wasm';
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly signalsLength: number;
  readonly expertLength: number;
  readonly threads: number;
  /** Faults of the last step. */
  readonly faults: readonly EnvFault[];

  /** Starts a new episode in every environment. @throws STATE when closed or busy */
  reset(options?: ResetOptions): void;
  /** One control step of every active environment. @throws STATE when closed or busy */
  step(): void;
  /** The same off this thread; the buffers must be left alone until it settles. @throws STATE */
  stepAsync(): Promise<void>;

  /** Everything that a bit-exact continuation needs, randomised parameters included. */
  getState(): Uint8Array;
  /** @throws CHECKPOINT when the bytes are of another model, task or batch size */
  setState(state: Uint8Array): void;
  /** The same of one environment, its share of the buffers included, to be taken over by any environment of a batch of the
   * same task and backend. What is random later on follows place and episode of the environment that took it over. */
  getEnvironment(environment: number): Uint8Array;
  /** @throws CHECKPOINT when the bytes are of another model, task or backend */
  setEnvironment(environment: number, state: Uint8Array): void;

  /** Where everything is in one environment, for viewers and tests. */
  readCopy(environment: number): EnvScene;

  /** Length of what command() writes: the arm's joints, then the gripper's control where there is one. */
  readonly commandLength: number;
  /** A batch of one as a robot's twin: command() and then sense() are a step() whose physics is the robot's. What sense()
   * brings up to date is all that the task reads, but for contacts, contact and actuator forces and the sensors of
   * accelerations. It observes, judges, and counts the step; an episode that has ended takes no more.
   * @param begins an episode starts here, with the arm's position as its command
   * @throws NUMERIC when something is not finite; STATE when the episode is over; USAGE for more environments than one,
   * or an analytic model */
  sense(scene: SensedScene, begins: boolean): void;
  /** From `action` to where the arm's joints shall be at the end of the control step (speeds or torques in those modes),
   * and the gripper's control. @shape outCommand [commandLength] @throws NUMERIC, STATE, USAGE */
  command(outCommand: Float64Array): void;
  /** Position and quaternion (w first) of a frame with the joints at `qpos`, the rest as last sensed.
   * @param kind of twinFrame @shape qpos [Q], outPose [7] @throws USAGE */
  frameAt(qpos: Float64Array, kind: number, id: number, outPose: Float64Array): void;
  /** A batch of one as the robot itself: one physics step per row, with servos that lead as those of step() do. Where
   * judged, as many of them as in training are a control step of the episode: observation, success and the rest are
   * brought up to date then, until it ends. The physics goes on. The action counts as the neutral one, and the command
   * is the last reference.
   * @shape references [k, commandLength] where the servos shall be at the end of each step; velocities [k, joints]
   * @throws PHYSICS when it diverged; NUMERIC; USAGE for more environments than one, analytic models, and modes without
   * position servos */
  drive(references: Float64Array, velocities: Float64Array, judged: boolean, outScene: DrivenScene): void;
  close(): void;
}
