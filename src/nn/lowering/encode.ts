import type { Access } from '#nn/lowering/access';

/** The plan as one array of numbers; native/nn/plan.cc reads it. */

export const WORKSPACE = 0;
export const LOCAL = 1;
const FIRST_BOUND = 2;
const MAGIC = 1447382094;
const VERSION = 2;

/** Instructions that take a row entry by entry; with the others, in the order of Op in native/nn/kernels.h. */
export const elementwiseOpcodes = [
  'copy',
  'neg',
  'abs',
  'square',
  'sqrt',
  'rsqrt',
  'exp',
  'log',
  'softplus',
  'tanh',
  'relu',
  'sigmoid',
  'erf',
  'sin',
  'cos',
  'sign',
  'cast',
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'less',
  'lessEqual',
  'equal',
  'reluGradient',
  'addRelu',
  'where',
  'mulAdd',
  'clamp',
  'mulAddRelu',
  'reluGradientProduct',
] as const;
const opcodes = [
  ...elementwiseOpcodes,
  'rowSum',
  'rowMax',
  'rowMin',
  'rowDot',
  'normalize',
  'inverseDeviation',
  'normalizeGradient',
  'softmax',
  'logSoftmax',
  'accumulateSum',
  'accumulateMax',
  'accumulateMin',
  'accumulateProduct',
] as const;
export type Opcode = (typeof opcodes)[number];

export type RowOperand =
  | RegisterOperand
  | { readonly kind: 'constant'; readonly value: number }
  | MemoryOperand;

export interface RegisterOperand {
  readonly kind: 'vector' | 'scalar';
  readonly register: number;
}

export interface MemoryOperand {
  readonly kind: 'memoryVector' | 'memoryScalar';
  readonly access: Access;
  /** One per axis of the row space. */
  readonly strides: readonly number[];
}

export interface RowInstruction {
  readonly opcode: Opcode;
  readonly width: number;
  readonly epsilon: number;
  /** Destination first. */
  readonly operands: readonly (RowOperand | undefined)[];
}

export interface RowsOp {
  readonly kind: 'rows';
  readonly extent: readonly number[];
  readonly instructions: readonly RowInstruction[];
}

export interface GemmOp {
  readonly kind: 'gemm';
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  /** Access with [row, column, batch] strides; C has no column stride. */
  readonly a: Operand;
  readonly b: Operand;
  readonly c: Operand;
}

export interface Operand {
  readonly access: Access;
  readonly strides: readonly number[];
}

export interface FillOp {
  readonly kind: 'fill';
  readonly to: Access;
  readonly count: number;
  readonly value: number;
}

export interface CopyOp {
  readonly kind: 'copy';
  readonly extent: readonly number[];
  readonly to: Operand;
  readonly from: Operand;
}

export interface Stretch {
  readonly count: number;
  readonly lastCount: number;
}

export interface NormOp extends Stretch {
  readonly kind: 'norm';
  readonly gradient: Access;
  readonly out: Access;
}

export interface AdamOp extends Stretch {
  readonly kind: 'adam';
  readonly p: Access;
  readonly first: Access;
  readonly second: Access;
  readonly gradient: Access;
  readonly norms: Access;
  readonly normCount: number;
  readonly rate: Access;
  readonly step: Access;
  readonly failure: number;
  readonly settings: readonly [
    beta1: number,
    beta2: number,
    epsilon: number,
    decay: number,
    clipNorm: number,
  ];
}

export interface PolyakOp extends Stretch {
  readonly kind: 'polyak';
  readonly target: Access;
  readonly source: Access;
  readonly tau: Access;
}

export interface StepOp {
  readonly kind: 'step';
  readonly step: Access;
  readonly failure: number;
}

export type PlanOp = GemmOp | RowsOp | FillOp | CopyOp | NormOp | AdamOp | PolyakOp | StepOp;

export interface PlanRegion {
  readonly tasks: number;
  readonly ops: readonly PlanOp[];
}

export type BoundArray = Float32Array | Int32Array;

/** The typed arrays a plan works on, each with its slot. */
export class Slots {
  readonly arrays: BoundArray[] = [];
  readonly #slots = new Map<BoundArray, number>();

  of(array: BoundArray): number {
    const known = this.#slots.get(array);
    if (known !== undefined) return known;
    const slot = FIRST_BOUND + this.arrays.length;
    this.arrays.push(array);
    this.#slots.set(array, slot);
    return slot;
  }
}

export interface PlanParts {
  readonly workspace: number;
  readonly local: number;
  readonly slots: Slots;
  readonly outputs: readonly number[];
  readonly failures: number;
  readonly regions: readonly PlanRegion[];
}

export function encodePlan(parts: PlanParts): Float64Array {
  const out: number[] = [MAGIC, VERSION, parts.workspace, parts.local, parts.slots.arrays.length];
  for (const array of parts.slots.arrays) out.push(array instanceof Int32Array ? 1 : 0, array.length);
  out.push(parts.outputs.length, ...parts.outputs, parts.failures, parts.regions.length);
  for (const region of parts.regions) {
    out.push(region.tasks, region.ops.length);
    for (const op of region.ops) encodeOp(op, out);
  }
  return Float64Array.from(out);
}

function encodeOp(op: PlanOp, out: number[]): void {
  switch (op.kind) {
    case 'gemm':
      out.push(0, op.m, op.n, op.k, op.batch);
      for (const { access, strides } of [op.a, op.b, op.c]) out.push(...ref(access), ...strides);
      return;
    case 'rows':
      encodeRows(op, out);
      return;
    case 'fill':
      out.push(2, ...ref(op.to), op.count, op.value);
      return;
    case 'copy':
      out.push(
        3,
        ...op.extent,
        ...ref(op.to.access),
        ...op.to.strides,
        ...ref(op.from.access),
        ...op.from.strides,
      );
      return;
    case 'norm':
      out.push(4, op.count, op.lastCount, ...ref(op.gradient), ...ref(op.out));
      return;
    case 'adam':
      out.push(5, op.count, op.lastCount);
      for (const access of [op.p, op.first, op.second, op.gradient, op.norms]) out.push(...ref(access));
      out.push(op.normCount, ...ref(op.rate), ...ref(op.step), op.failure, ...op.settings);
      return;
    case 'polyak':
      out.push(6, op.count, op.lastCount, ...ref(op.target), ...ref(op.source), ...ref(op.tau));
      return;
    case 'step':
      out.push(7, ...ref(op.step), op.failure);
      return;
  }
  op satisfies never;
}

function ref({ slot, offset, taskStride, index }: Access): number[] {
  if (!index) return [slot, offset, taskStride, -1];
  return [slot, offset, taskStride, index.slot, index.offset, index.stride, index.limit];
}

const kinds = { vector: 1, scalar: 2, constant: 3, memoryVector: 4, memoryScalar: 5 } as const;

function encodeRows(op: RowsOp, out: number[]): void {
  const operands = op.instructions.flatMap((i) => i.operands.map((o) => ({ o, width: i.width })));
  const count = (kind: 'vector' | 'scalar'): number =>
    operands.reduce((most, { o }) => (o?.kind === kind ? Math.max(most, o.register + 1) : most), 0);
  const width = operands.reduce(
    (most, { o, width: w }) => (o?.kind === 'vector' ? Math.max(most, w) : most),
    1,
  );
  out.push(
    1,
    ...op.extent,
    Math.ceil(width / 16) * 16,
    count('vector'),
    count('scalar'),
    op.instructions.length,
  );
  for (const instruction of op.instructions) {
    out.push(opcodes.indexOf(instruction.opcode), instruction.width, instruction.epsilon);
    for (let k = 0; k < 4; k++) encodeOperand(instruction.operands[k], out);
  }
}

function encodeOperand(operand: RowOperand | undefined, out: number[]): void {
  if (!operand) {
    out.push(0);
    return;
  }
  out.push(kinds[operand.kind]);
  if ('value' in operand) out.push(operand.value);
  else if ('register' in operand) out.push(operand.register);
  else out.push(...ref(operand.access), ...operand.strides);
}
