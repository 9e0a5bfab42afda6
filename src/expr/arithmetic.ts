import { opcode } from '#expr/program';

/** The operations that read nothing but registers: the constant folder and the TypeScript evaluator share them.
 * native/expr/vm.cc computes the same in the same order. */

/** One decoded instruction; see #expr/program for the meaning of the operands. */
export interface Instruction {
  readonly op: number;
  readonly n: number;
  readonly destination: number;
  readonly a: number;
  readonly strideA: number;
  readonly b: number;
  readonly strideB: number;
  readonly c: number;
  readonly strideC: number;
  readonly d: number;
}

type Unary = (a: number) => number;
type Binary = (a: number, b: number) => number;
type Ternary = (a: number, b: number, c: number) => number;

const unary: Readonly<Record<number, Unary>> = {
  [opcode.move]: (a) => a,
  [opcode.negate]: (a) => -a,
  [opcode.abs]: Math.abs,
  [opcode.sqrt]: Math.sqrt,
  [opcode.sin]: Math.sin,
  [opcode.cos]: Math.cos,
  [opcode.exp]: Math.exp,
  [opcode.log]: Math.log,
  [opcode.tanh]: Math.tanh,
  [opcode.not]: (a) => (a === 0 ? 1 : 0),
};

const binary: Readonly<Record<number, Binary>> = {
  [opcode.add]: (a, b) => a + b,
  [opcode.subtract]: (a, b) => a - b,
  [opcode.multiply]: (a, b) => a * b,
  [opcode.divide]: (a, b) => a / b,
  [opcode.min]: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  [opcode.max]: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  [opcode.atan2]: Math.atan2,
  [opcode.power]: (a, b) => a ** b,
  [opcode.less]: (a, b) => (a < b ? 1 : 0),
  [opcode.lessEqual]: (a, b) => (a <= b ? 1 : 0),
  [opcode.equal]: (a, b) => (a === b ? 1 : 0),
  [opcode.notEqual]: (a, b) => (a !== b ? 1 : 0),
  [opcode.and]: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  [opcode.or]: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
};

const ternary: Readonly<Record<number, Ternary>> = {
  [opcode.clamp]: (a, low, high) => (a < low ? low : a > high ? high : a),
  [opcode.select]: (a, b, c) => (a !== 0 ? b : c),
};

/** How many register operands an operation has; undefined for model reads and unknown codes. */
export function arity(op: number): 1 | 2 | 3 | undefined {
  if (unary[op] || op === opcode.norm || op === opcode.quaternionConjugate || op === opcode.quaternionYaw)
    return 1;
  if (ternary[op]) return 3;
  if (binary[op] || (op >= opcode.dot && op <= opcode.vectorAngle)) return 2;
  return undefined;
}

/** Runs one instruction on the registers; false when it is not an arithmetic one. */
export function runArithmetic(instruction: Instruction, r: Float64Array): boolean {
  const { op, n, destination, a, strideA, b, strideB, c, strideC } = instruction;
  const f = unary[op];
  if (f) {
    for (let i = 0; i < n; i++) r[destination + i] = f(r[a + i * strideA]!);
    return true;
  }
  const g = binary[op];
  if (g) {
    for (let i = 0; i < n; i++) r[destination + i] = g(r[a + i * strideA]!, r[b + i * strideB]!);
    return true;
  }
  const h = ternary[op];
  if (h) {
    for (let i = 0; i < n; i++) {
      r[destination + i] = h(r[a + i * strideA]!, r[b + i * strideB]!, r[c + i * strideC]!);
    }
    return true;
  }
  return runGeometry(instruction, r);
}

function runGeometry({ op, n, destination, a, strideA, b, strideB }: Instruction, r: Float64Array): boolean {
  switch (op) {
    case opcode.dot:
      r[destination] = dot(r, n, a, strideA, b, strideB);
      return true;
    case opcode.norm:
      r[destination] = Math.sqrt(dot(r, n, a, strideA, a, strideA));
      return true;
    case opcode.cross:
      cross(r, a, r, b, r, destination);
      return true;
    case opcode.rotate:
      rotate(r, a, b, destination);
      return true;
    case opcode.quaternionMultiply:
      quaternionMultiply(r, a, r, b, r, destination);
      return true;
    case opcode.quaternionConjugate:
      for (let i = 0; i < 4; i++) r[destination + i] = i === 0 ? r[a]! : -r[a + i]!;
      return true;
    case opcode.quaternionYaw:
      r[destination] = yaw(r[a]!, r[a + 1]!, r[a + 2]!, r[a + 3]!);
      return true;
    case opcode.quaternionAngle:
      r[destination] = quaternionAngle(r, a, b);
      return true;
    case opcode.vectorAngle:
      cross(r, a, r, b, scratch, 0);
      r[destination] = Math.atan2(norm3(scratch, 0), dot(r, 3, a, 1, b, 1));
      return true;
    default:
      return false;
  }
}

/** Its contents never outlive a call. */
const scratch = new Float64Array(8);

function dot(r: Float64Array, n: number, a: number, strideA: number, b: number, strideB: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += r[a + i * strideA]! * r[b + i * strideB]!;
  return sum;
}

function norm3(v: ArrayLike<number>, at: number): number {
  return Math.sqrt(v[at]! * v[at]! + v[at + 1]! * v[at + 1]! + v[at + 2]! * v[at + 2]!);
}

/** out[o..] = x[a..] x y[b..] */
export function cross(
  x: ArrayLike<number>,
  a: number,
  y: ArrayLike<number>,
  b: number,
  out: Float64Array,
  o: number,
): void {
  const [x0, x1, x2] = [x[a]!, x[a + 1]!, x[a + 2]!];
  const [y0, y1, y2] = [y[b]!, y[b + 1]!, y[b + 2]!];
  out[o] = x1 * y2 - x2 * y1;
  out[o + 1] = x2 * y0 - x0 * y2;
  out[o + 2] = x0 * y1 - x1 * y0;
}

/** Hamilton product, w first. */
export function quaternionMultiply(
  x: ArrayLike<number>,
  a: number,
  y: ArrayLike<number>,
  b: number,
  out: Float64Array,
  o: number,
): void {
  const [aw, ax, ay, az] = [x[a]!, x[a + 1]!, x[a + 2]!, x[a + 3]!];
  const [bw, bx, by, bz] = [y[b]!, y[b + 1]!, y[b + 2]!, y[b + 3]!];
  out[o] = aw * bw - ax * bx - ay * by - az * bz;
  out[o + 1] = aw * bx + ax * bw + ay * bz - az * by;
  out[o + 2] = aw * by - ax * bz + ay * bw + az * bx;
  out[o + 3] = aw * bz + ax * by - ay * bx + az * bw;
}

/** v + 2 w (u x v) + 2 u x (u x v), with q = (w, u). */
function rotate(r: Float64Array, q: number, v: number, destination: number): void {
  cross(r, q + 1, r, v, scratch, 0);
  cross(r, q + 1, scratch, 0, scratch, 3);
  for (let i = 0; i < 3; i++) r[destination + i] = r[v + i]! + 2 * (r[q]! * scratch[i]! + scratch[3 + i]!);
}

function yaw(w: number, x: number, y: number, z: number): number {
  return Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
}

function quaternionAngle(r: Float64Array, a: number, b: number): number {
  for (let i = 0; i < 4; i++) scratch[i] = i === 0 ? r[a]! : -r[a + i]!;
  quaternionMultiply(scratch, 0, r, b, scratch, 4);
  return 2 * Math.atan2(norm3(scratch, 5), Math.abs(scratch[4]!));
}
