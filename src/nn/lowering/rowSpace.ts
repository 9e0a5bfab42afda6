import { taskShape } from '#nn/lowering/access';
import type { Source } from '#nn/lowering/schedule';
import { isArithmetic, isReduce } from '#nn/lowering/simplify';
import { type Shape, sameShape } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** The row machine's view of operations: which rows an operation runs over, and when a value can stay in a register
 * between two of them. */

export interface RowSpace {
  /** A task's part of the shape the operation runs over. */
  readonly shape: Shape;
  /** Its axes but the last, without those of size 1. */
  readonly rows: readonly number[];
  readonly width: number;
}

const rowWise = new Set(['normalize', 'inverseDeviation', 'normalizeGradient', 'softmax', 'logSoftmax']);

/** Whether the row machine does it. */
export function isRowOp(node: Tensor): boolean {
  return (
    isArithmetic(node.op) ||
    isReduce(node) ||
    rowWise.has(node.op) ||
    ['where', 'clamp', 'cast', 'takeMembers', 'stopGradient'].includes(node.op)
  );
}

export function spaceOfShape(shape: Shape): RowSpace {
  return { shape, rows: shape.slice(0, -1).filter((n) => n !== 1), width: shape.at(-1) ?? 1 };
}

export function spaceOf(node: Tensor, tasks: number): RowSpace {
  const over = isReduce(node) || node.is('inverseDeviation') ? node.inputs[0]! : node;
  return spaceOfShape(taskShape(over.shape, tasks));
}

/** A reduction over rows: its result is complete only after the last row. */
export function accumulates(node: Tensor, tasks: number): boolean {
  if (!isReduce(node)) return false;
  const shape = taskShape(node.inputs[0]!.shape, tasks);
  return node.attributes.axes.some((axis) => axis !== shape.length - 1 && shape[axis] !== 1);
}

/** Whether `user` can take the source's value for its row from a register when both run in one program. */
export function passes(user: Tensor, k: number, source: Source, tasks: number): boolean {
  if (!source.local || !isRowOp(source.node) || !isRowOp(user) || accumulates(source.node, tasks))
    return false;
  const own = spaceOfShape(taskShape(source.node.shape, tasks));
  if (!sameShape(own.rows, spaceOf(source.node, tasks).rows)) return false;
  const same = source.views.every((view) => {
    const seen = spaceOfShape(taskShape(view.shape, tasks));
    return view.is('reshape') && seen.width === own.width && sameShape(seen.rows, own.rows);
  });
  if (!same) return false;
  const space = spaceOf(user, tasks);
  const operand = spaceOfShape(taskShape(user.inputs[k]!.shape, tasks));
  return sameShape(operand.rows, space.rows) && (operand.width === space.width || operand.width === 1);
}
