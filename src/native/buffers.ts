import type { BatchBuffers } from '#native/physicsBatch';
import { actionLength, observationLength, type PhysicsSpec } from '#native/physicsSpec';

/** The buffers of a batch, allocated once, every environment active. */
export function allocateBuffers(spec: PhysicsSpec): BatchBuffers {
  const B = spec.environments;
  const O = observationLength(spec);
  const { signals, expert } = spec.program.groups;
  const judged = spec.monitor?.code === undefined ? 0 : B;
  return {
    action: new Float32Array(B * actionLength(spec.control)),
    observation: new Float32Array(B * O),
    finalObservation: new Float32Array(B * O),
    reward: new Float32Array(B),
    terminated: new Uint8Array(B),
    truncated: new Uint8Array(B),
    success: new Uint8Array(B),
    active: new Uint8Array(B).fill(1),
    episode: new Uint32Array(B),
    steps: new Uint32Array(B),
    signals: new Float64Array(B * signals.length),
    expert: new Float64Array(B * expert.length),
    robustness: new Float64Array(2 * judged),
    finalRobustness: new Float64Array(judged).fill(Number.NaN),
    violated: new Uint8Array(B * (spec.monitor?.guards.length ?? 0)),
  };
}
