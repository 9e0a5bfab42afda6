import { isView } from '#nn/lowering/access';
import { relation, type TaskSplit } from '#nn/lowering/tasks';
import type { Tensor } from '#nn/tensor';

/** Groups operations into regions: maximal sets cut into the same tasks in which task i needs nothing of another
 * task. Between regions stands a barrier. */

export interface RegionNodes {
  readonly tasks: number;
  readonly nodes: readonly Tensor[];
}

export interface Schedule {
  readonly regions: readonly RegionNodes[];
  readonly regionOf: ReadonlyMap<Tensor, number>;
  /** Users of a computed node, through views. */
  readonly users: ReadonlyMap<Tensor, readonly Tensor[]>;
}

export function isLeaf(node: Tensor): boolean {
  return node.is('input') || node.is('parameter') || node.is('constant');
}

/** A node that is stored or computed, reached from an operand through views. */
export interface Source {
  readonly node: Tensor;
  /** Whether task i of the user needs only its own part of the operand. */
  readonly part: boolean;
  /** Whether task i of the user needs only what task i of the source makes. */
  readonly local: boolean;
  readonly views: readonly Tensor[];
}

/** Where operand k of a node comes from, outermost view first. */
export function sourceOf(user: Tensor, k: number, tasks: number): Source {
  const part = tasks === 1 || relation(user, k, tasks) === 'same';
  let local = part;
  let node = user.inputs[k]!;
  const views: Tensor[] = [];
  while (isView(node)) {
    local &&= tasks === 1 || relation(node, 0, tasks) === 'same';
    views.push(node);
    node = node.inputs[0]!;
  }
  return { node, part, local, views };
}

/** `order` holds every node, inputs first. */
export function schedule(order: readonly Tensor[], split: TaskSplit): Schedule {
  const computed = order.filter((node) => !isLeaf(node) && !isView(node));
  const tasks = new Map(computed.map((node) => [node, split.tasksOf(node)]));
  const users = new Map<Tensor, Tensor[]>(computed.map((node) => [node, []]));
  const edges = new Map<Tensor, { from: Tensor; together: boolean }[]>();
  for (const node of computed) {
    const list = node.inputs.map((_, k) => {
      const source = sourceOf(node, k, tasks.get(node)!);
      const together = source.local && tasks.get(source.node) === tasks.get(node);
      return { from: source.node, together };
    });
    edges.set(
      node,
      list.filter((e) => !isLeaf(e.from)),
    );
    for (const e of edges.get(node)!) users.get(e.from)!.push(node);
  }
  const level = levels(computed, edges);
  const keys = computed.map((node) => `${String(level.get(node)).padStart(6, '0')} ${tasks.get(node)}`);
  const distinct = [...new Set(keys)].sort();
  const regions = distinct.map((key) => ({
    tasks: Number(key.split(' ')[1]),
    nodes: computed.filter((_, i) => keys[i] === key),
  }));
  return { regions, regionOf: new Map(computed.map((node, i) => [node, distinct.indexOf(keys[i]!)])), users };
}

/** The earliest region level of each node, then as late as its users allow: a value is made where it is used. */
function levels(
  computed: readonly Tensor[],
  edges: ReadonlyMap<Tensor, readonly { from: Tensor; together: boolean }[]>,
): Map<Tensor, number> {
  const level = new Map<Tensor, number>();
  for (const node of computed) {
    const needs = edges.get(node)!.map((e) => level.get(e.from)! + (e.together ? 0 : 1));
    level.set(node, Math.max(0, ...needs));
  }
  const latest = new Map<Tensor, number>();
  for (const node of [...computed].reverse()) {
    const at = latest.get(node) ?? level.get(node)!;
    level.set(node, at);
    for (const e of edges.get(node)!) {
      const limit = at - (e.together ? 0 : 1);
      latest.set(e.from, Math.min(latest.get(e.from) ?? Number.POSITIVE_INFINITY, limit));
    }
  }
  return level;
}
