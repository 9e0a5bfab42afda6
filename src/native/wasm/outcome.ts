import type { BatchBuffers } from '#native/physicsBatch';
import { observationLength, type PhysicsSpec, type Slot } from '#native/physicsSpec';
import type { BatchState } from '#native/wasm/batchState';
import type { Judgement, TaskMonitorTwin } from '#native/wasm/evaluators';

/** What a sample makes of a step: success and failure, the monitor's word, reward, the end of the episode. */
export class Outcome {
  readonly #spec: PhysicsSpec;
  readonly #buffers: BatchBuffers;
  readonly #O: number;
  readonly #sampler: { part(slot: Slot): Float64Array };
  readonly #monitor: TaskMonitorTwin | undefined;
  readonly #state: BatchState;

  /** @param sampler with the outputs of the last sample */
  constructor(
    spec: PhysicsSpec,
    buffers: BatchBuffers,
    sampler: { part(slot: Slot): Float64Array },
    monitor: TaskMonitorTwin | undefined,
    state: BatchState,
  ) {
    this.#spec = spec;
    this.#buffers = buffers;
    this.#O = observationLength(spec);
    this.#sampler = sampler;
    this.#monitor = monitor;
    this.#state = state;
  }

  /** Reward and flags after a step that went well. @returns whether the episode is over */
  finish(i: number): boolean {
    const { success, failure, reward } = this.#spec.program.groups;
    const now = (this.#sampler.part(success)[0] ?? 0) !== 0;
    this.#state.held[i] = now ? this.#state.held[i]! + 1 : 0;
    let succeeded = this.#state.held[i]! >= this.#spec.successHold;
    let failed = !succeeded && (this.#sampler.part(failure)[0] ?? 0) !== 0;
    const judgement = this.#judge(i, failed);
    if (this.#monitor?.mustStop(i)) {
      succeeded = false;
      failed = true;
    } else if (this.#monitor?.hasSpecification) {
      succeeded = !failed && judgement!.succeeds;
      failed ||= judgement!.fails;
    }
    let sum = succeeded ? 1 : 0;
    if (reward.length > 0) sum = this.#sampler.part(reward).reduce((total, term) => total + term, 0);
    this.#buffers.reward[i] = sum + (judgement?.reward ?? 0);
    this.#buffers.success[i] = succeeded ? 1 : 0;
    this.#buffers.terminated[i] = succeeded || failed ? 1 : 0;
    this.#buffers.truncated[i] =
      this.#buffers.terminated[i] === 0 && this.#state.steps[i]! >= this.#spec.horizon ? 1 : 0;
    this.#buffers.steps[i] = this.#state.steps[i]!;
    this.#keepLast(i);
    return this.#buffers.terminated[i] === 1 || this.#buffers.truncated[i] === 1;
  }

  #judge(i: number, failed: boolean): Judgement | undefined {
    const monitor = this.#monitor;
    if (!monitor) return undefined;
    for (let g = 0; g < monitor.guards; g++) {
      this.#buffers.violated[i * monitor.guards + g] = monitor.violated(i, g) ? 1 : 0;
    }
    const terminates = failed || monitor.mustStop(i);
    const ends = terminates || this.#state.steps[i]! >= this.#spec.horizon;
    const judgement = monitor.judge(i, { ends, terminates });
    if (monitor.hasSpecification) this.#buffers.finalRobustness[i] = judgement.robustness;
    return judgement;
  }

  /** Of a row that was not stepped. */
  idle(i: number): void {
    this.#buffers.reward[i] = 0;
    this.#buffers.terminated[i] = 0;
    this.#buffers.truncated[i] = 0;
    this.#buffers.success[i] = 0;
    const guards = this.#monitor?.guards ?? 0;
    this.#buffers.violated.fill(0, i * guards, (i + 1) * guards);
    if (this.#monitor?.hasSpecification) this.#buffers.finalRobustness[i] = Number.NaN;
    this.#keepLast(i);
  }

  /** What the automatic reset overwrites. */
  #keepLast(i: number): void {
    const O = this.#O;
    this.#buffers.finalObservation.set(this.#buffers.observation.subarray(i * O, (i + 1) * O), i * O);
    const S = this.#spec.program.groups.signals.length;
    this.#buffers.finalSignals.set(this.#buffers.signals.subarray(i * S, (i + 1) * S), i * S);
    const P = this.#buffers.predicates.length / this.#spec.environments;
    this.#buffers.finalPredicates.set(this.#buffers.predicates.subarray(i * P, (i + 1) * P), i * P);
  }
}
