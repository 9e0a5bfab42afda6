import type { BasePolicy } from '#policy/policy';

/** Goes straight to the target of the task `reach`, whose observation is [ee, error, ee.velocity]. */
export function reachingPolicy(): BasePolicy & { calls: number } {
  return {
    kind: 'zero',
    B: 1,
    O: 9,
    A: 3,
    chunk: 1,
    phase: new Float32Array(1),
    state: {},
    calls: 0,
    reset() {},
    act(observation, outAction) {
      this.calls++;
      for (let k = 0; k < 3; k++)
        outAction[k] = Math.max(-1, Math.min(1, (0.5 * observation[3 + k]!) / 5 / 0.03));
    },
    close() {},
  };
}
