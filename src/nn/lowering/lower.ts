import { topologicalOrder } from '#nn/autodiff';
import { type Access, contiguous, isView } from '#nn/lowering/access';
import { Arena } from '#nn/lowering/arena';
import { encodePlan, type PlanRegion, Slots, WORKSPACE } from '#nn/lowering/encode';
import { lowerRegion } from '#nn/lowering/region';
import { isLeaf, type Schedule, schedule, sourceOf } from '#nn/lowering/schedule';
import { Simplifier } from '#nn/lowering/simplify';
import { Storage } from '#nn/lowering/storage';
import { splitReductions, TaskSplit } from '#nn/lowering/tasks';
import {
  cutOf,
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
  /** Never shared with other results: the gaps between a block's tensors stay zero. */
  readonly #buffers = new Map<AdamW, UpdateBuffers>();
  #local = 0;

  constructor(description: ProgramDescription) {
    for (const update of description.stages.flatMap((s) => s.updates ?? [])) {
      if (update.kind !== 'adamW') continue;
      const { block } = update;
      const gradient = this.#arena.take(block.members * block.memberStride);
      this.#buffers.set(update, { gradient, norms: this.#arena.take(cutOf(block).tasks) });
      this.#updates.push(update);
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
    const root = (t: Tensor, target?: Access): Tensor => {
      const simple = rewriter.rewrite(t);
      const taken = target !== undefined && (isLeaf(simple) || storage.placed(simple));
      const bindable = !isView(simple) && !taken;
      const node = bindable ? simple : new Tensor('stopGradient', [simple], simple.shape, {});
      if (target) storage.bind(node, target);
      roots.push(node);
      return node;
    };
    for (const [name, t] of Object.entries(stage.outputs ?? {})) {
      const values = new Float32Array(t.size);
      this.#outputs.set(name, values);
      root(t, contiguous(this.#slots.of(values), 0, t.shape));
    }
    const updates = stage.updates ?? [];
    const gradients = new Map<AdamW, readonly Tensor[]>();
    for (const update of updates) {
      if (update.kind === 'adamW') gradients.set(update, this.#bindGradients(update, root));
    }
    const rates = new Map(
      updates.map((u) => {
        const t = u.kind === 'adamW' ? u.learningRate : u.tau;
        return [t, root(t)];
      }),
    );
    const order = topologicalOrder(roots);
    const plan = schedule(order, rewriter.split);
    const place: UpdatePlace = {
      storage,
      buffersOf: (update) => this.#buffers.get(update)!,
      failureOf: (update) => this.#updates.indexOf(update),
      scalar: (t) => storage.whole(rates.get(t)!)!,
    };
    this.#shareWorkspace(plan, storage, new Set(roots));
    this.#emit(plan, storage, updates, place, gradients);
  }

  /** Binds each gradient to its part of a flat buffer laid out as the block. */
  #bindGradients(update: AdamW, root: (t: Tensor, target: Access) => Tensor): Tensor[] {
    const { block } = update;
    const { gradient } = this.#buffers.get(update)!;
    return update.gradients.map((g, k) => {
      const offset = gradient + block.offsetOf(block.names[k]!);
      const ensemble = block.members > 1;
      const strides = ensemble ? [block.memberStride, ...stridesOf(g.shape.slice(1))] : stridesOf(g.shape);
      return root(g, { slot: WORKSPACE, offset, taskStride: 0, shape: g.shape, strides });
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
    gradients: ReadonlyMap<AdamW, readonly Tensor[]>,
  ): void {
    const lowered = plan.regions.map((region) => lowerRegion(region, plan, storage));
    const tails = fused(plan, updates, gradients);
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
