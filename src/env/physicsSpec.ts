import type {
  ArmSpec,
  ControlSpec,
  EndEffectorSpec,
  PhysicsSpec,
  RandomizationSpec,
} from '#native/physicsSpec';
import type { ResolvedTask } from '#spec/resolved';

/** What the backends need of a task, in their terms. */

export interface BatchOptions {
  readonly environments: number;
  readonly seed: number;
  readonly threads: number;
  readonly autoReset: boolean;
  readonly firstEnvironment: number;
}

const AXES = ['x', 'y', 'z', 'roll', 'pitch', 'yaw'] as const;
/** An arm of fewer joints cannot hold six values at once: position comes first. */
const SHORT_ARM_WEIGHTS = [1, 1, 1, 0.05, 0.05, 0.05] as const;
const FULL_WEIGHTS = [1, 1, 1, 1, 1, 1] as const;
const NULLSPACE = 0.05;

export function physicsSpec(task: ResolvedTask, options: BatchOptions): PhysicsSpec {
  return {
    ...options,
    model: task.model,
    timestep: task.control.timestep,
    substeps: task.control.substeps,
    horizon: task.horizon,
    successHold: task.successHold,
    control: controlSpec(task),
    randomize: task.randomize.filter(isPhysical),
    latency: task.randomize.find((entry) => entry.kind === 'latency')?.steps ?? [0, 0],
    observationNoise: task.randomize.find((entry) => entry.kind === 'observation_noise')?.std ?? 0,
    program: task.program,
    ...(task.monitors ? { monitor: task.monitors.native } : {}),
  };
}

function isPhysical(entry: ResolvedTask['randomize'][number]): entry is RandomizationSpec {
  return entry.kind !== 'latency' && entry.kind !== 'observation_noise';
}

function controlSpec(task: ResolvedTask): ControlSpec {
  const { control, robot } = task;
  const { gripper } = robot;
  return {
    mode: control.mode === 'dynamics' ? 'torque' : control.mode,
    dynamics: control.dynamics,
    goal: control.goal,
    arm: armSpec(task),
    gripper: gripper && {
      actuators: gripper.actuators,
      joints: gripper.joints,
      home: gripper.home ?? [],
      open: gripper.open,
      closed: gripper.closed,
      inAction: control.gripper,
    },
    endEffector: endEffectorSpec(task),
  };
}

function armSpec({ control, robot: { arm } }: ResolvedTask): ArmSpec {
  const scale = arm.limits.map((limits) => {
    if (control.mode === 'joint_velocity') return control.scale * (limits.velocity ?? 1);
    if (control.mode === 'dynamics') return 0;
    if (control.mode === 'torque') return control.scale * (limits.effort ?? 1);
    return control.delta;
  });
  return {
    joints: arm.joints,
    actuators: arm.actuators,
    home: arm.home,
    position: arm.limits.map(
      ({ position }) => position ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    ),
    velocity: arm.limits.map(({ velocity }) => velocity ?? Number.POSITIVE_INFINITY),
    scale,
  };
}

function endEffectorSpec({ control, robot }: ResolvedTask): EndEffectorSpec | undefined {
  if (robot.endEffector === undefined) return undefined;
  return {
    site: robot.endEffector,
    base: robot.base,
    axes: control.axes.map((axis) => AXES.indexOf(axis)),
    translation: control.translation,
    rotation: control.rotation,
    damping: control.damping,
    nullspace: NULLSPACE,
    weights: robot.arm.joints.length < 6 ? SHORT_ARM_WEIGHTS : FULL_WEIGHTS,
  };
}
