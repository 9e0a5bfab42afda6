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
    finalSignals: new Float64Array(B * signals.length),
    expert: new Float64Array(B * expert.length),
    robustness: new Float64Array(2 * judged),
    finalRobustness: new Float64Array(judged).fill(Number.NaN),
    predicates: new Float64Array(judged * (spec.monitor?.predicates ?? 0)),
    finalPredicates: new Float64Array(judged * (spec.monitor?.predicates ?? 0)),
    violated: new Uint8Array(B * (spec.monitor?.guards.length ?? 0)),
  };
}

/** What every backend's batch shows of its description: dimensions and buffers. */
export abstract class BufferedBatch implements BatchBuffers {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly signalsLength: number;
  readonly expertLength: number;
  readonly action: Float32Array;
  readonly observation: Float32Array;
  readonly finalObservation: Float32Array;
  readonly reward: Float32Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly success: Uint8Array;
  readonly active: Uint8Array;
  readonly episode: Uint32Array;
  readonly steps: Uint32Array;
  readonly signals: Float64Array;
  readonly finalSignals: Float64Array;
  readonly expert: Float64Array;
  readonly robustness: Float64Array;
  readonly finalRobustness: Float64Array;
  readonly predicates: Float64Array;
  readonly finalPredicates: Float64Array;
  readonly violated: Uint8Array;

  constructor(spec: PhysicsSpec, buffers: BatchBuffers) {
    this.B = spec.environments;
    this.O = observationLength(spec);
    this.A = actionLength(spec.control);
    this.signalsLength = spec.program.groups.signals.length;
    this.expertLength = spec.program.groups.expert.length;
    this.action = buffers.action;
    this.observation = buffers.observation;
    this.finalObservation = buffers.finalObservation;
    this.reward = buffers.reward;
    this.terminated = buffers.terminated;
    this.truncated = buffers.truncated;
    this.success = buffers.success;
    this.active = buffers.active;
    this.episode = buffers.episode;
    this.steps = buffers.steps;
    this.signals = buffers.signals;
    this.finalSignals = buffers.finalSignals;
    this.expert = buffers.expert;
    this.robustness = buffers.robustness;
    this.finalRobustness = buffers.finalRobustness;
    this.predicates = buffers.predicates;
    this.finalPredicates = buffers.finalPredicates;
    this.violated = buffers.violated;
  }
}
