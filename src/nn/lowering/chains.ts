import { taskShape } from '#nn/lowering/access';
import type { MemoryOperand, Operand, PlanOp, RowOperand } from '#nn/lowering/encode';
import { accumulates, isRowOp, spaceOf, spaceOfShape } from '#nn/lowering/rowSpace';
import { type Source, sourceOf } from '#nn/lowering/schedule';
import { sameShape } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** Chains: units of a region that go over the same rows are done for a few rows at a time, the whole chain through,
 * so that what they hand on stays in the second cache. What needs all rows of a result follows the chain. */

/** Operations lowered together: a row program, or one product or concatenation. */
export interface Unit {
  readonly nodes: readonly Tensor[];
  readonly rows: boolean;
}

export interface Chain {
  readonly units: readonly Unit[];
  /** Rows the units go over; undefined: one unit, done at once. */
  readonly rows: number | undefined;
}

const ROWS_PER_CHUNK = 64;
const MOST_CHUNKS = 16;
/** A multiple of every matrix tile's rows that divides the usual batches. */
const ROWS_MULTIPLE = 8;

/** Rows done at a time. */
export function chunkOf(rows: number): number {
  const least = Math.ceil(rows / MOST_CHUNKS / ROWS_MULTIPLE) * ROWS_MULTIPLE;
  return Math.max(ROWS_PER_CHUNK, least);
}

/** The units in an order that keeps every operand before its users, chains gathered as early as they can be. */
export function chainsOf(units: readonly Unit[], tasks: number): Chain[] {
  const unitOf = new Map(units.flatMap((unit) => unit.nodes.map((node) => [node, unit] as const)));
  const chains: Chain[] = [];
  let waiting = units;
  while (waiting.length > 0) {
    const rows = rowsOf(waiting[0]!, tasks);
    if (rows === undefined) {
      chains.push({ units: waiting.slice(0, 1), rows });
      waiting = waiting.slice(1);
      continue;
    }
    const open = new Set(waiting);
    const chain = new Set<Unit>();
    for (const unit of waiting) {
      const joins = unit.nodes.every((node) =>
        node.inputs.every((_, k) => {
          const source = sourceOf(node, k, tasks);
          const from = unitOf.get(source.node);
          if (from === undefined || from === unit || !open.has(from)) return true;
          return chain.has(from) && aligned(node, k, source, tasks, rows);
        }),
      );
      if (joins && rowsOf(unit, tasks) === rows) chain.add(unit);
    }
    chains.push({ units: [...chain], rows });
    waiting = waiting.filter((unit) => !chain.has(unit));
  }
  return chains;
}

/** Whether a node's value for some rows can be kept for those rows alone. */
export function madeByRows(node: Tensor, tasks: number, rows: number): boolean {
  return !accumulates(node, tasks) && sameShape(spaceOfShape(taskShape(node.shape, tasks)).rows, [rows]);
}

/** How many rows a unit goes over, if it can be done for some of them at a time and there are enough. */
function rowsOf(unit: Unit, tasks: number): number | undefined {
  const [node] = unit.nodes as [Tensor];
  const product = node.is('matmul') && !node.attributes.transposeA;
  if (!product && !unit.rows) return undefined;
  const { rows } = unit.rows ? spaceOf(node, tasks) : spaceOfShape(taskShape(node.shape, tasks));
  const long = rows.length === 1 && node.shape.length > 1 && rows[0]! >= 2 * ROWS_PER_CHUNK;
  const matrix = !product || taskShape(node.shape, tasks).at(-2) === rows[0];
  return long && matrix ? rows[0] : undefined;
}

/** Whether a row of `node` needs only the same row of operand k. */
function aligned(node: Tensor, k: number, source: Source, tasks: number, rows: number): boolean {
  if (!source.local || (!isRowOp(node) && k !== 0)) return false;
  if (!madeByRows(source.node, tasks, rows)) return false;
  const { width } = spaceOfShape(taskShape(source.node.shape, tasks));
  return [...source.views, node.inputs[k]!].every((x) => {
    const seen = spaceOfShape(taskShape(x.shape, tasks));
    return (x === source.node || x.is('reshape')) && seen.width === width && sameShape(seen.rows, [rows]);
  });
}

/** The part of a row program or product that does `count` rows from row `from` on. */
export function rowsPart(op: PlanOp, from: number, count: number): PlanOp {
  if (op.kind !== 'rows' && op.kind !== 'gemm') throw new RangeError(`a ${op.kind} operation in a chain`);
  if (op.kind === 'gemm') return { ...op, m: count, a: moved(op.a, 0, from), c: moved(op.c, 0, from) };
  const part = (o: RowOperand | undefined): RowOperand | undefined =>
    o !== undefined && 'access' in o ? moved(o, 2, from) : o;
  const instructions = op.instructions.map((i) => ({ ...i, operands: i.operands.map(part) }));
  return { ...op, extent: [1, 1, count], instructions };
}

function moved<T extends Operand | MemoryOperand>(operand: T, axis: number, from: number): T {
  const { access, strides } = operand;
  if (access.chunk) return operand;
  return { ...operand, access: { ...access, offset: access.offset + from * strides[axis]! } };
}
