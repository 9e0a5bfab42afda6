import { VernierError } from '#core/errors';
import { type Access, taskShape } from '#nn/lowering/access';
import {
  elementwiseOpcodes,
  type FillOp,
  type MemoryOperand,
  type Opcode,
  type RegisterOperand,
  type RowInstruction,
  type RowOperand,
  type RowsOp,
} from '#nn/lowering/encode';
import { accumulates, type RowSpace, spaceOf, spaceOfShape } from '#nn/lowering/rowSpace';
import { sourceOf } from '#nn/lowering/schedule';
import { isReduce } from '#nn/lowering/simplify';
import { type Copies, mergeAxes, type Storage } from '#nn/lowering/storage';
import { broadcastStrides, sizeOf } from '#nn/shape';
import { scalarValue, type Tensor } from '#nn/tensor';

/** One row program: the operations of a group in order, values kept in registers where nobody outside needs them,
 * products folded into the sums that use them. */

export interface RowGroup {
  readonly nodes: readonly Tensor[];
  readonly tasks: number;
}

export interface RowContext {
  readonly storage: Storage;
  readonly copies: Copies;
  /** Whether a node has a place in memory, bound before the program is built. */
  readonly stored: (node: Tensor) => boolean;
  /** Whether operand k of a node of this group comes from a register of it. */
  readonly inRegister: (user: Tensor, k: number) => boolean;
  readonly users: ReadonlyMap<Tensor, readonly Tensor[]>;
  /** Whether rows must stay rows: the program is done for some of them at a time. */
  readonly byRows: boolean;
}

const AXES = 3;
const WIDEST_FLAT = 1024;
const elementwise = new Set<Opcode>(elementwiseOpcodes);

export function buildRows(
  group: RowGroup,
  context: RowContext,
): { readonly fills: FillOp[]; readonly op: RowsOp } {
  const builder = new Builder(group, context);
  builder.build();
  const rows = spaceOf(group.nodes[0]!, group.tasks).rows;
  if (rows.length > AXES) {
    throw new VernierError(
      'PLAN',
      `rows over ${rows.length} axes ([${rows}]) are more than the native engine takes`,
    );
  }
  const op: RowsOp = { kind: 'rows', extent: padded(rows, 1), instructions: builder.instructions };
  return { fills: builder.fills, op: context.byRows ? op : flattened(op) };
}

class Builder {
  readonly instructions: RowInstruction[] = [];
  readonly fills: FillOp[] = [];
  readonly #group: RowGroup;
  readonly #context: RowContext;
  readonly #registers = new Map<Tensor, RegisterOperand>();
  readonly #free = { vector: [] as number[], scalar: [] as number[] };
  readonly #made = { vector: 0, scalar: 0 };
  readonly #remaining = new Map<Tensor, number>();
  /** Products an instruction of their user takes in. */
  readonly #absorbed = new Map<Tensor, Tensor>();
  readonly #done = new Set<Tensor>();

  constructor(group: RowGroup, context: RowContext) {
    this.#group = group;
    this.#context = context;
  }

  build(): void {
    for (const node of this.#group.nodes) this.#absorb(node);
    for (const node of this.#group.nodes) {
      node.inputs.forEach((_, k) => {
        if (!this.#context.inRegister(node, k)) return;
        const { node: source } = sourceOf(node, k, this.#group.tasks);
        this.#remaining.set(source, (this.#remaining.get(source) ?? 0) + 1);
      });
    }
    for (const node of this.#group.nodes) {
      if (!this.#absorbed.has(node) && !this.#done.has(node)) this.#emit(node);
    }
  }

  /** Marks the operation whose work the instruction of `node` can take in. */
  #absorb(node: Tensor): void {
    for (const k of node.inputs.keys()) {
      if (!this.#context.inRegister(node, k)) continue;
      const { node: inner, views } = sourceOf(node, k, this.#group.tasks);
      const users = this.#context.users.get(inner)!;
      const shared = node.is('normalize') && users.every((user) => this.#sharesPass(node, user));
      const alone = (users.length === 1 || shared) && !this.#context.stored(inner);
      if (!alone || this.#absorbed.has(inner) || views.length > 0) continue;
      if (!node.is('sum') && !sameWidth(inner, node)) continue;
      if (!this.#takes(node, k, inner)) continue;
      this.#absorbed.set(inner, node);
      return;
    }
  }

  #takes(node: Tensor, k: number, inner: Tensor): boolean {
    if (node.is('relu')) return inner.is('add');
    if (node.is('normalize')) return inner.is('add') && inner.inputs.every((x) => sameWidth(x, node));
    if (this.#productOf(inner) !== undefined) return false;
    if (node.is('add')) return inner.is('mul');
    if (node.is('sum')) return inner.is('mul') && this.#fitsSum(node, inner);
    if (node.is('reluGradient')) return inner.is('mul') && k === 0;
    return node.is('mul') && inner.is('reluGradient');
  }

  /** Whether one pass over the rows makes both. */
  #sharesPass(node: Tensor, other: Tensor): boolean {
    if (other === node) return true;
    const kinds = node.is('normalize') ? other.is('inverseDeviation') : other.is('normalize');
    return kinds && this.#group.nodes.includes(other) && sameOperand(node, other);
  }

  #fitsSum(node: Tensor<'sum'>, product: Tensor): boolean {
    const last = node.attributes.axes.includes(node.inputs[0]!.shape.length - 1);
    const width = product.shape.at(-1) ?? 1;
    if (accumulates(node, this.#group.tasks)) return !last || width === 1;
    return width > 1 && product.inputs.every((x) => (x.shape.at(-1) ?? 1) === width);
  }

  #emit(node: Tensor): void {
    const space = spaceOf(node, this.#group.tasks);
    if (isReduce(node)) this.#emitReduce(node, space);
    else if (node.is('normalize') || node.is('inverseDeviation')) this.#emitNormalize(node, space);
    else this.#emitPlain(node, space);
    this.#done.add(node);
  }

  #emitPlain(node: Tensor, space: RowSpace): void {
    const { opcode, operands } = this.#instruction(node, space);
    if (node.is('clamp')) {
      operands.push(
        { kind: 'constant', value: node.attributes.low },
        { kind: 'constant', value: node.attributes.high },
      );
    }
    this.#releaseAll(node);
    this.#push(opcode, space.width, [this.#destination(node, space), ...operands]);
  }

  /** The instruction that does a node and what it takes in. */
  #instruction(node: Tensor, space: RowSpace): { readonly opcode: Opcode; readonly operands: RowOperand[] } {
    const taken = this.#productOf(node);
    if (!taken) return { opcode: opcodeOf(node), operands: this.#operands(node, space) };
    const inner = this.#instruction(taken.product, space);
    if (node.is('relu')) {
      return { ...inner, opcode: inner.opcode === 'mulAdd' ? 'mulAddRelu' : 'addRelu' };
    }
    const other = this.#operand(node, 1 - taken.k, space);
    if (node.is('add')) return { opcode: 'mulAdd', operands: [...inner.operands, other] };
    const [g, y] = inner.operands as [RowOperand, RowOperand];
    const operands = node.is('mul') ? [y, g, other] : [other, ...inner.operands];
    return { opcode: 'reluGradientProduct', operands };
  }

  /** Gives back the registers a node and what it takes in used last. */
  #releaseAll(node: Tensor): void {
    const taken = this.#productOf(node);
    if (taken) this.#releaseAll(taken.product);
    this.#release(node, taken?.k);
  }

  #productOf(node: Tensor): { readonly product: Tensor; readonly k: number } | undefined {
    for (const k of node.inputs.keys()) {
      const { node: product } = sourceOf(node, k, this.#group.tasks);
      if (this.#absorbed.get(product) === node) return { product, k };
    }
    return undefined;
  }

  #emitReduce(node: Tensor<'sum' | 'max' | 'min'>, space: RowSpace): void {
    const names = {
      sum: ['rowSum', 'accumulateSum', 0],
      max: ['rowMax', 'accumulateMax', Number.NEGATIVE_INFINITY],
      min: ['rowMin', 'accumulateMin', Number.POSITIVE_INFINITY],
    } as const;
    const [row, accumulate, first] = names[node.op];
    const last = node.attributes.axes.includes(node.inputs[0]!.shape.length - 1) && space.width > 1;
    const product = this.#productOf(node)?.product;
    const operands = product ? this.#operands(product, space) : this.#operands(node, space);
    const release = (): void => {
      if (product) this.#release(product);
      this.#release(node, product ? 0 : undefined);
    };
    if (!accumulates(node, this.#group.tasks)) {
      release();
      this.#push(product ? 'rowDot' : row, space.width, [this.#reduced(node, space), ...operands]);
      return;
    }
    const target = this.#reduced(node, space) as MemoryOperand;
    this.fills.push({ kind: 'fill', to: target.access, count: sizeOf(target.access.shape), value: first });
    if (last) {
      const partial = this.#take('scalar');
      this.#push(row, space.width, [partial, ...operands]);
      release();
      this.#push(accumulate, 1, [target, partial]);
      this.#free.scalar.push(partial.register);
    } else {
      release();
      this.#push(product ? 'accumulateProduct' : accumulate, space.width, [target, ...operands]);
    }
  }

  /** Normalised rows and their deviations come from one pass when both are wanted. */
  #emitNormalize(node: Tensor, space: RowSpace): void {
    const other = this.#group.nodes.find((n) => n !== node && this.#sharesPass(node, n));
    const [normal, inverse] = node.is('normalize') ? [node, other] : [other, node];
    const epsilon = (node as Tensor<'normalize'>).attributes.epsilon;
    const sum = normal && this.#productOf(normal)?.product;
    const [operand, bias] = sum ? this.#operands(sum, space) : [this.#operand(node, 0, space)];
    if (sum) this.#release(sum);
    else {
      this.#release(node);
      if (other) this.#release(other);
    }
    const to = normal && this.#destination(normal, space);
    const deviation =
      inverse && this.#destination(inverse, spaceOfShape(taskShape(inverse.shape, this.#group.tasks)));
    if (to) this.#push('normalize', space.width, [to, operand, deviation, bias], epsilon);
    else this.#push('inverseDeviation', space.width, [deviation, operand], epsilon);
    if (other) this.#done.add(other);
  }

  #push(opcode: Opcode, width: number, operands: (RowOperand | undefined)[], epsilon = 0): void {
    this.instructions.push({ opcode, width, epsilon, operands });
  }

  #operands(node: Tensor, space: RowSpace): RowOperand[] {
    const count = node.is('takeMembers') ? 1 : node.inputs.length;
    return Array.from({ length: count }, (_, k) => this.#operand(node, k, space));
  }

  #operand(node: Tensor, k: number, space: RowSpace): RowOperand {
    const input = node.inputs[k]!;
    const value = scalarValue(input) ?? (input.is('broadcast') ? scalarValue(input.inputs[0]!) : undefined);
    if (value !== undefined) return { kind: 'constant', value };
    const source = sourceOf(node, k, this.#group.tasks);
    const register = this.#context.inRegister(node, k) ? this.#registers.get(source.node) : undefined;
    if (register) return register;
    const { storage, copies } = this.#context;
    if (node.is('takeMembers')) return this.#memory(this.#memberAccess(node), space, copies);
    return this.#memory(storage.read(input, this.#group.tasks, source.part, copies), space, copies);
  }

  #memberAccess(node: Tensor): Access {
    const [x, index] = node.inputs as [Tensor, Tensor];
    const whole = this.#context.storage.read(x, 1, false, this.#context.copies);
    const indices = this.#context.storage.whole(index)!;
    const E = x.shape[0]!;
    return {
      ...whole,
      taskStride: whole.strides[0]!,
      index: { slot: indices.slot, offset: indices.offset, stride: 1, limit: E },
      shape: [1, ...whole.shape.slice(1)],
    };
  }

  #memory(access: Access, space: RowSpace, copies: Copies): MemoryOperand {
    const strides = broadcastStrides(access.shape, space.shape, access.strides);
    const inner = strides.at(-1) ?? 0;
    if (space.width > 1 && inner > 1) return this.#memory(copies.copy(access), space, copies);
    return memoryOperand(access, space, strides);
  }

  /** Where a node's value for the row goes. */
  #destination(node: Tensor, space: RowSpace): RowOperand {
    if (this.#context.stored(node)) {
      const access = this.#context.storage.own(node, this.#group.tasks);
      return memoryOperand(access, { ...space, shape: access.shape }, access.strides);
    }
    const register = this.#take(space.width === 1 ? 'scalar' : 'vector');
    this.#registers.set(node, register);
    return register;
  }

  /** The destination of a reduction: its own axes, and stride 0 along those it sums over. */
  #reduced(node: Tensor<'sum' | 'max' | 'min'>, space: RowSpace): RowOperand {
    if (!this.#context.stored(node)) {
      const register = this.#take('scalar');
      this.#registers.set(node, register);
      return register;
    }
    const { axes, keepDims } = node.attributes;
    const access = this.#context.storage.own(node, this.#group.tasks);
    let axis = 0;
    const strides = space.shape.map((_, i) => {
      if (axes.includes(i)) {
        if (keepDims) axis++;
        return 0;
      }
      return access.strides[axis++]!;
    });
    return memoryOperand(access, space, strides);
  }

  #take(kind: 'vector' | 'scalar'): RegisterOperand {
    return { kind, register: this.#free[kind].pop() ?? this.#made[kind]++ };
  }

  /** Gives back the registers whose last use this node was. */
  #release(node: Tensor, except?: number): void {
    node.inputs.forEach((_, k) => {
      if (k === except || !this.#context.inRegister(node, k)) return;
      const { node: source } = sourceOf(node, k, this.#group.tasks);
      const left = this.#remaining.get(source)! - 1;
      this.#remaining.set(source, left);
      const register = this.#registers.get(source);
      if (left === 0 && register) this.#free[register.kind].push(register.register);
    });
  }
}

function sameOperand(a: Tensor, b: Tensor): boolean {
  type Normal = Tensor<'normalize'>;
  return a.inputs[0] === b.inputs[0] && (a as Normal).attributes.epsilon === (b as Normal).attributes.epsilon;
}

function sameWidth(a: Tensor, b: Tensor): boolean {
  return a.shape.at(-1) === b.shape.at(-1) && !a.is('broadcast');
}

function opcodeOf(node: Tensor): Opcode {
  if (node.is('takeMembers') || node.is('stopGradient')) return 'copy';
  return node.op as Opcode;
}

function padded(list: readonly number[], value: number): number[] {
  return [...new Array<number>(AXES - Math.min(AXES, list.length)).fill(value), ...list];
}

export function memoryOperand(access: Access, space: RowSpace, strides: readonly number[]): MemoryOperand {
  const rows = strides.slice(0, -1).filter((_, i) => space.shape[i] !== 1);
  const vector = space.width > 1 && strides.at(-1) === 1;
  return { kind: vector ? 'memoryVector' : 'memoryScalar', access, strides: padded(rows, 0) };
}

/** A program of elementwise instructions over contiguous memory runs over long rows instead of its own. */
export function flattened(op: RowsOp): RowsOp {
  const width = op.instructions[0]?.width ?? 1;
  const total = sizeOf(op.extent) * width;
  const chunk = flatWidth(total);
  if (chunk <= width || !op.instructions.every((i) => elementwise.has(i.opcode) && i.width === width))
    return op;
  const flat = (operand: RowOperand | undefined): RowOperand | undefined | 'no' => {
    if (!operand || operand.kind === 'constant') return operand;
    if ('register' in operand)
      return width > 1 && operand.kind === 'scalar' ? 'no' : { ...operand, kind: 'vector' };
    if (operand.kind === 'memoryScalar' && operand.strides.every((s, i) => s === 0 || op.extent[i] === 1))
      return operand;
    const inner = width === 1 || operand.kind === 'memoryVector';
    const [, strides] = mergeAxes([...op.extent, width], [...operand.strides, 1], [...operand.strides, 1]);
    if (!inner || strides.length !== 1 || strides[0] !== 1) return 'no';
    return { kind: 'memoryVector', access: operand.access, strides: [0, 0, chunk] };
  };
  const instructions: RowInstruction[] = [];
  for (const instruction of op.instructions) {
    const operands = instruction.operands.map(flat);
    if (operands.includes('no')) return op;
    // A destination that is one number for all rows would be written by each of them.
    const [destination] = operands as (RowOperand | undefined)[];
    if (destination?.kind === 'memoryScalar') return op;
    instructions.push({ ...instruction, width: chunk, operands: operands as (RowOperand | undefined)[] });
  }
  return { kind: 'rows', extent: [1, 1, total / chunk], instructions };
}

/** The longest even cut of a flat run that still fits the first cache. */
function flatWidth(total: number): number {
  if (total <= WIDEST_FLAT) return total;
  for (let chunk = WIDEST_FLAT; chunk >= 64; chunk--) if (total % chunk === 0) return chunk;
  return 1;
}
