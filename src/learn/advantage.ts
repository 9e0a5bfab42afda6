/** Generalised advantages of a rollout of T steps of B environments, one after the other in memory.
 * @shape all [T*B] but lastValue [B] */
export interface AdvantageInputs {
  readonly T: number;
  readonly B: number;
  readonly reward: Float32Array;
  /** Of the situation each step started from. */
  readonly value: Float32Array;
  /** 1 where the episode ended in this step and nothing follows. */
  readonly terminated: Uint8Array;
  /** 1 where it was cut off in this step: `following` holds the value of what it was cut off from. */
  readonly truncated: Uint8Array;
  readonly following: Float32Array;
  /** Of the situations after the last step. */
  readonly lastValue: Float32Array;
}

/** Writes advantages and the returns they amount to; an episode that is cut off bootstraps.
 * @shape outAdvantage, outReturn [T*B]
 * @source Schulman et al. 2016, arXiv:1506.02438, eq. 16; differs: none */
export function generalisedAdvantages(
  inputs: AdvantageInputs,
  gamma: number,
  lambda: number,
  outAdvantage: Float32Array,
  outReturn: Float32Array,
): void {
  const { T, B, reward, value, terminated, truncated, following, lastValue } = inputs;
  for (let row = 0; row < B; row++) {
    let advantage = 0;
    let next = lastValue[row]!;
    for (let at = (T - 1) * B + row; at >= 0; at -= B) {
      if (terminated[at] === 1) {
        next = 0;
        advantage = 0;
      } else if (truncated[at] === 1) {
        next = following[at]!;
        advantage = 0;
      }
      advantage = reward[at]! + gamma * next - value[at]! + gamma * lambda * advantage;
      outAdvantage[at] = advantage;
      outReturn[at] = advantage + value[at]!;
      next = value[at]!;
    }
  }
}
