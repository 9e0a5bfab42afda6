import { type Access, taskShape } from '#nn/lowering/access';
import { Arena } from '#nn/lowering/arena';
import { type Chain, chainsOf, chunkOf, madeByRows, rowsPart, type Unit } from '#nn/lowering/chains';
import type { GemmOp, PlanOp } from '#nn/lowering/encode';
import { buildRows, flattened, memoryOperand } from '#nn/lowering/rowProgram';
import { isRowOp, passes, spaceOf, spaceOfShape } from '#nn/lowering/rowSpace';
import { type RegionNodes, type Schedule, sourceOf } from '#nn/lowering/schedule';
import { Copies, copyOp, type Storage } from '#nn/lowering/storage';
import { broadcastStrides, sizeOf } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** Lowers one region: row operations gathered into programs between the matrix products, scratch given out by
 * liveness. */

export interface LoweredRegion {
  readonly tasks: number;
  readonly ops: readonly PlanOp[];
  /** Floats of scratch per worker. */
  readonly local: number;
}

/** `scratch` is where a worker's scratch for regions starts. */
export function lowerRegion(
  region: RegionNodes,
  schedule: Schedule,
  storage: Storage,
  scratch: number,
): LoweredRegion {
  return new RegionLowering(region, schedule, storage, scratch).lower();
}

class RegionLowering {
  readonly #region: RegionNodes;
  readonly #schedule: Schedule;
  readonly #storage: Storage;
  readonly #arena: Arena;
  readonly #stage = new Map<Tensor, number>();
  readonly #unitOf = new Map<Tensor, number>();

  constructor(region: RegionNodes, schedule: Schedule, storage: Storage, scratch: number) {
    this.#arena = new Arena(scratch);
    this.#region = region;
    this.#schedule = schedule;
    this.#storage = storage;
  }

  lower(): LoweredRegion {
    const { tasks, nodes } = this.#region;
    for (const node of nodes) this.#stage.set(node, this.#stageOf(node));
    for (const node of [...nodes].reverse()) this.#delay(node);
    const chains = chainsOf(this.#units(), tasks);
    chains.forEach((chain, i) => {
      for (const node of chain.units.flatMap((unit) => unit.nodes)) this.#chainOf.set(node, i);
    });
    let unit = 0;
    for (const { nodes } of chains.flatMap((chain) => chain.units)) {
      for (const node of nodes) this.#unitOf.set(node, unit);
      unit++;
    }
    const ops = chains.flatMap((chain, i) => this.#chain(chain, i));
    this.#storage.forgetLocal();
    return { tasks, ops, local: this.#arena.size };
  }

  #chain(chain: Chain, index: number): PlanOp[] {
    const { rows } = chain;
    const copies = new Copies(this.#arena);
    const steps: { readonly first: PlanOp[]; readonly ops: PlanOp[] }[] = [];
    for (const unit of chain.units) {
      for (const node of unit.nodes) this.#place(node, index, rows);
      const copied = copies.ops.length;
      const ops = unit.rows ? this.#rows(unit, copies, rows) : this.#single(unit.nodes[0]!, copies, rows);
      const fills = ops.filter((op) => op.kind === 'fill');
      steps.push({
        first: [...copies.ops.slice(copied), ...fills],
        ops: ops.filter((op) => op.kind !== 'fill'),
      });
      this.#release(unit);
    }
    const chunk = rows === undefined ? 1 : chunkOf(rows);
    const ops: PlanOp[] = [];
    for (let from = 0; from < (rows ?? 1); from += chunk) {
      for (const step of steps) {
        if (from === 0) ops.push(...step.first);
        if (rows === undefined) ops.push(...step.ops);
        else ops.push(...step.ops.map((op) => rowsPart(op, from, Math.min(chunk, rows - from))));
      }
    }
    copies.release();
    for (const { offset, size } of [...this.#spare, ...(this.#ends.get(index) ?? [])])
      this.#arena.give(offset, size);
    this.#spare.length = 0;
    return ops;
  }

  /** Scratch given back when a chain is done. */
  readonly #ends = new Map<number, Place[]>();
  /** Scratch for a chunk of rows, given back by units of the chain at hand and taken again by later ones. */
  readonly #spare: Place[] = [];
  readonly #chunks = new Map<Tensor, Place>();
  readonly #chainOf = new Map<Tensor, number>();

  /** Row operations of a stage come before its products; a value a register can not carry waits for the next one. */
  #stageOf(node: Tensor): number {
    const { tasks } = this.#region;
    let stage = 0;
    for (const k of node.inputs.keys()) {
      const source = sourceOf(node, k, tasks);
      const before = this.#stage.get(source.node);
      if (before === undefined) continue;
      const next = isRowOp(node) && !passes(node, k, source, tasks) ? 1 : 0;
      stage = Math.max(stage, before + next);
    }
    return stage;
  }

  /** What needs nothing of this region is made where it is used, so that it need not be stored. */
  #delay(node: Tensor): void {
    const { tasks } = this.#region;
    const waits = node.inputs.every((_, k) => !this.#stage.has(sourceOf(node, k, tasks).node));
    const users = this.#schedule.users.get(node)!;
    if (!waits || !isRowOp(node) || users.length === 0 || this.#storage.placed(node)) return;
    const stages = users.map((user) => {
      const passed = user.inputs.every((_, k) => {
        const source = sourceOf(user, k, tasks);
        return source.node !== node || passes(user, k, source, tasks);
      });
      return this.#stage.get(user)! - (isRowOp(user) && !passed ? 1 : 0);
    });
    this.#stage.set(node, Math.max(this.#stage.get(node)!, Math.min(...stages)));
  }

  #units(): Unit[] {
    const { tasks, nodes } = this.#region;
    const stages = Math.max(...this.#stage.values()) + 1;
    const units: Unit[] = [];
    for (let stage = 0; stage < stages; stage++) {
      const here = nodes.filter((node) => this.#stage.get(node) === stage);
      const groups = new Map<string, Tensor[]>();
      for (const node of here.filter(isRowOp)) {
        const key = spaceOf(node, tasks).rows.join();
        groups.set(key, [...(groups.get(key) ?? []), node]);
      }
      for (const group of groups.values()) units.push({ nodes: group, rows: true });
      for (const node of here.filter((n) => !isRowOp(n))) units.push({ nodes: [node], rows: false });
    }
    return units;
  }

  /** Whether operand k of a row operation comes from the program it is in. */
  #inRegister(user: Tensor, k: number): boolean {
    const source = sourceOf(user, k, this.#region.tasks);
    const unit = this.#unitOf.get(source.node);
    return (
      unit !== undefined &&
      unit === this.#unitOf.get(user) &&
      !this.#stored(source.node) &&
      passes(user, k, source, this.#region.tasks)
    );
  }

  #stored(node: Tensor): boolean {
    return this.#storage.placed(node);
  }

  /** Gives a node scratch if an operation other than its own program reads it. */
  #place(node: Tensor, chain: number, rows: number | undefined): void {
    const { tasks } = this.#region;
    if (this.#storage.placed(node)) return;
    const unit = this.#unitOf.get(node)!;
    const users = this.#schedule.users.get(node)!;
    const leaves = users.filter((user) => {
      const same = this.#unitOf.get(user) === unit && isRowOp(node);
      const operands = user.inputs.map((_, k) => ({ k, source: sourceOf(user, k, tasks) }));
      return (
        !same || operands.some(({ k, source }) => source.node === node && !passes(user, k, source, tasks))
      );
    });
    if (leaves.length === 0 && isRowOp(node)) return;
    const size = sizeOf(taskShape(node.shape, tasks));
    const inside = users.length > 0 && users.every((user) => this.#chainOf.get(user) === chain);
    if (rows !== undefined && inside && madeByRows(node, tasks, rows)) {
      const place = this.#takeChunk((size / rows) * chunkOf(rows));
      this.#chunks.set(node, place);
      this.#storage.bindLocal(node, place.offset, tasks, true);
      return;
    }
    const offset = this.#arena.take(size);
    this.#storage.bindLocal(node, offset, tasks);
    const last = Math.max(chain, ...users.map((user) => this.#chainOf.get(user)!));
    this.#ends.set(last, [...(this.#ends.get(last) ?? []), { offset, size }]);
  }

  #takeChunk(size: number): Place {
    const at = this.#spare.findIndex((place) => place.size === size);
    if (at >= 0) return this.#spare.splice(at, 1)[0]!;
    return { offset: this.#arena.take(size), size };
  }

  /** Gives back the chunks nobody behind a unit reads. */
  #release(unit: Unit): void {
    const now = this.#unitOf.get(unit.nodes[0]!)!;
    for (const [node, place] of this.#chunks) {
      const users = this.#schedule.users.get(node)!;
      if (users.some((user) => this.#unitOf.get(user)! > now)) continue;
      this.#spare.push(place);
      this.#chunks.delete(node);
    }
  }

  #rows(unit: Unit, copies: Copies, rows: number | undefined): PlanOp[] {
    const { fills, op } = buildRows(
      { nodes: unit.nodes, tasks: this.#region.tasks },
      {
        storage: this.#storage,
        copies,
        stored: (node) => this.#stored(node),
        inRegister: (user, k) => this.#inRegister(user, k),
        users: this.#schedule.users,
        byRows: rows !== undefined,
      },
    );
    return [...fills, op];
  }

  #single(node: Tensor, copies: Copies, rows: number | undefined): PlanOp[] {
    if (node.is('concat')) return this.#concat(node, copies);
    return this.#gemm(node as Tensor<'matmul'>, copies, rows !== undefined);
  }

  #read(node: Tensor, k: number, copies: Copies): Access {
    const { part } = sourceOf(node, k, this.#region.tasks);
    return this.#storage.read(node.inputs[k]!, this.#region.tasks, part, copies);
  }

  #concat(node: Tensor<'concat'>, copies: Copies): PlanOp[] {
    const whole = this.#storage.own(node, this.#region.tasks);
    const { axis } = node.attributes;
    let start = 0;
    return node.inputs.map((part, k): PlanOp => {
      const shape = taskShape(part.shape, this.#region.tasks);
      const to = { ...whole, shape, offset: whole.offset + start * whole.strides[axis]! };
      start += part.shape[axis]!;
      const from = this.#read(node, k, copies);
      const space = spaceOfShape(shape);
      const inner = from.strides.at(-1) ?? 0;
      if (space.rows.length > 3 || (space.width > 1 && inner > 1)) return copyOp(to, from);
      const operands = [memoryOperand(to, space, to.strides), memoryOperand(from, space, from.strides)];
      const extent = [...new Array<number>(3 - space.rows.length).fill(1), ...space.rows];
      const instructions = [{ opcode: 'copy', width: space.width, epsilon: 0, operands }] as const;
      return flattened({ kind: 'rows', extent, instructions });
    });
  }

  /** The right side of a product done by rows is turned once, so that no part of it packs it again. */
  #gemm(node: Tensor<'matmul'>, copies: Copies, byRows: boolean): PlanOp[] {
    const c = this.#storage.own(node, this.#region.tasks);
    const { transposeA, transposeB } = node.attributes;
    const [left, b] = [this.#read(node, 0, copies), this.#read(node, 1, copies)];
    const cutByColumns = this.#region.tasks > 1 && transposeA && node.shape.length === 2;
    const a = cutByColumns ? columnsOfTask(left, c.shape[0]!) : left;
    const matrix = (x: Access, transposed: boolean): [number, number] => {
      const [row, column] = x.strides.slice(-2) as [number, number];
      return transposed ? [column, row] : [row, column];
    };
    const batch = c.shape.slice(0, -2);
    const over = (x: Access): number[] =>
      broadcastStrides(x.shape.slice(0, -2), batch, x.strides.slice(0, -2));
    const k = a.shape.at(transposeA ? -2 : -1)!;
    const [m, n] = c.shape.slice(-2) as [number, number];
    const right = byRows && matrix(b, transposeB)[1] !== 1 ? copies.copy(turned(b, transposeB)) : b;
    const strides = { a: over(a), b: over(b), c: c.strides.slice(0, -2) };
    const one: Omit<GemmOp, 'batch'> = {
      kind: 'gemm',
      m,
      n,
      k,
      a: { access: a, strides: [...matrix(a, transposeA), 0] },
      b: { access: right, strides: [...matrix(right, transposeB && right === b), 0] },
      c: { access: c, strides: [c.strides.at(-2)!, 0] },
    };
    return batched(one, batch, strides);
  }
}

/** The columns of a transposed left side that make a task's rows of the product. */
function columnsOfTask(a: Access, count: number): Access {
  return { ...a, taskStride: a.strides[1]! * count, shape: [a.shape[0]!, count] };
}

/** A matrix as a product takes it: rows over its inner axis. */
function turned(x: Access, transposed: boolean): Access {
  if (!transposed) return x;
  const swap = (list: readonly number[]): number[] => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];
  return { ...x, shape: swap(x.shape), strides: swap(x.strides) };
}

interface Place {
  readonly offset: number;
  readonly size: number;
}

interface BatchStrides {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly c: readonly number[];
}

/** Batch axes become rows of A where B is shared, else the operation's own batch; what is left is written out. */
function batched(op: Omit<GemmOp, 'batch'>, batch: readonly number[], strides: BatchStrides): GemmOp[] {
  const axes = batch
    .map((n, i) => ({ n, a: strides.a[i]!, b: strides.b[i]!, c: strides.c[i]! }))
    .filter((x) => x.n > 1);
  const inner = axes.at(-1);
  if (!inner) return [{ ...op, batch: 1 }];
  const rest = axes.slice(0, -1);
  const outer = {
    shape: rest.map((x) => x.n),
    strides: { a: rest.map((x) => x.a), b: rest.map((x) => x.b), c: rest.map((x) => x.c) },
  };
  const [rowA, columnA] = op.a.strides as [number, number];
  const rowC = op.c.strides[0]!;
  if (inner.b === 0 && inner.a === op.m * rowA && inner.c === op.m * rowC) {
    return batched({ ...op, m: op.m * inner.n }, outer.shape, outer.strides);
  }
  if (rest.length === 0) {
    return [
      {
        ...op,
        batch: inner.n,
        a: { access: op.a.access, strides: [rowA, columnA, inner.a] },
        b: { access: op.b.access, strides: [op.b.strides[0]!, op.b.strides[1]!, inner.b] },
        c: { access: op.c.access, strides: [rowC, inner.c] },
      },
    ];
  }
  const moved = (x: Access, by: number): Access => ({ ...x, offset: x.offset + by });
  return Array.from({ length: inner.n }, (_, i) =>
    batched(
      {
        ...op,
        a: { ...op.a, access: moved(op.a.access, i * inner.a) },
        b: { ...op.b, access: moved(op.b.access, i * inner.b) },
        c: { ...op.c, access: moved(op.c.access, i * inner.c) },
      },
      outer.shape,
      outer.strides,
    ),
  ).flat();
}
