import { type Access, contiguous } from '#nn/lowering/access';
import {
  type AdamOp,
  type PlanOp,
  type PlanRegion,
  type PolyakOp,
  type Stretch,
  WORKSPACE,
} from '#nn/lowering/encode';
import type { Storage } from '#nn/lowering/storage';
import type { AdamW, Polyak, Update } from '#nn/optimizer';
import type { ParameterBlock } from '#nn/parameters';
import type { Tensor } from '#nn/tensor';

/** Optimiser steps as plan operations: over the members of an ensemble, right behind the gradients when nothing
 * else reads the block meanwhile, or over stretches of the flat block. */

const STRETCH = 8192;
const MOST_STRETCHES = 16;

/** How a flat block is cut into tasks. */
interface Cut extends Stretch {
  readonly tasks: number;
}

export function cutOf(block: ParameterBlock): Cut {
  if (block.members > 1)
    return { tasks: block.members, count: block.memberStride, lastCount: block.memberStride };
  const total = block.memberStride;
  const wanted = Math.min(MOST_STRETCHES, Math.ceil(total / STRETCH));
  const count = Math.ceil(total / wanted / 16) * 16;
  const tasks = Math.ceil(total / count);
  return { tasks, count, lastCount: total - (tasks - 1) * count };
}

/** Where an AdamW update's flat gradient and its norms lie. */
export interface UpdateBuffers {
  /** Of task i's stretch. */
  readonly gradient: Access;
  /** In the workspace. */
  readonly norms: number;
}

export interface UpdatePlace {
  readonly storage: Storage;
  readonly buffersOf: (update: AdamW) => UpdateBuffers;
  readonly failureOf: (update: AdamW) => number;
  /** The evaluated scalar a rate comes from. */
  readonly scalar: (t: Tensor) => Access;
}

export function flat(slot: number, offset: number, { count }: Stretch): Access {
  return { slot, offset, taskStride: count, shape: [count], strides: [1] };
}

function single(slot: number, offset: number): Access {
  return contiguous(slot, offset, [1]);
}

/** Whether an update can run within the region that makes its gradients, member by member. */
export function perMember(update: Update): boolean {
  if (update.kind === 'polyak') return update.target.members > 1;
  const whole = update.clipBy === 'block' && Number.isFinite(update.clipNorm);
  return update.block.members > 1 && !whole;
}

export function normOf(update: AdamW, place: UpdatePlace): PlanOp {
  const cut = cutOf(update.block);
  const { gradient, norms } = place.buffersOf(update);
  return {
    kind: 'norm',
    ...cut,
    gradient,
    out: { ...single(WORKSPACE, norms), taskStride: 1 },
  };
}

export function adamOf(update: AdamW, place: UpdatePlace): AdamOp {
  const { block } = update;
  const cut = cutOf(block);
  const { gradient, norms } = place.buffersOf(update);
  const { slots } = place.storage;
  const alone = perMember(update);
  return {
    kind: 'adam',
    ...cut,
    p: flat(slots.of(block.values), 0, cut),
    first: flat(slots.of(block.optimizer.first), 0, cut),
    second: flat(slots.of(block.optimizer.second), 0, cut),
    gradient,
    norms: { ...single(WORKSPACE, norms), taskStride: alone ? 1 : 0 },
    normCount: alone ? 1 : cut.tasks,
    rate: place.scalar(update.learningRate),
    step: single(slots.of(block.optimizer.step), 0),
    failure: place.failureOf(update),
    settings: [update.beta1, update.beta2, update.epsilon, update.weightDecay, update.clipNorm],
  };
}

export function polyakOf({ target, source, tau }: Polyak, place: UpdatePlace): PolyakOp {
  const cut = cutOf(target);
  const { slots } = place.storage;
  return {
    kind: 'polyak',
    ...cut,
    target: flat(slots.of(target.values), 0, cut),
    source: flat(slots.of(source.values), 0, cut),
    tau: place.scalar(tau),
  };
}

export function stepOf(update: AdamW, place: UpdatePlace): PlanOp {
  const step = single(place.storage.slots.of(update.block.optimizer.step), 0);
  return { kind: 'step', step, failure: place.failureOf(update) };
}

/** Updates in regions of their own. */
export function updateRegions(update: Update, place: UpdatePlace): PlanRegion[] {
  if (update.kind === 'polyak')
    return [{ tasks: cutOf(update.target).tasks, ops: [polyakOf(update, place)] }];
  const { tasks } = cutOf(update.block);
  return [
    { tasks, ops: [normOf(update, place)] },
    { tasks, ops: [adamOf(update, place)] },
  ];
}

/** Updates done for a member by the task that made its gradients. */
export function memberOps(update: Update, place: UpdatePlace): PlanOp[] {
  if (update.kind === 'polyak') return [polyakOf(update, place)];
  return [normOf(update, place), adamOf(update, place)];
}
