import type { ModelNames } from '#core/model';
import { arity, type Instruction } from '#expr/arithmetic';
import { decodeProgram } from '#expr/evaluate';
import { modelSizes } from '#expr/model';
import { frameKind, opcode, type Slot } from '#expr/program';
import type { ResolvedTask } from '#spec/resolved';

/** What a robot must sense for a task: found by following what its expressions read back to joints and bodies. */

const jointKinds = ['free', 'ball', 'slide', 'hinge'] as const;

/** A part of the task that the robot evaluates, and so must be able to. */
export type SensedPart = 'observation' | 'success' | 'failure' | 'monitor';

export interface SensingNeeds {
  /** Hinges and slides, in the order of their ids: those of the arm, always, and what else is read. */
  readonly joints: readonly number[];
  /** Free, mocap and randomised bodies whose pose is read. */
  readonly bodies: readonly number[];
  /** Joints whose velocity is read. */
  readonly velocities: readonly number[];
  readonly problems: readonly SensingProblem[];
}

/** Something read that no sensor of a robot tells. */
export interface SensingProblem {
  readonly part: SensedPart;
  /** Name of the observation's entry; the text of the predicate; `success`, `failure`. */
  readonly name: string;
  /** `the contact force on cap_a`. */
  readonly reads: string;
}

/** @param parts what the robot is to evaluate; the observation and the formulas, and success and failure where they end
 * its episodes */
export function sensingNeeds(task: ResolvedTask, parts: readonly SensedPart[]): SensingNeeds {
  const found = new Needs(task);
  const { code, groups } = task.program;
  const program = decodeProgram(code, modelSizes(task.names));
  for (const part of parts) {
    for (const { name, slot } of namedParts(task, part)) {
      const from = groups[part].offset + slot.offset;
      const live = new Set(program.outputs.subarray(from, from + slot.length));
      for (const read of readsBehind(program.instructions, live)) found.add(part, name, read);
    }
  }
  return found.result();
}

function namedParts(task: ResolvedTask, part: SensedPart): { readonly name: string; readonly slot: Slot }[] {
  const { program, monitors } = task;
  const { length } = program.groups[part];
  if (part === 'observation') {
    const entries = program.observationNames.filter(({ offset }) => offset < length);
    return entries.map(({ name, ...slot }) => ({ name, slot }));
  }
  if (part === 'monitor') {
    const specifications = [
      ...(monitors?.specification?.parts ?? []),
      ...(monitors?.guards ?? []).map(({ specification }) => specification),
    ];
    const texts = specifications.flatMap(({ predicates }) => predicates.map(({ text }) => text));
    return texts.map((name, offset) => ({ name, slot: { offset, length: 1 } }));
  }
  return length === 0 ? [] : [{ name: part, slot: { offset: 0, length } }];
}

/** The model reads that the live registers depend on: a walk backwards, since registers are used again. */
function* readsBehind(instructions: readonly Instruction[], live: Set<number>): Generator<Instruction> {
  for (const instruction of instructions.toReversed()) {
    const written = range(instruction.destination, writtenCount(instruction));
    if (!written.some((register) => live.has(register))) continue;
    for (const register of written) live.delete(register);
    if (arity(instruction.op) === undefined) yield instruction;
    else for (const register of operands(instruction)) live.add(register);
  }
}

/** How many registers an instruction writes. */
function writtenCount({ op, n }: Instruction): number {
  switch (op) {
    case opcode.dot:
    case opcode.norm:
    case opcode.quaternionYaw:
    case opcode.quaternionAngle:
    case opcode.vectorAngle:
      return 1;
    case opcode.cross:
    case opcode.rotate:
    case opcode.framePosition:
    case opcode.frameVelocity:
    case opcode.frameAngularVelocity:
      return 3;
    case opcode.quaternionMultiply:
    case opcode.quaternionConjugate:
    case opcode.frameQuaternion:
      return 4;
    default:
      return Math.max(1, n);
  }
}

function operands({ op, n, a, strideA, b, strideB, c, strideC }: Instruction): number[] {
  const strided = (at: number, stride: number): number[] => range(0, n).map((i) => at + i * stride);
  switch (op) {
    case opcode.cross:
    case opcode.vectorAngle:
      return [...range(a, 3), ...range(b, 3)];
    case opcode.rotate:
      return [...range(a, 4), ...range(b, 3)];
    case opcode.quaternionMultiply:
    case opcode.quaternionAngle:
      return [...range(a, 4), ...range(b, 4)];
    case opcode.quaternionConjugate:
    case opcode.quaternionYaw:
      return range(a, 4);
    default: {
      const count = arity(op)!;
      const first = strided(a, strideA);
      const second = count > 1 ? strided(b, strideB) : [];
      return [...first, ...second, ...(count > 2 ? strided(c, strideC) : [])];
    }
  }
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

class Needs {
  readonly #names: ModelNames;
  readonly #placed: ReadonlySet<number>;
  readonly #joints: Set<number>;
  readonly #velocities = new Set<number>();
  readonly #bodies = new Set<number>();
  readonly #problems = new Map<string, SensingProblem>();

  constructor(task: ResolvedTask) {
    this.#names = task.names;
    this.#placed = new Set(task.randomize.flatMap((entry) => (entry.kind === 'pose' ? [entry.body] : [])));
    this.#joints = new Set(task.robot.arm.joints);
  }

  result(): SensingNeeds {
    const ascending = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);
    return {
      joints: ascending(this.#joints),
      bodies: ascending(this.#bodies),
      velocities: ascending(this.#velocities),
      problems: [...this.#problems.values()],
    };
  }

  add(part: SensedPart, name: string, { op, n, a, b }: Instruction): void {
    const names = this.#names;
    const refuse = (reads: string): void => {
      this.#problems.set(`${part} ${name} ${reads}`, { part, name, reads });
    };
    switch (op) {
      case opcode.framePosition:
      case opcode.frameQuaternion:
        this.#frame(this.#frameBody(a, b), false, refuse);
        break;
      case opcode.frameVelocity:
      case opcode.frameAngularVelocity:
        this.#frame(this.#frameBody(a, b), true, refuse);
        break;
      case opcode.qpos:
        for (const joint of this.#owners(names.jointQposAddress, a, n)) this.#joint(joint, false, refuse);
        break;
      case opcode.qvel:
        for (const joint of this.#owners(names.jointDofAddress, a, n)) this.#joint(joint, true, refuse);
        break;
      case opcode.actuatorForce:
        refuse(`the force of the actuator ${names.actuator[a]}`);
        break;
      case opcode.sensor:
        refuse(`the sensor ${names.sensor[names.sensorAddress.findLastIndex((address) => address <= a)]}`);
        break;
      case opcode.contact:
        refuse(`the contacts of ${this.#named(a, b)}`);
        break;
      case opcode.contactForce:
        refuse(`the contact force on ${this.#named(a, b)}`);
        break;
      default: // control, command, action, time, step: the twin's own
    }
  }

  #named(kind: number, id: number): string {
    return (kind === frameKind.geom ? this.#names.geom : this.#names.body)[id] ?? `number ${id}`;
  }

  #frameBody(kind: number, id: number): number {
    if (kind === frameKind.body) return id;
    return (kind === frameKind.site ? this.#names.siteBody : this.#names.geomBody)[id]!;
  }

  /** Joints that own one of the n entries from `first` on. */
  #owners(addresses: readonly number[], first: number, n: number): number[] {
    return [...new Set(range(first, n).map((at) => addresses.findLastIndex((address) => address <= at)))];
  }

  #joint(joint: number, moving: boolean, refuse: (reads: string) => void): void {
    const kind = jointKinds[this.#names.jointType[joint]!];
    const body = this.#names.jointBody[joint]!;
    if (kind === 'free') {
      if (moving) refuse(`the velocity of ${this.#names.body[body]}`);
      this.#bodies.add(body);
    } else if (kind === 'ball') {
      refuse(`the ball joint ${this.#names.joint[joint]}`);
    } else {
      this.#joints.add(joint);
      if (moving) this.#velocities.add(joint);
    }
  }

  /** All that moves a body. */
  #frame(start: number, moving: boolean, refuse: (reads: string) => void): void {
    const { bodyParent, bodyMocap, jointBody } = this.#names;
    for (let body = start; body > 0; body = bodyParent[body]!) {
      if (bodyMocap[body]! >= 0 || this.#placed.has(body)) this.#bodies.add(body);
      for (const [joint, owner] of jointBody.entries())
        if (owner === body) this.#joint(joint, moving, refuse);
    }
  }
}
