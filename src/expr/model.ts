import type { ModelNames } from '#core/model';
import type { Graph, Ref } from '#expr/graph';
import { frameKind, type ModelSizes, opcode } from '#expr/program';
import {
  metre,
  metrePerSecond,
  newton,
  newtonMetre,
  one,
  radian,
  radianPerSecond,
  type Unit,
} from '#expr/unit';
import { type Entity, entityKinds, type Value } from '#expr/values';

/** Reads of the model: which members a body, a joint, the arm, ... has, and the values they stand for. */

/** What the expressions call `ee`, `arm`, `gripper` and `action`; ids are those of the model. */
export interface RobotNames {
  readonly endEffector: number | undefined;
  readonly armJoints: readonly number[];
  readonly armActuators: readonly number[];
  readonly gripper:
    | {
        readonly width: readonly number[];
        readonly joints: readonly number[];
        readonly actuators: readonly number[];
      }
    | undefined;
  readonly actionLength: number;
}

const jointType = { free: 0, ball: 1, slide: 2, hinge: 3 } as const;

export function modelSizes(names: ModelNames): ModelSizes {
  return {
    nq: names.nq,
    nv: names.nv,
    nu: names.nu,
    nbody: names.body.length,
    nsite: names.site.length,
    ngeom: names.geom.length,
    nsensordata: names.nsensordata,
  };
}

export function allNames(names: ModelNames): string[] {
  const every = entityKinds.flatMap((kind) => names[kind]);
  return [...new Set(every)].filter((name) => name !== '');
}

/** Everything that is called `name`, or undefined. */
export function findEntity(names: ModelNames, name: string): Entity | undefined {
  const found: Record<string, number | string> = { name };
  for (const kind of entityKinds) {
    const id = name === '' ? -1 : names[kind].indexOf(name);
    if (id >= 0) found[kind] = id;
  }
  return Object.keys(found).length > 1 ? (found as unknown as Entity) : undefined;
}

export interface Frame {
  readonly kind: number;
  readonly id: number;
}

/** The frame an entity has: its own, or that of the body a joint moves. */
export function frameOf(names: ModelNames, entity: Entity): Frame | undefined {
  if (entity.body !== undefined) return { kind: frameKind.body, id: entity.body };
  if (entity.site !== undefined) return { kind: frameKind.site, id: entity.site };
  if (entity.geom !== undefined) return { kind: frameKind.geom, id: entity.geom };
  if (entity.joint !== undefined && names.jointType[entity.joint] === jointType.free) {
    return { kind: frameKind.body, id: names.jointBody[entity.joint]! };
  }
  return undefined;
}

export class ModelReads {
  readonly #names: ModelNames;
  readonly #robot: RobotNames;
  readonly #graph: Graph;

  constructor(names: ModelNames, robot: RobotNames, graph: Graph) {
    this.#names = names;
    this.#robot = robot;
    this.#graph = graph;
  }

  framePosition(frame: Frame): Ref {
    return this.#graph.read(opcode.framePosition, 3, [frame.kind, frame.id]);
  }

  frameQuaternion(frame: Frame): Ref {
    return this.#graph.read(opcode.frameQuaternion, 4, [frame.kind, frame.id]);
  }

  yaw(quaternion: Ref): Value {
    return {
      kind: 'scalar',
      ref: this.#graph.operation(opcode.quaternionYaw, 1, [quaternion]),
      unit: radian,
    };
  }

  /** The members of a name, in the order they are listed in messages. */
  entityMembers(entity: Entity): ReadonlyMap<string, () => Value> {
    const members = new Map<string, () => Value>();
    const frame = frameOf(this.#names, entity);
    if (frame) this.#frameMembers(frame, members);
    else if (entity.joint !== undefined) this.#jointMembers(entity.joint, members);
    if (entity.actuator !== undefined) this.#actuatorMembers(entity.actuator, members);
    if (entity.sensor !== undefined) members.set('value', () => this.sensor(entity.sensor!));
    return members;
  }

  armMembers(): ReadonlyMap<string, () => Value> {
    const { armJoints, armActuators } = this.#robot;
    const command = (): Value => ({
      kind: 'vector',
      ref: this.#graph.read(opcode.command, armJoints.length, [0]),
      unit: 'unknown',
    });
    return new Map([
      ['position', () => this.#joints(armJoints, 'position')],
      ['velocity', () => this.#joints(armJoints, 'velocity')],
      ['command', command],
      ['force', () => this.#forces(armActuators)],
    ]);
  }

  gripperMembers(): ReadonlyMap<string, () => Value> {
    const { gripper, armJoints } = this.#robot;
    if (!gripper) return new Map();
    const command = (): Value => ({
      kind: 'scalar',
      ref: this.#graph.read(opcode.command, 1, [armJoints.length]),
      unit: 'unknown',
    });
    return new Map([
      ['width', () => this.#sum(this.#joints(gripper.width, 'position'))],
      ['velocity', () => this.#sum(this.#joints(gripper.joints, 'velocity'))],
      ['position', () => this.#joints(gripper.joints, 'position')],
      ['command', command],
      ['force', () => this.#forces(gripper.actuators)],
    ]);
  }

  action(): Value {
    return { kind: 'vector', ref: this.#graph.read(opcode.action, this.#robot.actionLength, [0]), unit: one };
  }

  /** A `condition` is what recorded signals have beside numbers; MuJoCo has no sensor of that type. */
  sensor(id: number): Value {
    const length = this.#names.sensorDimension[id]!;
    const ref = this.#graph.read(opcode.sensor, length, [this.#names.sensorAddress[id]!]);
    const type = this.#names.sensorType[id]!;
    if (type === 'condition') return { kind: 'boolean', ref };
    if (length === 4 && type.endsWith('quat')) return { kind: 'quaternion', ref };
    return { kind: length === 1 ? 'scalar' : 'vector', ref, unit: sensorUnits.get(type) ?? 'unknown' };
  }

  #frameMembers(frame: Frame, members: Map<string, () => Value>): void {
    const velocity = (op: number) => () => this.#graph.read(op, 3, [frame.kind, frame.id]);
    members.set('position', () => ({ kind: 'vector', ref: this.framePosition(frame), unit: metre }));
    members.set('quaternion', () => ({ kind: 'quaternion', ref: this.frameQuaternion(frame) }));
    members.set('pose', () => ({
      kind: 'pose',
      position: this.framePosition(frame),
      quaternion: this.frameQuaternion(frame),
    }));
    members.set('yaw', () => this.yaw(this.frameQuaternion(frame)));
    const linear = velocity(opcode.frameVelocity);
    members.set('velocity', () => ({ kind: 'vector', ref: linear(), unit: metrePerSecond }));
    const angular = velocity(opcode.frameAngularVelocity);
    members.set('angular_velocity', () => ({ kind: 'vector', ref: angular(), unit: radianPerSecond }));
  }

  #jointMembers(joint: number, members: Map<string, () => Value>): void {
    if (this.#names.jointType[joint] === jointType.ball) {
      const [qpos, qvel] = [this.#names.jointQposAddress[joint]!, this.#names.jointDofAddress[joint]!];
      members.set('quaternion', () => ({
        kind: 'quaternion',
        ref: this.#graph.read(opcode.qpos, 4, [qpos]),
      }));
      members.set('angular_velocity', () => ({
        kind: 'vector',
        ref: this.#graph.read(opcode.qvel, 3, [qvel]),
        unit: radianPerSecond,
      }));
      return;
    }
    members.set('position', () => this.#joint(joint, 'position'));
    members.set('velocity', () => this.#joint(joint, 'velocity'));
  }

  #joint(joint: number, what: 'position' | 'velocity'): Extract<Value, { kind: 'scalar' }> {
    const hinge = this.#names.jointType[joint] === jointType.hinge;
    if (what === 'position') {
      const ref = this.#graph.read(opcode.qpos, 1, [this.#names.jointQposAddress[joint]!]);
      return { kind: 'scalar', ref, unit: hinge ? radian : metre };
    }
    const ref = this.#graph.read(opcode.qvel, 1, [this.#names.jointDofAddress[joint]!]);
    return { kind: 'scalar', ref, unit: hinge ? radianPerSecond : metrePerSecond };
  }

  /** Several joints as a vector; neighbours in memory are one read. */
  #joints(joints: readonly number[], what: 'position' | 'velocity'): Extract<Value, { kind: 'vector' }> {
    const units = new Set(joints.map((joint) => this.#joint(joint, what).unit));
    const unit: Unit = units.size === 1 ? [...units][0]! : 'unknown';
    const [op, addresses] =
      what === 'position'
        ? [opcode.qpos, joints.map((joint) => this.#names.jointQposAddress[joint]!)]
        : [opcode.qvel, joints.map((joint) => this.#names.jointDofAddress[joint]!)];
    const runs: { at: number; length: number }[] = [];
    for (const at of addresses) {
      const last = runs.at(-1);
      if (last && last.at + last.length === at) last.length++;
      else runs.push({ at, length: 1 });
    }
    const ref = this.#graph.pack(runs.map((run) => this.#graph.read(op, run.length, [run.at])));
    return { kind: 'vector', ref, unit };
  }

  #sum(vector: Extract<Value, { kind: 'vector' }>): Value {
    const ones = this.#graph.constant([1]);
    const ref = this.#graph.operation(opcode.dot, vector.ref.length, [vector.ref, ones]);
    return { kind: 'scalar', ref, unit: vector.unit };
  }

  #actuatorMembers(actuator: number, members: Map<string, () => Value>): void {
    const read = (op: number, unit: Unit) => (): Value => ({
      kind: 'scalar',
      ref: this.#graph.read(op, 1, [actuator]),
      unit,
    });
    members.set('force', read(opcode.actuatorForce, this.#forceUnit(actuator)));
    members.set('control', read(opcode.control, 'unknown'));
  }

  #forces(actuators: readonly number[]): Value {
    const units = new Set(actuators.map((actuator) => this.#forceUnit(actuator)));
    const ref = this.#graph.pack(
      actuators.map((actuator) => this.#graph.read(opcode.actuatorForce, 1, [actuator])),
    );
    return { kind: 'vector', ref, unit: units.size === 1 ? [...units][0]! : 'unknown' };
  }

  #forceUnit(actuator: number): Unit {
    const transmission = this.#names.actuatorTransmission[actuator];
    if (transmission === 3) return newton; // tendon
    if (transmission !== 0 && transmission !== 1) return 'unknown';
    const type = this.#names.jointType[this.#names.actuatorTarget[actuator]!];
    if (type === jointType.hinge) return newtonMetre;
    return type === jointType.slide ? newton : 'unknown';
  }
}

const acceleration: Unit = { m: 1, rad: 0, s: -2, kg: 0 };

const sensorUnits: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ['touch', newton],
  ['accelerometer', acceleration],
  ['velocimeter', metrePerSecond],
  ['gyro', radianPerSecond],
  ['force', newton],
  ['torque', newtonMetre],
  ['rangefinder', metre],
  ['tendonpos', metre],
  ['tendonvel', metrePerSecond],
  ['ballangvel', radianPerSecond],
  ['framepos', metre],
  ['framexaxis', one],
  ['frameyaxis', one],
  ['framezaxis', one],
  ['framelinvel', metrePerSecond],
  ['frameangvel', radianPerSecond],
  ['framelinacc', acceleration],
  ['subtreecom', metre],
  ['subtreelinvel', metrePerSecond],
  ['geomdist', metre],
  ['geomnormal', one],
]);
