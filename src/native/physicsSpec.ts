import type { ModelSource } from '#core/model';

/** What a physics backend simulates, in numbers: names are looked up before. Ids are MuJoCo's. The native form is
 * native/physics/spec.h. */

export type Range = readonly [number, number];

export interface Slot {
  readonly offset: number;
  readonly length: number;
}

export type ControlMode =
  | 'joint_position'
  | 'joint_delta'
  | 'joint_velocity'
  | 'torque'
  | 'end_effector_delta';

export interface ArmSpec {
  /** Hinge and slide joints, from the base outwards. */
  readonly joints: readonly number[];
  readonly actuators: readonly number[];
  readonly home: readonly number[];
  /** Infinite where a joint is not limited. */
  readonly position: readonly Range[];
  /** Largest speed, Infinity where it is not limited. */
  readonly velocity: readonly number[];
  /** At |a| = 1. joint_delta: rad; joint_velocity: rad/s; torque: N m; for slides in m. */
  readonly scale: readonly number[];
}

export interface GripperSpec {
  readonly actuators: readonly number[];
  readonly joints: readonly number[];
  /** Positions of `joints` at rest; empty: the model's. */
  readonly home: readonly number[];
  /** Control values. */
  readonly open: number;
  readonly closed: number;
  /** true: the last action entry drives it, -1 closed, +1 open. false: it stays open. */
  readonly inAction: boolean;
}

export interface EndEffectorSpec {
  readonly site: number;
  /** Body whose axes the action moves along. */
  readonly base: number;
  /** 0..5 = x y z roll pitch yaw: one action entry each; the others hold their rest value. */
  readonly axes: readonly number[];
  /** Metres and radians per control step at |a| = 1. */
  readonly translation: number;
  readonly rotation: number;
  /** Damping of the least-squares inverse kinematics. */
  readonly damping: number;
  /** Share of the way home that the free motion of a redundant arm goes per control step. */
  readonly nullspace: number;
  /** Weights of the six pose errors; 0 leaves an axis free. */
  readonly weights: readonly number[];
}

/** An analytic model in the place of MuJoCo's step; the equations are in native/physics/dynamics.h. */
export type DynamicsSpec =
  | {
      readonly kind: 'linear';
      /** Of each arm joint at |a| = 1, m/s or rad/s. */
      readonly speed: readonly number[];
    }
  | {
      readonly kind: 'unicycle';
      /** rad/s and m/s^2 at |a| = 1. */
      readonly turnRate: number;
      readonly acceleration: number;
      readonly speed: Range;
    }
  | {
      readonly kind: 'quadrotor';
      /** Roll and pitch, rad, yaw rate, rad/s, and share of the weight by which the thrust changes at |a| = 1. */
      readonly tilt: number;
      readonly yawRate: number;
      readonly thrust: number;
      /** Time constants of attitude and drag, s and 1/s. */
      readonly response: number;
      readonly drag: number;
    };

export interface ControlSpec {
  readonly mode: ControlMode;
  /** Where there is one it tells what an action is, and `mode` is `torque`: the joints hold nothing. */
  readonly dynamics?: DynamicsSpec | undefined;
  /** A delta starts from where the arm is (`achieved`), or from the previous target (`commanded`). */
  readonly goal: 'achieved' | 'commanded';
  readonly arm: ArmSpec;
  readonly gripper: GripperSpec | undefined;
  readonly endEffector: EndEffectorSpec | undefined;
}

/** Drawn at each reset from Philox keyed (seed, environment, episode), one stream per entry. */
export type RandomizationSpec =
  | {
      readonly kind: 'pose';
      readonly body: number;
      readonly x: Range;
      readonly y: Range;
      readonly z: Range;
      readonly roll: Range;
      readonly pitch: Range;
      readonly yaw: Range;
      /** Drawn again while nearer than `distance` to these bodies, horizontally. */
      readonly apartFrom: readonly number[];
      readonly distance: number;
    }
  | { readonly kind: 'joints'; readonly joints: readonly number[]; readonly noise: number }
  | { readonly kind: 'mass'; readonly body: number; readonly scale: Range }
  | { readonly kind: 'friction'; readonly geoms: readonly number[]; readonly scale: Range }
  | { readonly kind: 'gain'; readonly actuators: readonly number[]; readonly scale: Range }
  | { readonly kind: 'damping'; readonly joints: readonly number[]; readonly scale: Range };

export interface ProgramSpec {
  readonly code: Float64Array;
  readonly outputs: number;
  readonly groups: Readonly<
    Record<'signals' | 'observation' | 'reward' | 'success' | 'failure' | 'expert', Slot>
  > & { readonly monitor?: Slot };
}

/** The formulas of a task, as compiled monitors (#stl/monitorProgram). The program's group `monitor` has the robustness of
 * the predicates of the specification, then of each guard. */
export interface MonitorSpec {
  /** The specification: it tells success. Undefined: there are guards alone. */
  readonly code: Float64Array | undefined;
  /** Its registers whose values, divided by `reward.clip` and limited to [-1, 1], are put behind the observation. */
  readonly observed: readonly number[];
  /** Added to the reward. `final`: weight * robustness at the episode's end; `potential`: discount * P' - P with
   * P = weight * the middle of the robust interval, 0 behind a terminal step; `stage`: weight times the share of the
   * stages that came to hold. Robustness is limited to +-clip. */
  readonly reward: {
    readonly kind: 'none' | 'final' | 'potential' | 'stage';
    readonly weight: number;
    readonly clip: number;
    readonly discount: number;
  };
  readonly guards: readonly { readonly code: Float64Array; readonly terminates: boolean }[];
  /** For `stage`: monitors over the predicates of the specification. */
  readonly stages: readonly Float64Array[];
  /** Predicates of the specification: the first of the program's group `monitor`. */
  readonly predicates: number;
  /** false: the specification is judged at the horizon only, however early its verdict is known. */
  readonly terminates: boolean;
}

export interface PhysicsSpec {
  readonly model: ModelSource;
  readonly environments: number;
  readonly threads: number;
  readonly seed: number;
  /** Index that row 0 has in the randomness keys. */
  readonly firstEnvironment: number;
  readonly autoReset: boolean;
  /** Seconds of a physics step; 0 keeps the model's. */
  readonly timestep: number;
  readonly substeps: number;
  /** Control steps. */
  readonly horizon: number;
  readonly successHold: number;
  readonly control: ControlSpec;
  readonly randomize: readonly RandomizationSpec[];
  /** Control steps by which actions arrive late, drawn per episode. */
  readonly latency: Range;
  /** Standard deviation, on every observation entry. */
  readonly observationNoise: number;
  readonly program: ProgramSpec;
  readonly monitor?: MonitorSpec;
}

/** Entries of an observation. */
export function observationLength(spec: PhysicsSpec): number {
  return spec.program.groups.observation.length + (spec.monitor?.observed.length ?? 0);
}

/** Names of a model's action entries; those of `linear` are the arm's joints. */
export const dynamicsActions = {
  unicycle: ['turn', 'accelerate'],
  quadrotor: ['roll', 'pitch', 'yaw_rate', 'thrust'],
} as const;

/** Entries of an action. */
export function actionLength(control: ControlSpec): number {
  const { dynamics } = control;
  if (dynamics) {
    return dynamics.kind === 'linear' ? control.arm.joints.length : dynamicsActions[dynamics.kind].length;
  }
  const arm =
    control.mode === 'end_effector_delta'
      ? (control.endEffector?.axes.length ?? 0)
      : control.arm.joints.length;
  return arm + (control.gripper?.inAction ? 1 : 0);
}
