/** Progress from hops: how much of the way that is left (or, backwards, of the way that was made) lies between two moments.
 * A model that compares two pictures is surer than one that grades a single one, and the three ways to a moment check
 * each other. All numbers of one moment may be NaN: missing. */

/** Hop from progress p to q, in [-1, 1]: the share of what was left that was made, or of what was made that was undone.
 * @source Tan 2025 (Robo-Dopamine), arXiv:2512.23703; differs: 0 where there is nothing to make or undo */
export function hopBetween(p: number, q: number): number {
  const room = q >= p ? 1 - p : p;
  return room === 0 ? 0 : (q - p) / room;
}

/** The progress that a hop leads to from `progress`, in [0, 1] again. Inverse of hopBetween. */
export function afterHop(progress: number, hop: number): number {
  return progress + (hop >= 0 ? 1 - progress : progress) * hop;
}

/** Hops to one moment, NaN where the model gave none. */
export interface Hops {
  /** From the moment before. */
  readonly incremental: number;
  /** From the start, where progress is 0. */
  readonly forward: number;
  /** From the goal, where progress is 1: how much of all of it is missing, negative. */
  readonly backward: number;
}

export interface FusedProgress {
  readonly progress: number;
  /** exp(-alpha D^2) with D the distance of the forward and backward ways relative to their mean; 0 where progress is missing. */
  readonly confidence: number;
}

const epsilon = 1e-6;

/** Mean of what the three ways say, of those that are there. With one of the absolute ways missing the incremental one
 * stands in for it in the consistency weight; a single way counts half.
 * @param before fused progress of the moment before; NaN where it is missing
 * @source Tan 2025 (Robo-Dopamine), arXiv:2512.23703, Phi_I, Phi_F, Phi_B and w; differs: missing hops, the incremental
 * way starts from the fused progress, and progress is limited to [0, 1] */
export function fuseHops(
  { incremental, forward, backward }: Hops,
  before: number,
  alpha: number,
): FusedProgress {
  const ways = [
    clamp(afterHop(0, forward)),
    clamp(afterHop(1, backward)),
    clamp(afterHop(before, incremental)),
  ].filter((way) => !Number.isNaN(way));
  if (ways.length === 0) return { progress: Number.NaN, confidence: 0 };
  const progress = ways.reduce((sum, way) => sum + way, 0) / ways.length;
  const [a, b] = ways;
  if (b === undefined) return { progress, confidence: 0.5 };
  const distance = Math.abs(a! - b) / ((a! + b) / 2 + epsilon);
  return { progress, confidence: Math.exp(-alpha * distance ** 2) };
}

/** A whole episode; its first moment is the start.
 * @param hops of moments 1 .. T @param alpha how fast confidence falls with disagreement
 * @shape result [T + 1] */
export function fuseEpisode(hops: readonly Hops[], alpha: number): FusedProgress[] {
  const fused: FusedProgress[] = [{ progress: 0, confidence: 1 }];
  for (const hop of hops) fused.push(fuseHops(hop, fused.at(-1)!.progress, alpha));
  return fused;
}

/** NaN stays NaN. */
function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
