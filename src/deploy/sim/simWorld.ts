import { VernierError } from '#core/errors';
import {
  type ArmState,
  JointTrajectoryController,
  type TrajectoryRules,
} from '#deploy/sim/jointTrajectoryController';
import { createBatch } from '#env/makeEnv';
import { physicsSpec } from '#env/physicsSpec';
import { createDrivenScene, type DrivenScene, type PhysicsBatch } from '#native/physicsBatch';
import type { ResolvedTask } from '#spec/resolved';

/** Which start of the task's: the keys of the randomness, as in training. */
export interface EpisodeStart {
  readonly seed: number;
  readonly environment: number;
  readonly episode: number;
}

/** How an episode ended, judged as in training. Its clock starts with the first trajectory that is taken on. */
export interface EpisodeOutcome extends EpisodeStart {
  readonly success: boolean;
  readonly reason: 'success' | 'failure' | 'horizon' | 'reset';
  /** Steps of the policy. */
  readonly steps: number;
  readonly seconds: number;
}

export type EpisodePhase = 'waiting' | 'running' | 'ended';

export interface SimWorldOptions extends EpisodeStart {
  readonly task: ResolvedTask;
  readonly backend?: 'native' | 'wasm';
  /** Share of the speed at which the policy acts: one of its steps takes period / pace. Default 1. */
  readonly pace?: number;
  /** Names of the arm's joints on the wire; those of the model when left out. */
  readonly jointNames?: readonly string[];
  readonly rules?: Partial<Omit<TrajectoryRules, 'joints'>>;
  readonly onOutcome: (outcome: EpisodeOutcome) => void;
}

/** rad by which a goal may be missed, rad/s at which an arm counts as stopped there, s to wait for it. */
const DEFAULT_GOAL_TOLERANCE = 0.02;
const DEFAULT_STOPPED_VELOCITY = 0.05;
const DEFAULT_GOAL_TIME = 1;

/** A robot in its scene, without clock or wire: physics in the place of the arm, servos as in training, a joint
 * trajectory controller in front of them, and the task's own judgement. */
export class SimWorld {
  readonly task: ResolvedTask;
  /** Seconds of a physics step. */
  readonly timestep: number;
  /** Where everything is, after the last step. */
  readonly scene: DrivenScene;
  /** The arm as measured, in the order of the robot file. */
  readonly measured: ArmState;
  readonly controller: JointTrajectoryController;
  readonly #batch: PhysicsBatch;
  /** Seconds of a policy step. */
  readonly #stepPeriod: number;
  readonly #onOutcome: (outcome: EpisodeOutcome) => void;
  readonly #reference: Float64Array;
  readonly #velocity: Float64Array;
  readonly #qpos: readonly number[];
  readonly #dof: readonly number[];
  #start: EpisodeStart;
  #phase: EpisodePhase = 'waiting';
  #gripper: number;
  #stopped = false;

  /** @throws USAGE for a task without MuJoCo or without position servos; else as makeEnv */
  static async open(options: SimWorldOptions): Promise<SimWorld> {
    const { task, seed, environment, backend, pace = 1 } = options;
    const { mode } = task.control;
    if (mode === 'dynamics' || mode === 'torque' || mode === 'joint_velocity') {
      throw new VernierError(
        'USAGE',
        `${task.name} is controlled in the mode ${mode}: it has no position servos`,
        {
          hint: 'a task in the mode end_effector_delta, joint_delta or joint_position',
        },
      );
    }
    const spec = physicsSpec(task, {
      environments: 1,
      seed: seed >>> 0,
      threads: 1,
      autoReset: false,
      firstEnvironment: environment,
    });
    // A robot has no noise in its joints' sensors here, and its latency is that of the wire.
    const substeps = Math.round(spec.substeps / pace);
    const batch = await createBatch({ ...spec, substeps, latency: [0, 0], observationNoise: 0 }, backend);
    return new SimWorld(options, batch);
  }

  private constructor(options: SimWorldOptions, batch: PhysicsBatch) {
    const { task, jointNames, rules = {}, onOutcome, pace = 1 } = options;
    const { arm, gripper } = task.robot;
    const n = arm.joints.length;
    this.task = task;
    this.timestep = task.control.timestep;
    this.#stepPeriod = Math.round(task.control.substeps / pace) * task.control.timestep;
    this.#batch = batch;
    this.#onOutcome = onOutcome;
    this.scene = createDrivenScene(task.names);
    this.measured = {
      position: new Float64Array(n),
      velocity: new Float64Array(n),
      acceleration: new Float64Array(n),
    };
    this.#reference = new Float64Array(batch.commandLength);
    this.#velocity = new Float64Array(n);
    this.#qpos = arm.joints.map((id) => task.names.jointQposAddress[id]!);
    this.#dof = arm.joints.map((id) => task.names.jointDofAddress[id]!);
    this.#gripper = gripper?.open ?? 0;
    this.controller = new JointTrajectoryController(
      {
        allowPartialJoints: false,
        allowNonzeroFinalVelocity: false,
        interpolateFromDesiredState: true,
        commandTimeout: 0,
        goalTime: DEFAULT_GOAL_TIME,
        stoppedVelocity: DEFAULT_STOPPED_VELOCITY,
        pathTolerance: new Float64Array(n),
        goalTolerance: new Float64Array(n).fill(DEFAULT_GOAL_TOLERANCE),
        ...rules,
        joints: jointNames ?? arm.names,
      },
      arm.home,
    );
    this.#start = { seed: options.seed, environment: options.environment, episode: options.episode };
    this.reset(this.#start);
  }

  get start(): EpisodeStart {
    return this.#start;
  }

  get phase(): EpisodePhase {
    return this.#phase;
  }

  /** Steps of the policy in the running or ended episode. */
  get steps(): number {
    return this.#batch.steps[0]!;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Control value of the gripper, in the model's unit. */
  get gripper(): number {
    return this.#gripper;
  }

  set gripper(control: number) {
    if (!Number.isFinite(control)) throw new VernierError('NUMERIC', `the gripper cannot be at ${control}`);
    const { open, closed } = this.task.robot.gripper ?? { open: 0, closed: 0 };
    this.#gripper = Math.min(Math.max(control, Math.min(open, closed)), Math.max(open, closed));
  }

  /** The episode's clock starts. */
  begin(): void {
    if (this.#phase === 'waiting') this.#phase = 'running';
  }

  /** Puts everything where the episode starts, the arm at home and held there. A running episode ends unjudged. */
  reset(start: EpisodeStart): void {
    if (this.#phase === 'running') this.#tell('reset', false);
    this.#batch.reset({
      seed: start.seed >>> 0,
      firstEnvironment: start.environment >>> 0,
      episode: start.episode >>> 0,
    });
    this.#start = start;
    this.#phase = 'waiting';
    this.#gripper = this.task.robot.gripper?.open ?? 0;
    const { qpos, qvel } = this.#batch.readCopy(0);
    this.scene.qpos.set(qpos);
    this.scene.qvel.set(qvel);
    this.#measure();
    this.controller.abort(this.measured, 'the episode was reset');
    // Poses and forces come with a first step; where the joints rest, nothing else moves yet.
    this.step(0);
  }

  /** Aborts what is followed and holds the arm; nothing is taken on until it is released. */
  setStopped(stopped: boolean): void {
    if (stopped && !this.#stopped) this.controller.abort(this.measured, 'emergency stop');
    this.#stopped = stopped;
  }

  /** One physics step.
   * @param now seconds at its end, on the clock of the trajectories @throws PHYSICS when it diverged */
  step(now: number): void {
    const { controller, measured } = this;
    controller.update(now, measured);
    this.#reference.set(controller.desired.position);
    this.#velocity.set(controller.desired.velocity);
    if (this.#reference.length > this.#velocity.length)
      this.#reference[this.#velocity.length] = this.#gripper;
    this.#batch.drive(this.#reference, this.#velocity, this.#phase === 'running', this.scene);
    this.#measure();
    if (this.#phase !== 'running') return;
    const { terminated, truncated, success } = this.#batch;
    if (terminated[0] === 0 && truncated[0] === 0) return;
    const won = success[0] === 1;
    this.#tell(won ? 'success' : truncated[0] === 1 ? 'horizon' : 'failure', won);
    this.#phase = 'ended';
  }

  close(): void {
    this.#batch.close();
  }

  #measure(): void {
    const { position, velocity } = this.measured;
    for (let i = 0; i < position.length; i++) {
      position[i] = this.scene.qpos[this.#qpos[i]!]!;
      velocity[i] = this.scene.qvel[this.#dof[i]!]!;
    }
  }

  #tell(reason: EpisodeOutcome['reason'], success: boolean): void {
    const steps = this.#batch.steps[0]!;
    const seconds = Number((steps * this.#stepPeriod).toFixed(6));
    this.#onOutcome({ ...this.#start, success, reason, steps, seconds });
  }
}
