/** The executed action: base plus residual, clipped to what the task accepts. One routine for training,
 * evaluation and the robot. With a zero residual the base's action comes out unchanged to the last bit.
 * @shape base, outAction [B,A] in the task's units; residual [B,A] normalised; half [A]
 * @source Ankile 2025, arXiv:2509.19301, Sec. III; differs: clips to the task's limits, not to the data's */
export function compose(
  base: Float32Array,
  residual: Float32Array,
  half: Float32Array,
  outAction: Float32Array,
  mask?: Uint8Array,
): void {
  const A = half.length;
  for (let row = 0, at = 0; at < outAction.length; row++)
    for (let i = 0; i < A; i++, at++)
      if (!mask || mask[row] === 1)
        outAction[at] = Math.min(1, Math.max(-1, base[at]! + half[i]! * residual[at]!));
}
