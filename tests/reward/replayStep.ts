import type { StepBatch } from '#data/replay';

/** A step of one environment of which only the reward and the end matter. */
export function replayStep(reward: number, { terminated = false, truncated = false } = {}): StepBatch {
  const one = new Float32Array(1);
  return {
    observation: one,
    phase: one,
    base: one,
    action: one,
    reward: Float32Array.of(reward),
    nextObservation: one,
    nextPhase: one,
    nextBase: one,
    terminated: Uint8Array.of(Number(terminated)),
    truncated: Uint8Array.of(Number(truncated)),
  };
}
