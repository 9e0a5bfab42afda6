import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import { allocateBuffers, BufferedBatch } from '#native/buffers';
import type { EnvFault, EnvScene, PhysicsBatch, ResetOptions } from '#native/physicsBatch';
import type { PhysicsSpec, Slot } from '#native/physicsSpec';
import { Controller } from '#native/wasm/control';
import { Dynamics } from '#native/wasm/dynamics';
import { loadMujoco } from '#native/wasm/module';
import { LATENCY_STREAM, NOISE_STREAM, Randomizer } from '#native/wasm/randomize';
import { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/batch.cc over MuJoCo's WASM build: one simulation that the environments take turns in.
 * Slower, on the JavaScript thread, and of another MuJoCo version than the addon; otherwise the same. */

/** How programs are run; #expr/evaluate has it, and this layer must not import that. */
export interface ProgramEvaluator<P extends { readonly needs: number }> {
  decode(code: Float64Array, sizes: Simulation): P;
  evaluate(program: P, view: Simulation, out: Float64Array): void;
  readonly needs: Readonly<Record<'position' | 'velocity' | 'contact' | 'contactForce' | 'sensor', number>>;
}

export interface JudgedStep {
  /** Whatever the formula says, the episode ends here. */
  readonly ends: boolean;
  /** It ends, and nothing of worth follows. */
  readonly terminates: boolean;
}

export interface Judgement {
  readonly succeeds: boolean;
  readonly fails: boolean;
  /** Of the episode where it ends, else NaN. */
  readonly robustness: number;
  readonly reward: number;
}

/** The formulas of a task; #stl/taskMonitor has it, and this layer must not import that. */
export interface TaskMonitorTwin {
  readonly guards: number;
  readonly hasSpecification: boolean;
  readonly words: Float64Array;
  readonly reading: { readonly lower: number; readonly upper: number };
  /** An episode begins; its first sample follows, and then enter(). */
  begin(i: number): void;
  enter(i: number): void;
  /** Takes in one sample. @returns what is wrong with it */
  take(i: number, predicates: Float64Array, outFeatures: Float32Array): string | undefined;
  violated(i: number, g: number): boolean;
  /** Whether a guard that terminates is violated. */
  mustStop(i: number): boolean;
  judge(i: number, step: JudgedStep): Judgement;
}

const STATE_MAGIC = 0x56455257; // "VERW"
const RESET_TRIES = 4;
const NO_FAULTS: readonly EnvFault[] = [];

/** @throws PHYSICS, EXPRESSION */
export async function createWasmBatch<P extends { readonly needs: number }>(
  spec: PhysicsSpec,
  evaluator: ProgramEvaluator<P>,
  monitor?: TaskMonitorTwin,
): Promise<PhysicsBatch> {
  const simulation = new Simulation(await loadMujoco(), spec.model, spec.timestep);
  return new WasmBatch(spec, simulation, evaluator, monitor);
}

class WasmBatch<P extends { readonly needs: number }> extends BufferedBatch implements PhysicsBatch {
  readonly backend = 'wasm';
  readonly threads = 1;

  readonly #spec: PhysicsSpec;
  readonly #sim: Simulation;
  readonly #evaluator: ProgramEvaluator<P>;
  readonly #program: P;
  readonly #monitor: TaskMonitorTwin | undefined;
  readonly #controller: Controller;
  readonly #dynamics: Dynamics | undefined;
  readonly #randomizer: Randomizer;
  readonly #outputs: Float64Array;
  readonly #period: number;
  readonly #slots: number;
  /** Seed and first environment of the keys. */
  readonly #keys: Uint32Array;

  readonly #states: Float64Array;
  readonly #parameters: Float64Array;
  readonly #commands: Float64Array;
  readonly #queue: Float32Array;
  readonly #latency: Int32Array;
  readonly #episodes: Uint32Array;
  readonly #steps: Uint32Array;
  readonly #held: Uint32Array;
  readonly #finished: Uint8Array;

  #faults: EnvFault[] = [];
  #busy = false;
  #closed = false;

  constructor(
    spec: PhysicsSpec,
    sim: Simulation,
    evaluator: ProgramEvaluator<P>,
    monitor: TaskMonitorTwin | undefined,
  ) {
    super(spec, allocateBuffers(spec));
    this.#spec = spec;
    this.#monitor = monitor;
    this.#sim = sim;
    this.#evaluator = evaluator;
    this.#controller = new Controller(spec.control, sim, spec.substeps);
    const { dynamics, arm } = spec.control;
    this.#dynamics = dynamics && new Dynamics(dynamics, arm, sim, spec.substeps);
    this.#program = evaluator.decode(spec.program.code, sim);
    this.#outputs = new Float64Array(spec.program.outputs);
    this.#period = spec.substeps * sim.model.opt.timestep;
    this.#slots = spec.latency[1] + 1;
    this.#keys = Uint32Array.of(spec.seed, spec.firstEnvironment);
    const { B } = this;

    this.#rememberHome();
    this.#randomizer = new Randomizer(spec.randomize, sim);
    const size = 1 + sim.nq + 2 * sim.nv + sim.na + 7 * sim.nmocap;
    this.#states = new Float64Array(B * size);
    this.#parameters = new Float64Array(B * this.#randomizer.nominal.length);
    this.#commands = new Float64Array(B * this.#controller.commandLength);
    this.#queue = new Float32Array(B * this.#slots * this.A);
    this.#latency = new Int32Array(B);
    this.#episodes = new Uint32Array(B);
    this.#steps = new Uint32Array(B);
    this.#held = new Uint32Array(B);
    this.#finished = new Uint8Array(B);
    this.reset();
  }

  get faults(): readonly EnvFault[] {
    return this.#faults;
  }

  reset(options: ResetOptions = {}): void {
    this.#requireReady();
    if (options.seed !== undefined) this.#keys[0] = options.seed;
    if (options.firstEnvironment !== undefined) this.#keys[1] = options.firstEnvironment;
    this.#faults = [];
    for (let i = 0; i < this.B; i++) {
      this.#finished[i] = 0;
      this.#reset(i, options.episode ?? 0);
      this.#idle(i);
    }
  }

  step(): void {
    this.#requireReady();
    this.#faults = NO_FAULTS as EnvFault[];
    for (let i = 0; i < this.B; i++) this.#stepOne(i);
  }

  async stepAsync(): Promise<void> {
    this.#requireReady();
    this.#busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    this.#busy = false;
    this.step();
  }

  getState(): Uint8Array {
    this.#requireReady();
    const parts = this.#stateParts();
    const header = this.#stateHeader();
    const out = new Uint8Array(header.byteLength + parts.reduce((sum, part) => sum + part.byteLength, 0));
    let at = 0;
    for (const part of [header, ...parts]) {
      out.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
      at += part.byteLength;
    }
    return out;
  }

  setState(state: Uint8Array): void {
    this.#requireReady();
    const parts = this.#stateParts();
    const header = new Uint8Array(this.#stateHeader().buffer);
    const size = parts.reduce((sum, part) => sum + part.byteLength, header.byteLength);
    if (state.byteLength !== size || header.some((byte, i) => state[i] !== byte)) {
      throw new VernierError(
        'CHECKPOINT',
        'this environment state is of another model, task, backend or number of environments',
      );
    }
    let at = header.byteLength;
    for (const part of parts) {
      const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      bytes.set(state.subarray(at, at + part.byteLength));
      at += part.byteLength;
    }
    this.#faults = [];
  }

  readCopy(environment: number): EnvScene {
    this.#requireReady();
    if (!(environment >= 0 && environment < this.B)) throw new VernierError('USAGE', 'no such environment');
    this.#load(environment);
    const sim = this.#sim;
    return {
      qpos: sim.qpos.slice(),
      qvel: sim.qvel.slice(),
      time: sim.data.time,
      mocapPos: sim.mocap_pos.slice(),
      mocapQuat: sim.mocap_quat.slice(),
      bodyPos: sim.body_pos.slice(),
      bodyQuat: sim.body_quat.slice(),
    };
  }

  close(): void {
    if (this.#busy) throw busy();
    if (!this.#closed) this.#sim.close();
    this.#closed = true;
  }

  #requireReady(): void {
    if (this.#closed) throw new VernierError('STATE', 'the environment is closed');
    if (this.#busy) throw busy();
  }

  #rememberHome(): void {
    const sim = this.#sim;
    const failure = sim.attempt(() => {
      if (sim.model.nkey > 0) sim.mujoco.mj_resetDataKeyframe(sim.model, sim.data, 0);
      this.#controller.home();
      sim.mujoco.mj_forward(sim.model, sim.data);
    });
    if (failure !== undefined)
      throw new VernierError('PHYSICS', `the model's home position fails: ${failure}`);
    this.#controller.rememberHome();
  }

  #stepOne(i: number): void {
    if (this.active[i] === 0 || this.#finished[i] === 1) {
      this.#idle(i);
      return;
    }
    const step = this.#steps[i]!;
    const cause = this.#advance(i);
    if (cause === undefined) {
      this.#finish(i);
      return;
    }
    this.#report({ environment: i, episode: this.#episodes[i]!, step, cause });
    this.#idle(i);
    this.truncated[i] = 1;
    this.#end(i);
  }

  /** Notes a fault and clears what it left in the simulation: warnings, half a stack. */
  #report(fault: EnvFault): void {
    const { mujoco, model, data } = this.#sim;
    this.#sim.attempt(() => mujoco.mj_resetData(model, data));
    if (this.#faults === NO_FAULTS) this.#faults = [];
    this.#faults.push(fault);
  }

  #advance(i: number): string | undefined {
    const { A } = this;
    const action = this.action.subarray(i * A, (i + 1) * A);
    if (!action.every(Number.isFinite)) return 'the action is not finite';
    const effective = this.#delayed(i, action);
    const sim = this.#sim;
    let cause: string | undefined;
    const failure = sim.attempt(() => {
      cause = this.#simulate(i, effective);
    });
    return failure ?? cause;
  }

  /** Puts the clipped action into the ring and returns the one that takes effect now. */
  #delayed(i: number, action: Float32Array): Float32Array {
    const { A } = this;
    const now = this.#steps[i]! % this.#slots;
    const past = (now + this.#slots - this.#latency[i]!) % this.#slots;
    const base = i * this.#slots;
    for (let k = 0; k < A; k++) {
      this.#queue[(base + now) * A + k] = Math.max(-1, Math.min(1, action[k]!));
    }
    return this.#queue.subarray((base + past) * A, (base + past + 1) * A);
  }

  #simulate(i: number, action: Float32Array): string | undefined {
    const sim = this.#sim;
    this.#load(i);
    const problem = this.#integrate(i, action);
    if (problem !== undefined) return problem;
    this.#steps[i]!++;
    this.#refresh();
    const cause = this.#observe(i, action);
    this.#save(i);
    return cause;
  }

  /** One control step of what the simulation holds. */
  #integrate(i: number, action: Float32Array): string | undefined {
    const sim = this.#sim;
    if (this.#dynamics) {
      sim.data.time += this.#period;
      return this.#dynamics.step(action) ? undefined : 'the positions diverged (NaN or huge qpos)';
    }
    this.#controller.begin(action, this.#command(i));
    for (let k = 0; k < this.#spec.substeps; k++) {
      this.#controller.apply(k);
      sim.mujoco.mj_step(sim.model, sim.data);
      sim.refresh();
    }
    return sim.warning();
  }

  #refresh(): void {
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

  #observe(i: number, action: Float32Array): string | undefined {
    const sim = this.#sim;
    const { contact, contactForce } = this.#evaluator.needs;
    sim.refresh();
    if (this.#program.needs & (contact | contactForce)) {
      sim.readContacts((this.#program.needs & contactForce) !== 0);
    }
    sim.time = this.#steps[i]! * this.#period;
    sim.step = this.#steps[i]!;
    sim.action = action;
    sim.command = this.#command(i);
    this.#evaluator.evaluate(this.#program, sim, this.#outputs);
    const { observation, reward, signals, expert } = this.#spec.program.groups;
    if (!this.#part(observation).every(Number.isFinite)) return 'an observation is not finite';
    if (!this.#part(reward).every(Number.isFinite)) return 'a reward term is not finite';
    this.#writeObservation(i, this.#part(observation));
    const problem = this.#monitorSample(i);
    if (problem !== undefined) return problem;
    this.signals.set(this.#part(signals), i * signals.length);
    this.expert.set(this.#part(expert), i * expert.length);
    return undefined;
  }

  #monitorSample(i: number): string | undefined {
    const monitor = this.#monitor;
    const { monitor: group, observation } = this.#spec.program.groups;
    if (!monitor || !group) return undefined;
    const features = this.observation.subarray(i * this.O + observation.length, (i + 1) * this.O);
    const problem = monitor.take(i, this.#part(group), features);
    if (problem === undefined && monitor.hasSpecification) {
      this.robustness[2 * i] = monitor.reading.lower;
      this.robustness[2 * i + 1] = monitor.reading.upper;
      const P = this.#spec.monitor!.predicates;
      this.predicates.set(this.#part(group).subarray(0, P), i * P);
    }
    return problem;
  }

  #writeObservation(i: number, values: Float64Array): void {
    const { O } = this;
    const { observationNoise } = this.#spec;
    if (observationNoise === 0) {
      this.observation.set(values, i * O);
      return;
    }
    const stream = this.#stream(NOISE_STREAM, i, this.#episodes[i]!);
    stream.seek(4 * this.#steps[i]! * Math.floor((values.length + 1) / 2));
    for (let k = 0; k < values.length; k++)
      this.observation[i * O + k] = values[k]! + observationNoise * stream.normal();
  }

  #finish(i: number): void {
    const { success, failure, reward } = this.#spec.program.groups;
    const now = (this.#part(success)[0] ?? 0) !== 0;
    this.#held[i] = now ? this.#held[i]! + 1 : 0;
    let succeeded = this.#held[i]! >= this.#spec.successHold;
    let failed = !succeeded && (this.#part(failure)[0] ?? 0) !== 0;
    const judgement = this.#judge(i, failed);
    if (this.#monitor?.mustStop(i)) {
      succeeded = false;
      failed = true;
    } else if (this.#monitor?.hasSpecification) {
      succeeded = !failed && judgement!.succeeds;
      failed ||= judgement!.fails;
    }
    let sum = succeeded ? 1 : 0;
    if (reward.length > 0) sum = this.#part(reward).reduce((total, term) => total + term, 0);
    this.reward[i] = sum + (judgement?.reward ?? 0);
    this.success[i] = succeeded ? 1 : 0;
    this.terminated[i] = succeeded || failed ? 1 : 0;
    this.truncated[i] = this.terminated[i] === 0 && this.#steps[i]! >= this.#spec.horizon ? 1 : 0;
    this.steps[i] = this.#steps[i]!;
    this.#keepLast(i);
    if (this.terminated[i] === 1 || this.truncated[i] === 1) this.#end(i);
  }

  #judge(i: number, failed: boolean): Judgement | undefined {
    const monitor = this.#monitor;
    if (!monitor) return undefined;
    for (let g = 0; g < monitor.guards; g++) {
      this.violated[i * monitor.guards + g] = monitor.violated(i, g) ? 1 : 0;
    }
    const terminates = failed || monitor.mustStop(i);
    const ends = terminates || this.#steps[i]! >= this.#spec.horizon;
    const judgement = monitor.judge(i, { ends, terminates });
    if (monitor.hasSpecification) this.finalRobustness[i] = judgement.robustness;
    return judgement;
  }

  #end(i: number): void {
    if (this.#spec.autoReset) this.#reset(i, this.#episodes[i]! + 1);
    else this.#finished[i] = 1;
  }

  #idle(i: number): void {
    this.reward[i] = 0;
    this.terminated[i] = 0;
    this.truncated[i] = 0;
    this.success[i] = 0;
    const guards = this.#monitor?.guards ?? 0;
    this.violated.fill(0, i * guards, (i + 1) * guards);
    if (this.#monitor?.hasSpecification) this.finalRobustness[i] = Number.NaN;
    this.#keepLast(i);
  }

  #keepLast(i: number): void {
    const { O } = this;
    this.finalObservation.set(this.observation.subarray(i * O, (i + 1) * O), i * O);
    const P = this.predicates.length / this.B;
    this.finalPredicates.set(this.predicates.subarray(i * P, (i + 1) * P), i * P);
  }

  #reset(i: number, episode: number): void {
    let cause: string | undefined;
    for (let attempt = 0; attempt < RESET_TRIES; attempt++) {
      const next = (episode + attempt) >>> 0;
      const failure = this.#sim.attempt(() => {
        cause = this.#startEpisode(i, next);
      });
      cause = failure ?? cause;
      if (cause === undefined) return;
      this.#report({ environment: i, episode: next, step: 0, cause });
    }
    throw new VernierError('PHYSICS', `environment ${i} cannot start an episode: ${cause}`);
  }

  #startEpisode(i: number, episode: number): string | undefined {
    const sim = this.#sim;
    const { mujoco, model, data } = sim;
    const key = { seed: this.#keys[0]!, environment: this.#environment(i), episode };
    const parameters = this.#randomizer.nominal.length;
    if (parameters > 0) {
      this.#randomizer.load(this.#randomizer.nominal);
      this.#randomizer.drawParameters(key);
    }
    if (model.nkey > 0) {
      mujoco.mj_resetDataKeyframe(model, data, 0);
      data.time = 0;
    } else {
      mujoco.mj_resetData(model, data);
    }
    sim.refresh();
    this.#controller.home();
    this.#randomizer.drawPositions(key);
    if (parameters > 0) {
      this.#randomizer.store(this.#parameters.subarray(i * parameters, (i + 1) * parameters));
    }
    this.#controller.hold(this.#command(i));
    mujoco.mj_forward(model, data);
    sim.refresh();
    const warning = sim.warning();
    if (warning !== undefined) return warning;

    this.#episodes[i] = episode;
    this.episode[i] = episode;
    this.#steps[i] = 0;
    this.steps[i] = 0;
    this.#held[i] = 0;
    const { A } = this;
    const base = i * this.#slots;
    for (let k = 0; k < this.#slots; k++) {
      this.#controller.neutralAction(this.#queue.subarray((base + k) * A, (base + k + 1) * A));
    }
    const [lo, hi] = this.#spec.latency;
    this.#latency[i] = lo + Math.floor(this.#stream(LATENCY_STREAM, i, episode).uniform() * (hi - lo + 1));
    this.#monitor?.begin(i);
    const cause = this.#observe(i, this.#queue.subarray(base * A, (base + 1) * A));
    this.#monitor?.enter(i);
    this.#save(i);
    return cause;
  }

  #environment(i: number): number {
    return (this.#keys[1]! + i) >>> 0;
  }

  #stream(stream: number, i: number, episode: number): PhiloxStream {
    return new PhiloxStream(this.#keys[0]!, stream, this.#environment(i), episode);
  }

  #part(slot: Slot): Float64Array {
    return this.#outputs.subarray(slot.offset, slot.offset + slot.length);
  }

  #command(i: number): Float64Array {
    const n = this.#controller.commandLength;
    return this.#commands.subarray(i * n, (i + 1) * n);
  }

  /** The arrays that make up a simulation's state. */
  #stateArrays(): Float64Array[] {
    const { qpos, qvel, act, qacc_warmstart, mocap_pos, mocap_quat } = this.#sim;
    return [qpos, qvel, act, qacc_warmstart, mocap_pos, mocap_quat];
  }

  #load(i: number): void {
    const sim = this.#sim;
    sim.refresh();
    const parameters = this.#randomizer.nominal.length;
    if (parameters > 0) {
      this.#randomizer.load(this.#parameters.subarray(i * parameters, (i + 1) * parameters));
    }
    let at = (i * this.#states.length) / this.B;
    sim.data.time = this.#states[at++]!;
    for (const array of this.#stateArrays()) {
      array.set(this.#states.subarray(at, at + array.length));
      at += array.length;
    }
  }

  #save(i: number): void {
    const sim = this.#sim;
    let at = (i * this.#states.length) / this.B;
    this.#states[at++] = sim.data.time;
    for (const array of this.#stateArrays()) {
      this.#states.set(array, at);
      at += array.length;
    }
  }

  #stateHeader(): BigUint64Array {
    const signature = BigInt.asUintN(64, BigInt(this.#sim.model.signature));
    return BigUint64Array.of(
      BigInt(STATE_MAGIC),
      signature,
      BigInt(this.B),
      BigInt(this.#states.length),
      BigInt(this.#parameters.length),
      BigInt(this.#queue.length),
    );
  }

  #stateParts(): (Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array)[] {
    return [
      this.#keys,
      this.#states,
      this.#parameters,
      this.#commands,
      this.#queue,
      this.#latency,
      this.#episodes,
      this.#steps,
      this.#held,
      this.#finished,
      this.observation,
      this.finalObservation,
      this.reward,
      this.terminated,
      this.truncated,
      this.success,
      this.episode,
      this.steps,
      this.signals,
      this.expert,
      this.#monitor?.words ?? new Float64Array(),
      this.robustness,
      this.finalRobustness,
      this.predicates,
      this.finalPredicates,
      this.violated,
    ];
  }
}

function busy(): VernierError {
  return new VernierError('STATE', 'the environment is busy: await stepAsync() first');
}
