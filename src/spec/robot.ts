import { existsSync } from 'node:fs';
import { dirname, extname, relative, resolve } from 'node:path';
import { VernierError } from '#core/errors';
import type { ModelNames } from '#core/model';
import type { RobotNames } from '#expr/model';
import { nearestHint } from '#expr/source';
import { ConfigFile, type Path } from '#spec/configFile';
import { parseFile } from '#spec/mistakes';
import type { ResolvedArm, ResolvedGripper, ResolvedJointLimits, ResolvedRobot } from '#spec/resolved';
import { type RobotSpec, robotSchema } from '#spec/robotSchema';

/** Robot files: reading them, and looking their names up in the model. */

/** A robot before its model is loaded. `spec` is undefined for a bare MJCF, whose arm is what its actuators drive. */
export interface RobotFile {
  readonly path: string;
  readonly config: ConfigFile | undefined;
  readonly spec: RobotSpec | undefined;
  readonly modelPath: string;
}

/** @throws SPEC, IO */
export function readRobot(path: string): RobotFile {
  if (extname(path) === '.xml') return { path, config: undefined, spec: undefined, modelPath: path };
  const config = new ConfigFile(shortPath(path));
  const spec = parseFile(config, robotSchema);
  const modelPath = resolve(dirname(path), spec.model);
  if (!existsSync(modelPath)) config.fail(['model'], `there is no file ${shortPath(modelPath)}`);
  return { path, config, spec, modelPath };
}

/** The path as a user would type it. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

/** Looks every name of the robot up. @throws SPEC with the place of the name that is wrong */
export function resolveRobot(robot: RobotFile, names: ModelNames): ResolvedRobot {
  const spec = robot.spec ?? bareRobot(robot, names);
  const look = new Lookup(robot, names);
  const arm = resolveArm(spec, look);
  const gripper = spec.gripper && resolveGripper(spec.gripper, look);
  const base =
    spec.base === undefined
      ? names.bodyParent[names.jointBody[arm.joints[0]!]!]!
      : look.id('body', ['base'], spec.base);
  const endEffector =
    spec.end_effector === undefined ? undefined : look.id('site', ['end_effector'], spec.end_effector);
  return { file: robot.path, spec, base, arm, gripper, endEffector };
}

/** What the expressions need to know of the robot. */
export function robotNames(robot: ResolvedRobot, actionLength: number): RobotNames {
  const { arm, gripper } = robot;
  return {
    endEffector: robot.endEffector,
    armJoints: arm.joints,
    armActuators: arm.actuators,
    gripper: gripper && { width: gripper.width, joints: gripper.joints, actuators: gripper.actuators },
    actionLength,
  };
}

/** Names of the robot file against those of the model. */
class Lookup {
  readonly #robot: RobotFile;
  readonly names: ModelNames;

  constructor(robot: RobotFile, names: ModelNames) {
    this.#robot = robot;
    this.names = names;
  }

  id(kind: 'body' | 'site' | 'joint' | 'actuator', path: Path, name: string): number {
    const id = this.names[kind].indexOf(name);
    if (id >= 0) return id;
    return this.fail(path, `the model has no ${kind} "${name}"${nearestHint(name, this.names[kind])}`);
  }

  ids(kind: 'joint' | 'actuator', path: Path, list: readonly string[]): number[] {
    return list.map((name, i) => {
      const first = list.indexOf(name);
      if (first !== i) this.fail([...path, i], `expected different names, received "${name}" twice`);
      return this.id(kind, [...path, i], name);
    });
  }

  /** Hinges and slides only. */
  joints(path: Path, list: readonly string[]): number[] {
    const ids = this.ids('joint', path, list);
    for (const [i, id] of ids.entries()) {
      if (this.names.jointType[id]! < 2)
        this.fail([...path, i], `expected a hinge or slide joint, "${list[i]}" is neither`);
    }
    return ids;
  }

  sameLength(path: Path, list: readonly unknown[], expected: number, of: string): void {
    if (list.length !== expected) {
      this.fail(path, `expected ${expected} entries, as many as ${of}, received ${list.length}`);
    }
  }

  fail(path: Path, message: string): never {
    if (this.#robot.config) return this.#robot.config.fail(path, message);
    throw new VernierError('SPEC', message, {
      at: { file: shortPath(this.#robot.path), line: 1, column: 1 },
    });
  }
}

function resolveArm(spec: RobotSpec, look: Lookup): ResolvedArm {
  const { joints: jointNames, actuators: actuatorNames, home } = spec.arm;
  const joints = look.joints(['arm', 'joints'], jointNames);
  look.sameLength(['arm', 'actuators'], actuatorNames, joints.length, 'arm.joints');
  look.sameLength(['arm', 'home'], home, joints.length, 'arm.joints');
  const actuators = look.ids('actuator', ['arm', 'actuators'], actuatorNames);
  for (const name of Object.keys(spec.limits)) {
    if (!jointNames.includes(name)) {
      look.fail(['limits', name], `expected a joint of the arm${nearestHint(name, jointNames)}`);
    }
  }
  const limits = joints.map((joint, i) => jointLimits(spec, jointNames[i]!, look.names.jointRange[joint]));
  for (const [i, { position }] of limits.entries()) {
    const angle = home[i]!;
    if (position && (angle < position[0] || angle > position[1])) {
      look.fail(['arm', 'home', i], `expected a position within [${position.join(', ')}], received ${angle}`);
    }
  }
  return { names: jointNames, joints, actuators, home, limits };
}

function jointLimits(
  spec: RobotSpec,
  name: string,
  range: readonly [number, number] | undefined,
): ResolvedJointLimits {
  const given = spec.limits[name];
  return {
    position: given?.position ?? range,
    velocity: given?.velocity,
    acceleration: given?.acceleration,
    jerk: given?.jerk,
    effort: given?.effort,
  };
}

function resolveGripper(gripper: NonNullable<RobotSpec['gripper']>, look: Lookup): ResolvedGripper {
  const joints = look.joints(['gripper', 'joints'], gripper.joints);
  if (gripper.home) look.sameLength(['gripper', 'home'], gripper.home, joints.length, 'gripper.joints');
  return {
    actuators: look.ids('actuator', ['gripper', 'actuators'], gripper.actuators),
    joints,
    width: gripper.width ? look.joints(['gripper', 'width'], gripper.width) : joints,
    open: gripper.open,
    closed: gripper.closed,
    home: gripper.home,
  };
}

/** Sites that models commonly give the tool centre point. */
const usualEndEffectors = [
  'ee',
  'end_effector',
  'attachment_site',
  'pinch',
  'pinch_site',
  'tcp',
  'gripper',
  'gripperframe',
];

/** A robot file made up for an MJCF: the arm is every hinge and slide that an actuator drives directly, at rest in the
 * middle of its range or at 0. */
function bareRobot(robot: RobotFile, names: ModelNames): RobotSpec {
  const driven = names.actuator
    .map((actuator, i) => ({
      actuator,
      joint: names.actuatorTarget[i]!,
      transmission: names.actuatorTransmission[i]!,
    }))
    .filter(
      ({ actuator, joint, transmission }) =>
        transmission <= 1 && actuator !== '' && names.joint[joint] !== '',
    )
    .filter(
      ({ joint }, i, all) =>
        names.jointType[joint]! >= 2 && all.findIndex((other) => other.joint === joint) === i,
    );
  if (driven.length === 0) {
    throw new VernierError('SPEC', 'expected a model with a named actuator on a named hinge or slide joint', {
      at: { file: shortPath(robot.path), line: 1, column: 1 },
      hint: 'write a robot.yaml that names the joints of the arm',
    });
  }
  return robotSchema.parse({
    name: robot.path.replace(/^.*\/|\.xml$/g, ''),
    model: robot.modelPath,
    arm: {
      joints: driven.map(({ joint }) => names.joint[joint]!),
      actuators: driven.map(({ actuator }) => actuator),
      home: driven.map(({ joint }) => restPosition(names.jointRange[joint])),
    },
    end_effector: usualEndEffectors.find((name) => names.site.includes(name)),
  });
}

function restPosition(range: readonly [number, number] | undefined): number {
  if (!range || (range[0] <= 0 && range[1] >= 0)) return 0;
  return (range[0] + range[1]) / 2;
}
