import type { FreeCamera } from '#core/frame';
import type { ModelNames, ModelSource } from '#core/model';
import type { Program, Slot } from '#expr/program';
import type { DynamicsSpec, RandomizationSpec, Range } from '#native/physicsSpec';
import type { ResolvedMirror } from '#spec/mirror';
import type { ResolvedMonitors } from '#spec/monitor';
import type { ResolvedReward } from '#spec/resolvedReward';
import type { ControlAxis, ControlMode, RobotSpec } from '#spec/robotSchema';
import type { DistilledSpec } from '#spec/scores/distilledSchema';
import type { ScoreBackend } from '#spec/scores/scoreSchema';
import type { TaskSpec } from '#spec/taskSchema';

/** What the task and robot files say, with every name looked up in the model: ids are MuJoCo's. */

export interface ResolvedJointLimits {
  /** Undefined where neither the robot file nor the model limits the joint. */
  readonly position: Range | undefined;
  readonly velocity: number | undefined;
  readonly acceleration: number | undefined;
  readonly jerk: number | undefined;
  readonly effort: number | undefined;
}

export interface ResolvedArm {
  readonly names: readonly string[];
  /** Joint ids, from the base outwards; all hinges or slides. */
  readonly joints: readonly number[];
  readonly actuators: readonly number[];
  readonly home: readonly number[];
  readonly limits: readonly ResolvedJointLimits[];
}

export interface ResolvedGripper {
  readonly actuators: readonly number[];
  readonly joints: readonly number[];
  /** Joints whose positions add up to the width. */
  readonly width: readonly number[];
  /** Control values. */
  readonly open: number;
  readonly closed: number;
  /** Positions of `joints` at rest, if the robot file gives them. */
  readonly home: readonly number[] | undefined;
}

export interface ResolvedRobot {
  /** Absolute path of robot.yaml, or of the MJCF. */
  readonly file: string;
  readonly spec: RobotSpec;
  /** Body id of the base frame. */
  readonly base: number;
  readonly arm: ResolvedArm;
  readonly gripper: ResolvedGripper | undefined;
  /** Site id of the tool centre point. */
  readonly endEffector: number | undefined;
}

export interface ResolvedControl {
  /** `dynamics` where there is such a model: it tells what an action is. */
  readonly mode: ControlMode | 'dynamics';
  readonly dynamics: DynamicsSpec | undefined;
  readonly goal: 'achieved' | 'commanded';
  readonly axes: readonly ControlAxis[];
  readonly translation: number;
  readonly rotation: number;
  readonly delta: number;
  readonly scale: number;
  readonly damping: number;
  readonly gripper: boolean;
  readonly period: number;
  readonly timestep: number;
  /** period / timestep, a whole number. */
  readonly substeps: number;
}

/** Drawn at each reset, in this order. */
export type Randomization =
  | RandomizationSpec
  | { readonly kind: 'observation_noise'; readonly std: number }
  | { readonly kind: 'latency'; readonly steps: Range };

/** Slots are relative to the start of the program's `expert` group. */
export interface ExpertWaypoint {
  readonly name: string;
  readonly position: Slot | undefined;
  /** At most one of yaw and quaternion. */
  readonly yaw: Slot | undefined;
  readonly quaternion: Slot | undefined;
  readonly joints: Slot | undefined;
  /** Gripper action in [-1, 1] (+1 open) from here on. */
  readonly gripper: number;
  /** Nonzero: go on to the next way-point. */
  readonly until: Slot;
  readonly hold: number;
  readonly timeout: number;
  readonly speed: number;
}

export interface ResolvedExpert {
  readonly noise: number;
  readonly gain: number;
  readonly waypoints: readonly ExpertWaypoint[];
  /** Where the end effector and the arm are: what the targets are compared with. */
  readonly state: {
    /** Quaternion of the robot's base, along whose axes the end effector is moved; undefined where it is the world's. */
    readonly base: Slot | undefined;
    readonly position: Slot | undefined;
    readonly quaternion: Slot | undefined;
    readonly yaw: Slot | undefined;
    readonly joints: Slot;
  };
}

/** What a scorer sees the task through. */
export interface ResolvedCamera {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** A camera of the model by name, or a free one. */
  readonly view: string | FreeCamera;
}

/** A named judge of pictures. Plain data: a worker is sent it as it is. */
export interface ResolvedScore {
  readonly name: string;
  readonly backend: ScoreBackend;
  /** Names of the task's cameras, in the order of a moment's views. */
  readonly cameras: readonly string[];
  /** Every so many samples of an episode are scored. */
  readonly every: number;
  /** Moments that the model is shown in one call, at most. */
  readonly batch: number;
  /** Seconds that the model is left alone for when it has failed. */
  readonly pause: number;
  /** Empty where the task says nothing. */
  readonly instruction: string;
  /** Absolute; what paths in the settings are relative to. */
  readonly directory: string;
}

/** A named score that small networks give, from the observation. */
export interface ResolvedDistilled {
  readonly name: string;
  readonly settings: DistilledSpec;
  /** Absolute; what paths in the settings are relative to. */
  readonly directory: string;
}

export interface ResolvedTask {
  readonly name: string;
  /** Absolute path of the task file. */
  readonly file: string;
  /** The whole configuration, presets and defaults filled in; this is what a run saves. */
  readonly spec: TaskSpec;
  readonly overrides: readonly string[];
  /** SHA-256 over task, robot and scene: what is simulated and how. Learning settings are not part of it. */
  readonly hash: string;
  readonly robot: ResolvedRobot;
  readonly model: ModelSource;
  readonly names: ModelNames;
  readonly control: ResolvedControl;
  readonly randomize: readonly Randomization[];
  readonly horizon: number;
  readonly successHold: number;
  /** Length of an action: axes or arm joints, and the gripper if it has an entry. */
  readonly actionLength: number;
  readonly observationLength: number;
  /** One per action entry: `x`, `yaw`, a joint's name, `gripper`. */
  readonly actionNames: readonly string[];
  readonly program: Program;
  readonly expert: ResolvedExpert | undefined;
  /** The task in a mirror; undefined where its file has no such section. */
  readonly mirror: ResolvedMirror | undefined;
  /** Aids on the way to the reward; undefined without any. */
  readonly reward: ResolvedReward | undefined;
  /** The formulas under `spec` and `guard`. */
  readonly monitors: ResolvedMonitors | undefined;
  /** In the order of the file. */
  readonly cameras: readonly ResolvedCamera[];
  /** In the order of the file. */
  readonly scores: readonly ResolvedScore[];
  readonly distilled: readonly ResolvedDistilled[];
}
