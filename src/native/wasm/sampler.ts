import type { BatchBuffers } from '#native/physicsBatch';
import { observationLength, type PhysicsSpec, type Slot } from '#native/physicsSpec';
import type { BatchState } from '#native/wasm/batchState';
import type { ProgramEvaluator, TaskMonitorTwin } from '#native/wasm/evaluators';
import { NOISE_STREAM } from '#native/wasm/randomize';
import type { Simulation } from '#native/wasm/simulation';

/** Evaluates a task's program on what the simulation holds, and writes one environment's sample into the buffers. */
export class Sampler<P extends { readonly needs: number }> {
  readonly #spec: PhysicsSpec;
  readonly #buffers: BatchBuffers;
  readonly #O: number;
  readonly #sim: Simulation;
  readonly #evaluator: ProgramEvaluator<P>;
  readonly #program: P;
  readonly #monitor: TaskMonitorTwin | undefined;
  readonly #state: BatchState;
  readonly #outputs: Float64Array;
  readonly #period: number;

  /** @throws EXPRESSION for a program that is not of this model */
  constructor(
    spec: PhysicsSpec,
    buffers: BatchBuffers,
    sim: Simulation,
    evaluator: ProgramEvaluator<P>,
    monitor: TaskMonitorTwin | undefined,
    state: BatchState,
  ) {
    this.#spec = spec;
    this.#buffers = buffers;
    this.#O = observationLength(spec);
    this.#sim = sim;
    this.#evaluator = evaluator;
    this.#program = evaluator.decode(spec.program.code, sim);
    this.#monitor = monitor;
    this.#state = state;
    this.#outputs = new Float64Array(spec.program.outputs);
    this.#period = spec.substeps * sim.model.opt.timestep;
  }

  /** Brings what the program reads up to date: mj_step leaves what it derived one substep behind the positions. */
  derive(): void {
    const { mujoco, model, data } = this.#sim;
    const { needs } = this.#program;
    const { position, velocity, sensor } = this.#evaluator.needs;
    if (needs & (position | velocity | sensor)) mujoco.mj_kinematics(model, data);
    if (needs & (velocity | sensor)) {
      mujoco.mj_comPos(model, data);
      mujoco.mj_comVel(model, data);
    }
    if (needs & sensor) {
      mujoco.mj_camlight(model, data);
      mujoco.mj_tendon(model, data);
      mujoco.mj_transmission(model, data);
      mujoco.mj_fwdVelocity(model, data);
      mujoco.mj_sensorPos(model, data);
      mujoco.mj_sensorVel(model, data);
    }
  }

  /** Evaluates the program and writes observation, signals and expert of row i. @returns what went wrong */
  observe(i: number, action: Float32Array): string | undefined {
    const sim = this.#sim;
    const { contact, contactForce } = this.#evaluator.needs;
    sim.refresh();
    if (this.#program.needs & (contact | contactForce)) {
      sim.readContacts((this.#program.needs & contactForce) !== 0);
    }
    sim.time = this.#state.steps[i]! * this.#period;
    sim.step = this.#state.steps[i]!;
    sim.action = action;
    sim.command = this.#state.command(i);
    this.#evaluator.evaluate(this.#program, sim, this.#outputs);
    const { observation, reward, signals, expert } = this.#spec.program.groups;
    if (!this.part(observation).every(Number.isFinite)) return 'an observation is not finite';
    if (!this.part(reward).every(Number.isFinite)) return 'a reward term is not finite';
    this.#writeObservation(i, this.part(observation));
    const problem = this.#monitorSample(i);
    if (problem !== undefined) return problem;
    this.#buffers.signals.set(this.part(signals), i * signals.length);
    this.#buffers.expert.set(this.part(expert), i * expert.length);
    return undefined;
  }

  #monitorSample(i: number): string | undefined {
    const monitor = this.#monitor;
    const { monitor: group, observation } = this.#spec.program.groups;
    if (!monitor || !group) return undefined;
    const features = this.#buffers.observation.subarray(i * this.#O + observation.length, (i + 1) * this.#O);
    const problem = monitor.take(i, this.part(group), features);
    if (problem === undefined && monitor.hasSpecification) {
      this.#buffers.robustness[2 * i] = monitor.reading.lower;
      this.#buffers.robustness[2 * i + 1] = monitor.reading.upper;
      const P = this.#spec.monitor!.predicates;
      this.#buffers.predicates.set(this.part(group).subarray(0, P), i * P);
    }
    return problem;
  }

  #writeObservation(i: number, values: Float64Array): void {
    const O = this.#O;
    const { observationNoise } = this.#spec;
    if (observationNoise === 0) {
      this.#buffers.observation.set(values, i * O);
      return;
    }
    const stream = this.#state.stream(NOISE_STREAM, i, this.#state.episodes[i]!);
    stream.seek(4 * this.#state.steps[i]! * Math.floor((values.length + 1) / 2));
    for (let k = 0; k < values.length; k++)
      this.#buffers.observation[i * O + k] = values[k]! + observationNoise * stream.normal();
  }

  /** Outputs of the last sample. */
  part(slot: Slot): Float64Array {
    return this.#outputs.subarray(slot.offset, slot.offset + slot.length);
  }
}
