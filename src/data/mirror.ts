import { permuted, permuteRow, type SignedPermutation } from '#core/signedPermutation';
import type { Demos } from '#data/demos';
import type { SampledBatch } from '#data/replay';

/** Demonstrations and transitions in the task's mirror. */

/** What becomes of observations and actions. @shape observation [O], action [A] */
export interface Mirror {
  readonly observation: SignedPermutation;
  readonly action: SignedPermutation;
}

/** The mirror image of each demonstration. The signals, which are for rewards, stay as they were recorded.
 * @source GR-RL (ByteDance 2025, arXiv:2512.01801); differs: observations in the place of images */
export function mirrorDemos(demos: Demos, mirror: Mirror): Demos {
  const { signals: _, ...rest } = demos;
  return {
    ...rest,
    observation: permuted(demos.observation, mirror.observation),
    action: permuted(demos.action, mirror.action),
  };
}

/** Puts the mirror image in the place of the rows whose coin is below a half. The base's answers are mirrored too: what
 * it says of a mirrored state, if it is as symmetric as the demonstrations it was cloned from.
 * @shape coins [rows], scratch as long as the widest field of a batch */
export function mirrorRows(
  batch: SampledBatch,
  mirror: Mirror,
  coins: Float32Array,
  scratch: Float32Array,
): void {
  const maps = [
    [batch.observation, mirror.observation],
    [batch.nextObservation, mirror.observation],
    [batch.base, mirror.action],
    [batch.action, mirror.action],
    [batch.nextBase, mirror.action],
  ] as const;
  for (const [field, map] of maps) {
    scratch.set(field);
    for (let row = 0; row < coins.length; row++) if (coins[row]! < 0.5) permuteRow(field, row, map, scratch);
  }
}
