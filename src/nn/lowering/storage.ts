import { type Access, contiguous, isView, splitAccess, taskShape, viewAccess } from '#nn/lowering/access';
import type { Arena } from '#nn/lowering/arena';
import { type CopyOp, LOCAL, type Slots, WORKSPACE } from '#nn/lowering/encode';
import { type Shape, sizeOf, stridesOf } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** Where every tensor of a program lies: leaves in bound arrays, results in the workspace, or in the scratch of the
 * worker that computes them when no other task needs them. */

export class Storage {
  readonly slots: Slots;
  readonly #inputs: ReadonlyMap<string, Float32Array | Int32Array>;
  /** Whole tensors, by node. */
  readonly #whole = new Map<Tensor, Access>();
  /** One task's part, in the worker's scratch, by node; valid within its region. */
  readonly #local = new Map<Tensor, Access>();

  constructor(slots: Slots, inputs: ReadonlyMap<string, Float32Array | Int32Array>) {
    this.slots = slots;
    this.#inputs = inputs;
  }

  placed(node: Tensor): boolean {
    return this.#whole.has(node) || this.#local.has(node);
  }

  bind(node: Tensor, access: Access): void {
    this.#whole.set(node, access);
  }

  bindLocal(node: Tensor, offset: number, tasks: number, chunk = false): void {
    this.#local.set(node, { ...contiguous(LOCAL, offset, taskShape(node.shape, tasks)), chunk });
  }

  forgetLocal(): void {
    this.#local.clear();
  }

  isLocal(node: Tensor): boolean {
    return this.#local.has(node);
  }

  whole(node: Tensor): Access | undefined {
    if (node.is('input'))
      return contiguous(this.slots.of(this.#inputs.get(node.attributes.name)!), 0, node.shape);
    if (node.is('parameter')) return this.#parameter(node);
    if (node.is('constant') && !this.#whole.has(node)) {
      this.#whole.set(
        node,
        contiguous(this.slots.of(Float32Array.from(node.attributes.values)), 0, node.shape),
      );
    }
    return this.#whole.get(node);
  }

  #parameter(node: Tensor<'parameter'>): Access {
    const { block, name } = node.attributes;
    const slot = this.slots.of(block.values);
    const own = block.members > 1 ? node.shape.slice(1) : node.shape;
    const strides = block.members > 1 ? [block.memberStride, ...stridesOf(own)] : stridesOf(own);
    return { slot, offset: block.offsetOf(name), taskStride: 0, shape: node.shape, strides };
  }

  /** One task's own part of a result. */
  own(node: Tensor, tasks: number): Access {
    return this.#local.get(node) ?? splitAccess(this.#whole.get(node)!, tasks);
  }

  /** What a task reads: its own part, or the whole tensor. `copies` takes the copies a view needs that strides can
   * not express, into scratch the caller gives back. */
  read(node: Tensor, tasks: number, part: boolean, copies: Copies): Access {
    const local = this.#readLocal(node, tasks, copies);
    if (local) return local;
    const whole = this.#readWhole(node, copies);
    return part ? splitAccess(whole, tasks) : whole;
  }

  #readLocal(node: Tensor, tasks: number, copies: Copies): Access | undefined {
    if (!isView(node)) return this.#local.get(node);
    const base = this.#readLocal(node.inputs[0]!, tasks, copies);
    if (!base) return undefined;
    const shape = taskShape(node.shape, tasks);
    return viewAccess(node, base, shape) ?? viewAccess(node, copies.copy(base), shape)!;
  }

  #readWhole(node: Tensor, copies: Copies): Access {
    if (!isView(node)) return this.whole(node)!;
    const base = this.#readWhole(node.inputs[0]!, copies);
    return viewAccess(node, base, node.shape) ?? viewAccess(node, copies.copy(base), node.shape)!;
  }
}

/** Contiguous copies of strided operands, in scratch that lives for one operation. */
export class Copies {
  readonly ops: CopyOp[] = [];
  readonly #arena: Arena;
  readonly #taken: { offset: number; size: number }[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  copy(from: Access): Access {
    const size = sizeOf(from.shape);
    const offset = this.#arena.take(size);
    this.#taken.push({ offset, size });
    const to = contiguous(LOCAL, offset, from.shape);
    this.ops.push(copyOp(to, from));
    return to;
  }

  release(): void {
    for (const { offset, size } of this.#taken) this.#arena.give(offset, size);
  }
}

/** A copy between two accesses of one shape. */
export function copyOp(to: Access, from: Access): CopyOp {
  const [shape, toStrides, fromStrides] = mergeAxes(from.shape, to.strides, from.strides);
  if (shape.length > 4) throw new RangeError(`a copy of ${shape.length} unmergeable axes`);
  const pad = (list: readonly number[], value: number): number[] => [
    ...new Array<number>(4 - list.length).fill(value),
    ...list,
  ];
  return {
    kind: 'copy',
    extent: pad(shape, 1),
    to: { access: to, strides: pad(toStrides, 0) },
    from: { access: from, strides: pad(fromStrides, 0) },
  };
}

/** Drops axes of size 1 and joins neighbours that are evenly spaced on both sides. */
export function mergeAxes(
  shape: Shape,
  a: readonly number[],
  b: readonly number[],
): [number[], number[], number[]] {
  const out: [number[], number[], number[]] = [[], [], []];
  shape.forEach((n, i) => {
    if (n === 1) return;
    const last = out[0].length - 1;
    if (last >= 0 && out[1][last] === n * a[i]! && out[2][last] === n * b[i]!) {
      out[0][last]! *= n;
      out[1][last] = a[i]!;
      out[2][last] = b[i]!;
    } else {
      out[0].push(n);
      out[1].push(a[i]!);
      out[2].push(b[i]!);
    }
  });
  return out;
}

export function workspaceAccess(offset: number, shape: Shape): Access {
  return contiguous(WORKSPACE, offset, shape);
}
