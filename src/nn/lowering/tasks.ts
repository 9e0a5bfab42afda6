import { topologicalOrder } from '#nn/autodiff';
import { matmul } from '#nn/linalg';
import { isElementwise } from '#nn/lowering/simplify';
import { reshape, sum } from '#nn/ops';
import type { ReduceOp } from '#nn/tensor';
import { Tensor } from '#nn/tensor';

/** How work is split: a tensor's leading axis is cut into tasks, one per ensemble member or per chunk of rows. The
 * number of tasks depends on shapes alone, never on the number of threads, so results do not either. */

const ROWS_PER_TASK = 64;
const MOST_ROW_TASKS = 8;
const MOST_MEMBERS = 64;

/** `same`: task i needs the input's part i; `whole`: it may need all of it; undefined: the operation can not be cut. */
export type Relation = 'same' | 'whole' | undefined;

export class TaskSplit {
  readonly #members: ReadonlySet<number>;
  /** Numbers of tasks rows were cut into: the leading axis of partial sums. */
  readonly #partials = new Set<number>();

  constructor(roots: readonly Tensor[]) {
    const members = new Set<number>();
    for (const node of topologicalOrder(roots)) {
      const leading = node.shape[0]!;
      const ensemble = node.is('parameter') && node.attributes.block.members > 1;
      const batched = node.is('matmul') && node.shape.length > 2;
      if ((ensemble || batched || node.is('takeMembers')) && leading <= MOST_MEMBERS) members.add(leading);
    }
    this.#members = members;
  }

  /** Into how many tasks a leading axis of this length is cut. */
  parts(length: number | undefined): number {
    if (length === undefined) return 1;
    if (this.#members.has(length) || this.#partials.has(length)) return length;
    for (let n = Math.min(MOST_ROW_TASKS, Math.floor(length / ROWS_PER_TASK)); n > 1; n--) {
      if (length % n === 0) return n;
    }
    return 1;
  }

  /** Makes tensors that lead with one entry per task count as cut into those. */
  cutInto(n: number): void {
    this.#partials.add(n);
  }

  /** Tasks an operation is done in; 1 where its leading axis can not be cut. */
  tasksOf(node: Tensor): number {
    const n = this.parts(node.shape[0]);
    if (n === 1) return 1;
    return node.inputs.every((_, k) => relation(node, k, n) !== undefined) ? n : 1;
  }
}

/** What task i of `node`, cut into n along its leading axis, needs of input k. */
export function relation(node: Tensor, k: number, n: number): Relation {
  const x = node.inputs[k]!;
  const aligned: Relation =
    x.shape.length === node.shape.length && x.shape[0] === node.shape[0] ? 'same' : 'whole';
  if (isElementwise(node) || node.is('cast') || node.is('broadcast') || node.is('stopGradient'))
    return aligned;
  switch (node.op) {
    case 'normalize':
    case 'inverseDeviation':
    case 'normalizeGradient':
    case 'softmax':
    case 'logSoftmax':
      return node.shape.length > 1 ? 'same' : undefined;
    case 'matmul': {
      const { transposeA } = (node as Tensor<'matmul'>).attributes;
      if (node.shape.length > 2) return aligned;
      // A product over all rows is cut by its own rows, columns of A.
      if (transposeA) return node.shape[0]! % n === 0 ? 'whole' : undefined;
      return k === 0 ? 'same' : 'whole';
    }
    case 'sum':
    case 'max':
    case 'min':
      return (node as Tensor<ReduceOp>).attributes.axes.includes(0) ? undefined : 'same';
    case 'reshape':
      return (x.shape[0] ?? 1) % n === 0 && node.shape[0]! % n === 0 ? 'same' : undefined;
    case 'transpose':
      return (node as Tensor<'transpose'>).attributes.axes[0] === 0 ? 'same' : undefined;
    case 'slice':
      return (node as Tensor<'slice'>).attributes.axis === 0 ? undefined : 'same';
    case 'concat':
      return (node as Tensor<'concat'>).attributes.axis === 0 ? undefined : 'same';
    default:
      return 'whole';
  }
}

/** Sums over a leading axis that is cut become partial sums per task and a sum of those, always in that order. */
export function splitReductions(node: Tensor, split: TaskSplit): Tensor | undefined {
  if (node.is('matmul')) return splitProduct(node, split);
  if (!(node.is('sum') || node.is('max') || node.is('min'))) return undefined;
  const reduce = node as Tensor<ReduceOp>;
  const [x] = node.inputs as [Tensor];
  const { axes } = reduce.attributes;
  const n = split.parts(x.shape[0]);
  if (n === 1 || !axes.includes(0)) return undefined;
  const again = (t: Tensor, over: readonly number[]): Tensor => {
    const shape = t.shape.map((length, i) => (over.includes(i) ? 1 : length));
    return new Tensor(reduce.op, [t], shape, { axes: over, keepDims: true });
  };
  const chunk = x.shape[0]! / n;
  if (chunk === 1) {
    if (axes.length === 1) return undefined;
    return reshape(
      again(
        again(
          x,
          axes.filter((a) => a !== 0),
        ),
        [0],
      ),
      node.shape,
    );
  }
  const partial = again(
    reshape(x, [n, chunk, ...x.shape.slice(1)]),
    axes.map((a) => a + 1),
  );
  return reshape(again(partial, [0]), node.shape);
}

function splitProduct(node: Tensor<'matmul'>, split: TaskSplit): Tensor | undefined {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = node.attributes;
  const n = split.parts(a.shape[0]);
  if (!transposeA || transposeB || a.shape.length !== 2 || b.shape.length !== 2) return undefined;
  if (n === 1 || a.shape[0] === n || split.parts(node.shape[0]) > 1) return undefined;
  split.cutInto(n);
  const cut = (t: Tensor): Tensor => reshape(t, [n, t.shape[0]! / n, t.shape[1]!]);
  return sum(matmul(cut(a), cut(b), { transposeA: true }), 0);
}
