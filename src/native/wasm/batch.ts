import { VernierError } from '#core/errors';
import { allocateBuffers, BufferedBatch } from '#native/buffers';
import type {
  DrivenScene,
  EnvFault,
  EnvScene,
  PhysicsBatch,
  ResetOptions,
  SensedScene,
} from '#native/physicsBatch';
import type { PhysicsSpec } from '#native/physicsSpec';
import { BatchState, type StatePart } from '#native/wasm/batchState';
import { Controller } from '#native/wasm/control';
import { Dynamics } from '#native/wasm/dynamics';
import type { ProgramEvaluator, TaskMonitorTwin } from '#native/wasm/evaluators';
import { loadMujoco } from '#native/wasm/module';
import { Outcome } from '#native/wasm/outcome';
import { LATENCY_STREAM, Randomizer } from '#native/wasm/randomize';
import { Sampler } from '#native/wasm/sampler';
import {
  framePose,
  readDriven,
  readScene,
  requireDriven,
  requireNumbers,
  requireScene,
  writeScene,
} from '#native/wasm/scene';
import { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/batch.cc over MuJoCo's WASM build: one simulation that the environments take turns in.
 * Slower, on the JavaScript thread, and of another MuJoCo version than the addon; otherwise the same. */

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
  readonly #sampler: Sampler<P>;
  readonly #outcome: Outcome;
  readonly #monitor: TaskMonitorTwin | undefined;
  readonly #controller: Controller;
  readonly #dynamics: Dynamics | undefined;
  readonly #randomizer: Randomizer;
  readonly #period: number;
  readonly #slots: number;
  readonly #state: BatchState;
  /** Physics steps of a driven batch since its last control step. */
  #driven = 0;
  /** Of a twin: the action in effect; undefined before its first episode. */
  #effective: Float32Array | undefined;

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
    this.#controller = new Controller(spec.control, sim, spec.substeps);
    const { dynamics, arm } = spec.control;
    this.#dynamics = dynamics && new Dynamics(dynamics, arm, sim, spec.substeps);
    this.#period = spec.substeps * sim.model.opt.timestep;
    this.#slots = spec.latency[1] + 1;

    this.#rememberHome();
    this.#randomizer = new Randomizer(spec.randomize, sim);
    this.#state = new BatchState(sim, this.#randomizer, {
      B: this.B,
      command: this.#controller.commandLength,
      queue: this.#slots * this.A,
      keys: [spec.seed, spec.firstEnvironment],
    });
    this.#sampler = new Sampler(spec, this, sim, evaluator, monitor, this.#state);
    this.#outcome = new Outcome(spec, this, this.#sampler, monitor, this.#state);
    this.reset();
  }

  get faults(): readonly EnvFault[] {
    return this.#faults;
  }

  get commandLength(): number {
    return this.#controller.commandLength;
  }

  reset(options: ResetOptions = {}): void {
    this.#requireReady();
    if (options.seed !== undefined) this.#state.keys[0] = options.seed;
    if (options.firstEnvironment !== undefined) this.#state.keys[1] = options.firstEnvironment;
    this.#faults = [];
    this.#driven = 0;
    for (let i = 0; i < this.B; i++) {
      this.#state.finished[i] = 0;
      this.#reset(i, options.episode ?? 0);
      this.#outcome.idle(i);
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
    return this.#state.toBytes(this.#kept());
  }

  setState(state: Uint8Array): void {
    this.#requireReady();
    this.#state.fromBytes(state, this.#kept());
    this.#faults = [];
  }

  getEnvironment(environment: number): Uint8Array {
    this.#requireEnvironment(environment);
    return this.#state.environmentToBytes(environment, this.#keptOfOne());
  }

  setEnvironment(environment: number, state: Uint8Array): void {
    this.#requireEnvironment(environment);
    this.#state.environmentFromBytes(environment, state, this.#keptOfOne());
  }

  #requireEnvironment(environment: number): void {
    this.#requireReady();
    if (!(environment >= 0 && environment < this.B)) throw new VernierError('USAGE', 'no such environment');
  }

  readCopy(environment: number): EnvScene {
    this.#requireEnvironment(environment);
    this.#state.load(environment);
    return readScene(this.#sim);
  }

  sense(scene: SensedScene, begins: boolean): void {
    this.#requireTwin();
    const sim = this.#sim;
    requireScene(sim, scene);
    if (!begins && this.#state.finished[0] === 1)
      throw new VernierError('STATE', 'the episode is over: begin another one');
    this.#faults = NO_FAULTS as EnvFault[];
    this.#state.load(0);
    writeScene(scene, sim);
    if (begins) this.#beginTwin();
    this.#state.steps[0] = begins ? 0 : this.#state.steps[0]! + 1;
    this.steps[0] = this.#state.steps[0]!;
    let cause: string | undefined;
    const failure = sim.attempt(() => {
      this.#sampler.derive();
      cause = this.#sampler.observe(0, this.#effective!);
    });
    const problem = failure ?? cause;
    if (problem !== undefined) throw new VernierError('NUMERIC', problem);
    if (this.#randomizer.nominal.length > 0) this.#randomizer.store(this.#state.parametersOf(0));
    this.#state.save(0);
    if (!begins) {
      this.#finish(0);
      return;
    }
    this.#monitor?.enter(0);
    this.#outcome.idle(0);
  }

  /** An episode starts where the arm is: what #startEpisode does but for placing things. */
  #beginTwin(): void {
    this.#controller.hold(this.#state.command(0));
    this.#effective = new Float32Array(this.A);
    this.#controller.neutralAction(this.#effective);
    this.#state.held[0] = 0;
    this.#state.finished[0] = 0;
    this.#monitor?.begin(0);
  }

  command(outCommand: Float64Array): void {
    this.#requireTwin();
    requireNumbers('out', outCommand, this.commandLength);
    if (!this.#effective) throw new VernierError('STATE', 'sense() the beginning of an episode first');
    if (!this.action.every(Number.isFinite)) throw new VernierError('NUMERIC', 'the action is not finite');
    for (let k = 0; k < this.A; k++) this.#effective[k] = Math.max(-1, Math.min(1, this.action[k]!));
    this.#state.load(0);
    this.#controller.begin(this.#effective, this.#state.command(0));
    this.#controller.apply(this.#spec.substeps - 1);
    outCommand.set(this.#state.command(0));
  }

  frameAt(qpos: Float64Array, kind: number, id: number, outPose: Float64Array): void {
    this.#requireTwin();
    const sim = this.#sim;
    requireNumbers('qpos', qpos, sim.nq);
    if (outPose.length !== 7) throw new VernierError('SHAPE', 'out: expected 7 numbers');
    const count = [sim.nbody, sim.nsite, sim.ngeom][kind] ?? 0;
    if (!(id >= 0 && id < count)) throw new VernierError('USAGE', 'there is no such frame');
    this.#state.load(0);
    sim.qpos.set(qpos);
    const failure = sim.attempt(() => sim.mujoco.mj_kinematics(sim.model, sim.data));
    if (failure !== undefined) throw new VernierError('PHYSICS', failure);
    framePose(sim, kind, id, outPose);
  }

  drive(references: Float64Array, velocities: Float64Array, judged: boolean, outScene: DrivenScene): void {
    this.#requireTwin();
    if (!this.#controller.servo) throw new VernierError('USAGE', 'only position servos can be driven');
    const sim = this.#sim;
    const C = this.commandLength;
    const joints = this.#spec.control.arm.joints.length;
    const substeps = Math.floor(references.length / C);
    requireNumbers('references', references, substeps * C);
    requireNumbers('velocities', velocities, substeps * joints);
    requireDriven(sim, outScene);
    this.#state.load(0);
    let cause: string | undefined;
    for (let k = 0; k < substeps && cause === undefined; k++) {
      const reference = references.subarray(k * C, (k + 1) * C);
      const failure = sim.attempt(() => {
        this.#controller.drive(reference, velocities.subarray(k * joints, (k + 1) * joints));
        sim.mujoco.mj_step(sim.model, sim.data);
      });
      this.#state.command(0).set(reference);
      cause = failure ?? sim.warning() ?? (judged ? this.#judgeDriven() : undefined);
    }
    const failure = sim.attempt(() => sim.mujoco.mj_kinematics(sim.model, sim.data));
    cause ??= failure;
    if (cause !== undefined) throw new VernierError('PHYSICS', cause);
    this.#state.save(0);
    readDriven(sim, outScene);
  }

  /** After every physics step; a control step of the episode is over after as many of them as in training. */
  #judgeDriven(): string | undefined {
    if (this.#state.finished[0] === 1 || ++this.#driven < this.#spec.substeps) return undefined;
    this.#driven = 0;
    this.#state.steps[0]!++;
    this.#effective ??= new Float32Array(this.A);
    this.#controller.neutralAction(this.#effective);
    let cause: string | undefined;
    const failure = this.#sim.attempt(() => {
      this.#sampler.derive();
      cause = this.#sampler.observe(0, this.#effective!);
    });
    if (failure === undefined && cause === undefined) this.#finish(0);
    return failure ?? cause;
  }

  #requireTwin(): void {
    this.#requireReady();
    if (this.B !== 1 || this.#dynamics) {
      throw new VernierError('USAGE', "only a batch of one environment in MuJoCo can be a robot's twin");
    }
  }

  close(): void {
    if (this.#busy) throw busy();
    if (!this.#closed) this.#sim.close();
    this.#closed = true;
  }

  #requireReady(): void {
    if (this.#closed) throw new VernierError('STATE', 'the environment is closed');
    if (this.#busy) throw busy();
    // Another batch may have made the memory grow.
    this.#sim.refresh();
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
    if (this.active[i] === 0 || this.#state.finished[i] === 1) {
      this.#outcome.idle(i);
      return;
    }
    const step = this.#state.steps[i]!;
    const cause = this.#advance(i);
    if (cause === undefined) {
      this.#finish(i);
      return;
    }
    this.#report({ environment: i, episode: this.#state.episodes[i]!, step, cause });
    this.#outcome.idle(i);
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
    const now = this.#state.steps[i]! % this.#slots;
    const past = (now + this.#slots - this.#state.latency[i]!) % this.#slots;
    const base = i * this.#slots;
    for (let k = 0; k < A; k++) {
      this.#state.queue[(base + now) * A + k] = Math.max(-1, Math.min(1, action[k]!));
    }
    return this.#state.queue.subarray((base + past) * A, (base + past + 1) * A);
  }

  #simulate(i: number, action: Float32Array): string | undefined {
    this.#state.load(i);
    const problem = this.#integrate(i, action);
    if (problem !== undefined) return problem;
    this.#state.steps[i]!++;
    this.#sampler.derive();
    const cause = this.#sampler.observe(i, action);
    this.#state.save(i);
    return cause;
  }

  /** One control step of what the simulation holds. */
  #integrate(i: number, action: Float32Array): string | undefined {
    const sim = this.#sim;
    if (this.#dynamics) {
      sim.data.time = (this.#state.steps[i]! + 1) * this.#period;
      return this.#dynamics.step(action) ? undefined : 'the positions diverged (NaN or huge qpos)';
    }
    this.#controller.begin(action, this.#state.command(i));
    for (let k = 0; k < this.#spec.substeps; k++) {
      this.#controller.apply(k);
      sim.mujoco.mj_step(sim.model, sim.data);
      sim.refresh();
    }
    return sim.warning();
  }

  /** Reward and the end of the episode, after a step that went well. */
  #finish(i: number): void {
    if (this.#outcome.finish(i)) this.#end(i);
  }

  #end(i: number): void {
    if (this.#spec.autoReset) this.#reset(i, this.#state.episodes[i]! + 1);
    else this.#state.finished[i] = 1;
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
    const key = { seed: this.#state.keys[0]!, environment: this.#state.environment(i), episode };
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
    if (parameters > 0) this.#randomizer.store(this.#state.parametersOf(i));
    this.#controller.hold(this.#state.command(i));
    mujoco.mj_forward(model, data);
    sim.refresh();
    const warning = sim.warning();
    if (warning !== undefined) return warning;

    this.#state.episodes[i] = episode;
    this.episode[i] = episode;
    this.#state.steps[i] = 0;
    this.steps[i] = 0;
    this.#state.held[i] = 0;
    const { A } = this;
    const base = i * this.#slots;
    for (let k = 0; k < this.#slots; k++) {
      this.#controller.neutralAction(this.#state.queue.subarray((base + k) * A, (base + k + 1) * A));
    }
    const [lo, hi] = this.#spec.latency;
    this.#state.latency[i] =
      lo + Math.floor(this.#state.stream(LATENCY_STREAM, i, episode).uniform() * (hi - lo + 1));
    this.#monitor?.begin(i);
    const cause = this.#sampler.observe(i, this.#state.queue.subarray(base * A, (base + 1) * A));
    this.#monitor?.enter(i);
    this.#state.save(i);
    return cause;
  }

  /** Without the episode, which keys randomness. */
  #keptOfOne(): StatePart[] {
    return this.#kept().filter((part) => part !== this.episode);
  }

  /** Buffers that belong to the state. */
  #kept(): StatePart[] {
    return [
      this.observation,
      this.finalObservation,
      this.reward,
      this.terminated,
      this.truncated,
      this.success,
      this.episode,
      this.steps,
      this.signals,
      this.finalSignals,
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
