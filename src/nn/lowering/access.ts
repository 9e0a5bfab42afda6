import { broadcastStrides, type Shape, stridesOf } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** Where numbers lie: a start that may move with the task, a shape and strides. Operations that only move numbers
 * are changes of an Access. */

export interface IndexedBy {
  readonly slot: number;
  readonly offset: number;
  readonly stride: number;
  readonly limit: number;
}

export interface Access {
  readonly slot: number;
  readonly offset: number;
  /** Added per task, or per unit of the index. */
  readonly taskStride: number;
  readonly index?: IndexedBy;
  /** Holds only the rows a chain is at: the start does not move with the rows. */
  readonly chunk?: boolean;
  readonly shape: Shape;
  readonly strides: readonly number[];
}

export function contiguous(slot: number, offset: number, shape: Shape): Access {
  return { slot, offset, taskStride: 0, shape, strides: stridesOf(shape) };
}

/** Task i's part of the leading axis. */
export function splitAccess(a: Access, tasks: number): Access {
  if (tasks === 1) return a;
  const chunk = a.shape[0]! / tasks;
  if (a.index) return { ...a, shape: [chunk, ...a.shape.slice(1)] };
  return { ...a, taskStride: a.strides[0]! * chunk, shape: [chunk, ...a.shape.slice(1)] };
}

/** The local shape of a tensor cut into tasks. */
export function taskShape(shape: Shape, tasks: number): Shape {
  return tasks === 1 ? shape : [shape[0]! / tasks, ...shape.slice(1)];
}

export function isView(node: Tensor): boolean {
  return node.is('reshape') || node.is('broadcast') || node.is('transpose') || node.is('slice');
}

/** The access of a view of `shape` from its input's; undefined where strides can not express it. */
export function viewAccess(view: Tensor, base: Access, shape: Shape): Access | undefined {
  if (view.is('broadcast'))
    return { ...base, shape, strides: broadcastStrides(base.shape, shape, base.strides) };
  if (view.is('transpose')) {
    return { ...base, shape, strides: view.attributes.axes.map((axis) => base.strides[axis]!) };
  }
  if (view.is('slice')) {
    const { axis, from } = view.attributes;
    return { ...base, shape, offset: base.offset + from * base.strides[axis]! };
  }
  const strides = reshapeStrides(base.shape, base.strides, shape);
  return strides && { ...base, shape, strides };
}

/** Strides of the same numbers in row-major order under another shape, if there are any. */
export function reshapeStrides(
  shape: Shape,
  strides: readonly number[],
  target: Shape,
): number[] | undefined {
  const dims = shape.map((n, i) => [n, strides[i]!] as const).filter(([n]) => n !== 1);
  const out = new Array<number>(target.length).fill(0);
  let d = 0;
  let t = 0;
  while (d < dims.length) {
    // Axes of both sides that hold the same number of elements are matched; the old ones must be evenly spaced.
    let have = dims[d]![0];
    const start = t;
    let want = 1;
    while (want !== have || t === start) {
      if (want < have || t === start) {
        if (t >= target.length) return undefined;
        want *= target[t++]!;
      } else {
        if (++d >= dims.length) return undefined;
        if (dims[d - 1]![1] !== dims[d]![0] * dims[d]![1]) return undefined;
        have *= dims[d]![0];
      }
    }
    let stride = dims[d]![1];
    for (let i = t - 1; i >= start; i--) {
      out[i] = stride;
      stride *= target[i]!;
    }
    d++;
  }
  return out;
}
