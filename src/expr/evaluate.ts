import { VernierError } from '#core/errors';
import { arity, cross, type Instruction, quaternionMultiply, runArithmetic } from '#expr/arithmetic';
import {
  CODE_VERSION,
  frameKind,
  HEADER_WORDS,
  header,
  INSTRUCTION_WORDS,
  MAGIC,
  type ModelSizes,
  needs,
  opcode,
} from '#expr/program';

/** The TypeScript twin of native/expr/vm.cc: runs programs over the arrays of a WASM model and data. */

type Numbers = ArrayLike<number>;

/** The arrays of mjModel and mjData that programs read, under MuJoCo's names. Which of the data have to be up to date
 * is what DecodedProgram.needs says. */
export interface ModelView extends ModelSizes {
  readonly body_rootid: Numbers;
  readonly site_bodyid: Numbers;
  readonly site_quat: Numbers;
  readonly geom_bodyid: Numbers;
  readonly geom_quat: Numbers;
  readonly actuator_ctrladr: Numbers;
  readonly actuator_outadr: Numbers;

  readonly xpos: Numbers;
  readonly xquat: Numbers;
  readonly site_xpos: Numbers;
  readonly geom_xpos: Numbers;
  readonly cvel: Numbers;
  readonly subtree_com: Numbers;
  readonly qpos: Numbers;
  readonly qvel: Numbers;
  readonly ctrl: Numbers;
  readonly actuator_force: Numbers;
  readonly sensordata: Numbers;
  /** Contacts with `exclude` 0; normalForce is mj_contactForce()[0] of each, needed for contactForce only. */
  readonly contacts: {
    readonly count: number;
    readonly geom1: Numbers;
    readonly geom2: Numbers;
    readonly normalForce: Numbers;
  };

  /** Seconds and control steps since the episode began. */
  readonly time: number;
  readonly step: number;
  readonly action: Numbers;
  readonly command: Numbers;
}

export interface DecodedProgram {
  readonly instructions: readonly Instruction[];
  readonly constants: Float64Array;
  readonly outputs: Int32Array;
  readonly registers: Float64Array;
  /** Bits of `needs` in #expr/program. */
  readonly needs: number;
}

type Sizes = Pick<ModelView, 'nq' | 'nv' | 'nu' | 'nbody' | 'nsite' | 'ngeom' | 'nsensordata'>;

/** Decodes a program for a model. @throws EXPRESSION when it is malformed or was compiled for another model */
export function decodeProgram(code: Float64Array, sizes: Sizes): DecodedProgram {
  const word = (index: number) => code[index] ?? Number.NaN;
  if (word(header.magic) !== MAGIC || word(header.version) !== CODE_VERSION)
    throw malformed('the header is missing');
  for (const key of ['nq', 'nv', 'nu', 'nbody', 'nsite', 'ngeom', 'nsensordata'] as const) {
    if (word(header[key]) !== sizes[key]) {
      throw new VernierError(
        'EXPRESSION',
        `the expression program was compiled for another model: ${key} is ${sizes[key]} here`,
      );
    }
  }
  const [constants, registers, count, outputs] = [
    word(header.constants),
    word(header.registers),
    word(header.instructions),
    word(header.outputs),
  ];
  const firstInstruction = HEADER_WORDS + constants;
  const firstOutput = firstInstruction + count * INSTRUCTION_WORDS;
  if (firstOutput + outputs !== code.length || !(constants <= registers)) {
    throw malformed('its length is not what its header says');
  }
  const instructions = Array.from({ length: count }, (_, i) =>
    decodeInstruction(code, firstInstruction + i * INSTRUCTION_WORDS),
  );
  return {
    instructions,
    constants: code.slice(HEADER_WORDS, firstInstruction),
    outputs: Int32Array.from(code.subarray(firstOutput)),
    registers: new Float64Array(registers),
    needs: instructions.reduce((sum, { op }) => sum | needsOf(op), 0),
  };
}

function malformed(why: string): VernierError {
  return new VernierError('EXPRESSION', `malformed expression program: ${why}`);
}

function decodeInstruction(code: Float64Array, at: number): Instruction {
  const [op, n, destination, a, strideA, b, strideB, c, strideC, d] = code.subarray(
    at,
    at + INSTRUCTION_WORDS,
  );
  const known = arity(op!) !== undefined || (op! >= opcode.framePosition && op! <= opcode.contactForce);
  if (!known) throw malformed('an unknown operation');
  return {
    op: op!,
    n: n!,
    destination: destination!,
    a: a!,
    strideA: strideA!,
    b: b!,
    strideB: strideB!,
    c: c!,
    strideC: strideC!,
    d: d!,
  };
}

/** What an operation reads of the data, as bits of `needs`. */
export function needsOf(op: number): number {
  switch (op) {
    case opcode.framePosition:
    case opcode.frameQuaternion:
      return needs.position;
    case opcode.frameVelocity:
    case opcode.frameAngularVelocity:
      return needs.position | needs.velocity;
    case opcode.actuatorForce:
      return needs.actuator;
    case opcode.sensor:
      return needs.sensor;
    case opcode.contact:
      return needs.contact;
    case opcode.contactForce:
      return needs.contact | needs.contactForce;
    default:
      return 0;
  }
}

/** Evaluates a program for one environment. @shape out [outputs] f64 */
export function evaluateProgram(program: DecodedProgram, view: ModelView, out: Float64Array): void {
  const r = program.registers;
  r.set(program.constants);
  for (const instruction of program.instructions) {
    if (!runArithmetic(instruction, r)) runRead(instruction, view, r);
  }
  for (let i = 0; i < program.outputs.length; i++) out[i] = r[program.outputs[i]!]!;
}

function runRead(instruction: Instruction, view: ModelView, r: Float64Array): void {
  const { op, n, destination, a, b } = instruction;
  switch (op) {
    case opcode.framePosition:
      copy(framePositions(view, a), 3 * b, 3, r, destination);
      break;
    case opcode.frameQuaternion:
      frameQuaternion(view, a, b, r, destination);
      break;
    case opcode.frameVelocity:
      frameVelocity(view, a, b, r, destination);
      break;
    case opcode.frameAngularVelocity:
      copy(view.cvel, 6 * frameBody(view, a, b), 3, r, destination);
      break;
    case opcode.qpos:
      copy(view.qpos, a, n, r, destination);
      break;
    case opcode.qvel:
      copy(view.qvel, a, n, r, destination);
      break;
    case opcode.actuatorForce:
      copy(view.actuator_force, view.actuator_outadr[a]!, 1, r, destination);
      break;
    case opcode.control:
      copy(view.ctrl, view.actuator_ctrladr[a]!, 1, r, destination);
      break;
    case opcode.sensor:
      copy(view.sensordata, a, n, r, destination);
      break;
    case opcode.command:
      copy(view.command, a, n, r, destination);
      break;
    case opcode.action:
      copy(view.action, a, n, r, destination);
      break;
    case opcode.time:
      r[destination] = view.time;
      break;
    case opcode.step:
      r[destination] = view.step;
      break;
    default:
      r[destination] = readContacts(instruction, view);
  }
}

function copy(from: Numbers, at: number, n: number, r: Float64Array, destination: number): void {
  for (let i = 0; i < n; i++) r[destination + i] = from[at + i]!;
}

function framePositions(view: ModelView, kind: number): Numbers {
  if (kind === frameKind.body) return view.xpos;
  return kind === frameKind.site ? view.site_xpos : view.geom_xpos;
}

function frameBody(view: ModelView, kind: number, id: number): number {
  if (kind === frameKind.body) return id;
  return (kind === frameKind.site ? view.site_bodyid : view.geom_bodyid)[id]!;
}

function frameQuaternion(
  view: ModelView,
  kind: number,
  id: number,
  r: Float64Array,
  destination: number,
): void {
  const body = 4 * frameBody(view, kind, id);
  if (kind === frameKind.body) {
    copy(view.xquat, body, 4, r, destination);
  } else {
    quaternionMultiply(
      view.xquat,
      body,
      kind === frameKind.site ? view.site_quat : view.geom_quat,
      4 * id,
      r,
      destination,
    );
  }
}

/** Scratch: its contents never outlive a call. */
const arm = new Float64Array(3);

function frameVelocity(
  view: ModelView,
  kind: number,
  id: number,
  r: Float64Array,
  destination: number,
): void {
  const body = frameBody(view, kind, id);
  const com = 3 * view.body_rootid[body]!;
  const positions = framePositions(view, kind);
  for (let i = 0; i < 3; i++) arm[i] = positions[3 * id + i]! - view.subtree_com[com + i]!;
  cross(view.cvel, 6 * body, arm, 0, r, destination);
  for (let i = 0; i < 3; i++) r[destination + i]! += view.cvel[6 * body + 3 + i]!;
}

function readContacts(instruction: Instruction, view: ModelView): number {
  const { count, geom1, geom2, normalForce } = view.contacts;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    if (
      !touches(view, geom1[i]!, geom2[i]!, instruction) &&
      !touches(view, geom2[i]!, geom1[i]!, instruction)
    )
      continue;
    if (instruction.op === opcode.contact) return 1;
    sum += normalForce[i]!;
  }
  return sum;
}

function touches(view: ModelView, first: number, second: number, { a, b, c, d }: Instruction): boolean {
  return matches(view, first, a, b) && (c < 0 || matches(view, second, c, d));
}

function matches(view: ModelView, geom: number, kind: number, id: number): boolean {
  return geom >= 0 && (kind === frameKind.geom ? geom === id : view.geom_bodyid[geom] === id);
}
