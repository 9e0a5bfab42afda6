import type { ModelNames } from '#core/model';
import { dynamicsActions } from '#native/physicsSpec';
import type { ConfigFile, Path } from '#spec/configFile';
import { resolveDynamics } from '#spec/dynamics';
import type { ResolvedControl, ResolvedRobot } from '#spec/resolved';
import type { RobotFile } from '#spec/robot';
import type { ControlMode, ControlSpec } from '#spec/robotSchema';
import type { TaskSpec } from '#spec/taskSchema';

const defaults: Omit<ResolvedControl, 'timestep' | 'substeps' | 'dynamics' | 'mode'> & { mode: ControlMode } =
  {
    mode: 'joint_position',
    goal: 'achieved',
    axes: ['x', 'y', 'z', 'roll', 'pitch', 'yaw'],
    translation: 0.05,
    rotation: 0.5,
    delta: 0.05,
    scale: 1,
    damping: 0.05,
    gripper: false,
    period: 0.05,
  };

/** The robot's control with the task's keys over it, complete. Every mistake points at the file that wrote the key.
 * @throws SPEC */
export function resolveControl(
  task: TaskSpec,
  taskFile: ConfigFile,
  robot: ResolvedRobot,
  robotFile: RobotFile,
  names: ModelNames,
): ResolvedControl {
  const given: ControlSpec = { ...robot.spec.control, ...task.control };
  const dynamics = resolveDynamics(task, taskFile, robot, robotFile, names);
  const merged = overlay({ ...defaults, timestep: names.timestep }, given);
  const fail = (key: keyof ControlSpec, message: string): never => {
    const path: Path = ['control', key];
    const owner = key in task.control ? taskFile : key in robot.spec.control ? robotFile.config : undefined;
    return (owner ?? taskFile).fail(path, message);
  };
  if (merged.mode === 'end_effector_delta' && robot.endEffector === undefined) {
    fail('mode', 'end_effector_delta expects `end_effector` in the robot file');
  }
  if (merged.gripper && !robot.gripper) fail('gripper', 'expected `gripper` in the robot file');
  const repeated = merged.axes.find((axis, i) => merged.axes.indexOf(axis) !== i);
  if (repeated) fail('axes', `expected different axes, received ${repeated} twice`);
  if (!dynamics) requireLimits(merged.mode, robot, fail);
  if (dynamics && merged.gripper)
    fail('gripper', 'expected false with `dynamics`, which leaves the gripper at rest');
  const ratio = merged.period / merged.timestep;
  const substeps = Math.round(ratio);
  if (substeps < 1 || Math.abs(ratio - substeps) > 1e-6 * ratio) {
    fail(
      'period',
      `expected a whole number of time steps of ${merged.timestep} s, received ${merged.period} s`,
    );
  }
  return { ...merged, ...(dynamics ? { mode: 'dynamics' } : {}), dynamics, substeps };
}

/** `given` over `base`, where a key that is there but undefined counts as absent. */
function overlay<T extends object>(base: T, given: { readonly [K in keyof T]?: T[K] | undefined }): T {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(present) };
}

/** Modes that scale by a limit need it of every joint. */
function requireLimits(
  mode: ControlMode,
  robot: ResolvedRobot,
  fail: (key: keyof ControlSpec, message: string) => never,
): void {
  const needed = ({ joint_position: 'position', joint_velocity: 'velocity', torque: 'effort' } as const)[
    mode as 'torque'
  ];
  if (needed === undefined) return;
  const without = robot.arm.limits.findIndex((limits) => limits[needed] === undefined);
  if (without >= 0) {
    fail('mode', `${mode} expects limits.${robot.arm.names[without]}.${needed} in the robot file`);
  }
}

/** Names of the action's entries, in order. */
export function actionNames(control: ResolvedControl, robot: ResolvedRobot): string[] {
  const { dynamics } = control;
  if (dynamics && dynamics.kind !== 'linear') return [...dynamicsActions[dynamics.kind]];
  const arm = control.mode === 'end_effector_delta' ? control.axes : robot.arm.names;
  return control.gripper ? [...arm, 'gripper'] : [...arm];
}
