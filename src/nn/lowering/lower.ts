import { topologicalOrder } from '#nn/autodiff';
import { contiguous, isView } from '#nn/lowering/access';
import { Arena } from '#nn/lowering/arena';
import { encodePlan, LOCAL, type PlanRegion, Slots, WORKSPACE } from '#nn/lowering/encode';
import { lowerRegion } from '#nn/lowering/region';
import { isLeaf, type Schedule, schedule, sourceOf } from '#nn/lowering/schedule';
import { Simplifier } from '#nn/lowering/simplify';
import { Storage } from '#nn/lowering/storage';
import { splitReductions, TaskSplit } from '#nn/lowering/tasks';
import {
  cutOf,
  flat,
  memberOps,
  perMember,
  stepOf,
  type UpdateBuffers,
  type UpdatePlace,
  updateRegions,
} from '#nn/lowering/updates';
import type { AdamW, Update } from '#nn/optimizer';
import type { ParameterBlock } from '#nn/parameters';
import { collectInputs, type ProgramDescription, type Stage, stageRoots } from '#nn/program';
import { stridesOf } from '#nn/shape';
import { Tensor } from '#nn/tensor';

/** A program's stages as one plan for the native executor. */

export interface Lowered {
  readonly code: Float64Array;
  readonly buffers: readonly (Float32Array | Int32Array)[];
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** What each status below the number of updates means. */
  readonly updates: readonly AdamW[];
  readonly regions: readonly PlanRegion[];
}

export function lower(description: ProgramDescription): Lowered {
  const lowering = new Lowering(description);
  for (const stage of description.stages) lowering.stage(stage);
  return lowering.finish();
}

class Lowering {
  readonly #inputs = new Map<string, Float32Array | Int32Array>();
  readonly #outputs = new Map<string, Float32Array>();
  readonly #slots = new Slots();
  readonly #arena = new Arena();
  readonly #regions: PlanRegion[] = [];
  readonly #updates: AdamW[] = [];
  readonly #buffers = new Map<AdamW, UpdateBuffers>();
  /** Each worker's scratch in front of what regions use: a member's gradient that one task makes and uses up. */
  readonly #scratch = new Arena();
  readonly #memberGradients = new Map<AdamW, number>();
  #local = 0;

  constructor(description: ProgramDescription) {
    for (const update of description.stages.flatMap((s) => s.updates ?? [])) {
      if (update.kind !== 'adamW') continue;
      this.#updates.push(update);
      if (perMember(update))
        this.#memberGradients.set(update, this.#scratch.takeFresh(update.block.memberStride));
    }
    for (const [name, node] of collectInputs(description)) {
      this.#inputs.set(name, node.dtype === 'i32' ? new Int32Array(node.size) : new Float32Array(node.size));
    }
  }

  finish(): Lowered {
    const outputs = [...this.#outputs.values()].map((values) => this.#slots.of(values));
    const code = encodePlan({
      workspace: this.#arena.size,
      local: this.#local,
      slots: this.#slots,
      outputs,
      failures: this.#updates.length,
      regions: this.#regions,
    });
    return {
      code,
      buffers: this.#slots.arrays,
      inputs: Object.fromEntries(this.#inputs),
      outputs: Object.fromEntries(this.#outputs),
      updates: this.#updates,
      regions: this.#regions,
    };
  }

  stage(stage: Stage): void {
    const storage = new Storage(this.#slots, this.#inputs);
    const rewriter = new Rewriter(stageRoots(stage));
    const roots: Tensor[] = [];
    const bound = new Set<Tensor>();
    // `own`: the result gets a place of its own, so a node that has one is copied.
    const root = (t: Tensor, own = false): Tensor => {
      const simple = rewriter.rewrite(t);
      const taken = own && (isLeaf(simple) || bound.has(simple));
      const bindable = !isView(simple) && !taken;
      const node = bindable ? simple : new Tensor('stopGradient', [simple], simple.shape, {});
      if (own) bound.add(node);
      roots.push(node);
      return node;
    };
    for (const [name, t] of Object.entries(stage.outputs ?? {})) {
      const values = new Float32Array(t.size);
      this.#outputs.set(name, values);
      storage.bind(root(t, true), contiguous(this.#slots.of(values), 0, t.shape));
    }
    const updates = stage.updates ?? [];
    const gradients = new Map<AdamW, readonly Tensor[]>();
    for (const update of updates) {
      if (update.kind !== 'adamW') continue;
      gradients.set(
        update,
        update.gradients.map((g) => root(g, true)),
      );
    }
    const rates = new Map(
      updates.map((u) => {
        const t = u.kind === 'adamW' ? u.learningRate : u.tau;
        return [t, root(t)];
      }),
    );
    const order = topologicalOrder(roots);
    const plan = schedule(order, rewriter.split);
    const tails = fused(plan, updates, gradients);
    for (const [update, nodes] of gradients) this.#bindGradients(update, nodes, plan, tails, storage);
    const place: UpdatePlace = {
      storage,
      buffersOf: (update) => this.#buffers.get(update)!,
      failureOf: (update) => this.#updates.indexOf(update),
      scalar: (t) => storage.whole(rates.get(t)!)!,
    };
    this.#shareWorkspace(plan, storage, new Set(roots));
    this.#emit(plan, storage, updates, place, tails);
  }

  /** Binds each gradient to its part of a flat buffer laid out as the block: of the one worker that makes and uses
   * up a member's, or of the workspace. Nothing shares it: the gaps between a block's tensors stay zero. */
  #bindGradients(
    update: AdamW,
    nodes: readonly Tensor[],
    plan: Schedule,
    tails: readonly Tail[],
    storage: Storage,
  ): void {
    const { block } = update;
    const cut = cutOf(block);
    const region = tails.find((tail) => tail.update === update)?.region;
    const own =
      region !== undefined &&
      nodes.every((node) => plan.users.get(node)!.every((user) => plan.regionOf.get(user) === region));
    const start = own
      ? this.#memberGradients.get(update)!
      : this.#arena.takeFresh(block.members * block.memberStride);
    const [slot, memberStride] = own ? [LOCAL, 0] : [WORKSPACE, block.memberStride];
    nodes.forEach((node, k) => {
      const { shape } = node;
      const strides = block.members > 1 ? [memberStride, ...stridesOf(shape.slice(1))] : stridesOf(shape);
      const offset = start + block.offsetOf(block.names[k]!);
      storage.bind(node, { slot, offset, taskStride: 0, shape, strides });
    });
    const gradient = flat(slot, start, cut);
    this.#buffers.set(update, {
      gradient: own ? { ...gradient, taskStride: 0 } : gradient,
      norms: this.#arena.takeFresh(cut.tasks),
    });
  }

  /** Gives results that cross a barrier their place in the workspace, by the regions they live through. */
  #shareWorkspace(plan: Schedule, storage: Storage, roots: ReadonlySet<Tensor>): void {
    const ends = plan.regions.map((): { offset: number; size: number }[] => []);
    plan.regions.forEach((region, r) => {
      for (const node of region.nodes) {
        if (storage.placed(node)) continue;
        const users = plan.users.get(node)!.map((user) => plan.regionOf.get(user)!);
        if (!roots.has(node) && users.every((u) => u === r)) continue;
        const offset = this.#arena.take(node.size);
        storage.bind(node, contiguous(WORKSPACE, offset, node.shape));
        const last = roots.has(node) ? plan.regions.length - 1 : Math.max(...users);
        ends[last]!.push({ offset, size: node.size });
      }
      for (const { offset, size } of ends[r]!) this.#arena.give(offset, size);
    });
  }

  #emit(
    plan: Schedule,
    storage: Storage,
    updates: readonly Update[],
    place: UpdatePlace,
    tails: readonly Tail[],
  ): void {
    const lowered = plan.regions.map((region) => lowerRegion(region, plan, storage, this.#scratch.size));
    lowered.forEach(({ tasks, ops, local }, r) => {
      this.#local = Math.max(this.#local, local);
      const behind = tails.filter((t) => t.region === r).flatMap((t) => memberOps(t.update, place));
      this.#regions.push({ tasks, ops: [...ops, ...behind] });
    });
    const rest = updates.filter((update) => !tails.some((t) => t.update === update));
    for (const update of rest) this.#regions.push(...updateRegions(update, place));
    const steps = updates.flatMap((u) => (u.kind === 'adamW' ? [stepOf(u, place)] : []));
    if (steps.length > 0) this.#regions.push({ tasks: 1, ops: steps });
  }
}

/** Simplifies, cuts reductions to the task split, and simplifies again. */
class Rewriter {
  readonly split: TaskSplit;
  readonly #simplifier = new Simplifier();
  readonly #done = new Map<Tensor, Tensor>();

  constructor(roots: readonly Tensor[]) {
    this.split = new TaskSplit(roots.map((t) => this.#simplifier.simplify(t)));
  }

  rewrite(t: Tensor): Tensor {
    const simple = this.#simplifier.simplify(t);
    for (const node of topologicalOrder([simple])) {
      if (this.#done.has(node)) continue;
      const inputs = node.inputs.map((i) => this.#done.get(i)!);
      const same = inputs.every((x, i) => x === node.inputs[i]);
      const fresh = same
        ? node
        : new Tensor(node.op, inputs, node.shape, node.attributes, undefined, node.dtype);
      const cut = splitReductions(fresh, this.split) ?? fresh;
      this.#done.set(node, this.#simplifier.simplify(cut));
    }
    return this.#done.get(simple)!;
  }
}

interface Tail {
  readonly update: Update;
  readonly region: number;
}

/** The updates that can follow their gradients member by member: all of the block's gradients are made in one
 * region, cut by member, and nothing reads the block after it or across members in it. */
function fused(
  plan: Schedule,
  updates: readonly Update[],
  gradients: ReadonlyMap<AdamW, readonly Tensor[]>,
): Tail[] {
  const tails: Tail[] = [];
  for (const update of updates) {
    const block = update.kind === 'adamW' ? update.block : update.target;
    const rate = update.kind === 'adamW' ? update.learningRate : update.tau;
    const region =
      update.kind === 'adamW' ? commonRegion(plan, gradients.get(update)!) : tailOf(tails, update.source);
    if (region === undefined || !perMember(update) || !isLeaf(rate)) break;
    if (plan.regions[region]!.tasks !== block.members || readElsewhere(plan, block, region)) break;
    tails.push({ update, region });
  }
  return tails;
}

function tailOf(tails: readonly Tail[], block: ParameterBlock): number | undefined {
  return tails.find((t) => t.update.kind === 'adamW' && t.update.block === block)?.region;
}

function commonRegion(plan: Schedule, nodes: readonly Tensor[]): number | undefined {
  const regions = new Set(nodes.map((node) => plan.regionOf.get(node)));
  return regions.size === 1 ? [...regions][0] : undefined;
}

function readElsewhere(plan: Schedule, block: ParameterBlock, region: number): boolean {
  return plan.regions.some(({ tasks, nodes }, r) =>
    nodes.some((node) =>
      node.inputs.some((_, k) => {
        const source = sourceOf(node, k, tasks);
        const reads = source.node.is('parameter') && source.node.attributes.block === block;
        return reads && (r > region || (r === region && !source.local));
      }),
    ),
  );
}
