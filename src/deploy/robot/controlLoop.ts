import { VernierError } from '#core/errors';
import { CommandPlan, type PlannedPath } from '#deploy/robot/commandPlan';
import type { Deployment } from '#deploy/robot/deployment';
import { type EpisodeEnd, taskVerdict } from '#deploy/robot/episode';
import { boardLayout, invalidReasons } from '#deploy/robot/inputs';
import { type Ahead, oldestJoint, type RobotTwin } from '#deploy/robot/robotTwin';
import { motionLimits } from '#deploy/safety/limits';
import type { SafetyRules, StartVerdict } from '#deploy/safety/safetyFilter';
import type { TrajectoryPoints } from '#deploy/safety/shortTrajectory';
import { type InvalidReason, type Verdict, verdictText } from '#deploy/safety/verdict';
import type { BasePolicy } from '#policy/policy';
import { ResidualPolicy } from '#policy/residualPolicy';
import type { ResolvedTask } from '#spec/resolved';

/** From the newest inputs to the next trajectory, tick by tick, without threads or clocks of its own: the worker, the
 * replay of recordings and the tests run the same.
 *
 * idle: nothing is commanded. approach: the arm moves to where episodes start. run: the policy acts. stop: the arm comes
 * to rest and holds, then idle. */
export type Phase = 'idle' | 'approach' | 'run' | 'stop';

export interface ControlSettings {
  /** Of the residual; 0 is the base alone. */
  readonly residualScale: number;
  /** Share of the speed, 0 to 1. */
  readonly speedScale: number;
  readonly emergencyStop: boolean;
}

export interface ControlTick {
  /** After the tick. */
  readonly phase: Phase;
  /** What to send; undefined when idle. */
  readonly trajectory: TrajectoryPoints | undefined;
  /** Milliseconds, monotonic: when the trajectory begins, and until when it is what was sent before. */
  readonly time: number;
  readonly departs: number;
  /** [joints] where the arm is asked to be at the end of the step; undefined where it is asked to stop. */
  readonly target: Float64Array | undefined;
  /** What is wrong with the inputs or the policy. */
  readonly problem: InvalidReason | 'stale' | undefined;
  /** Control value that the policy asks of the gripper. */
  readonly gripper: number | undefined;
  /** The gravest verdict of the filter since the last tick, and of this trajectory's beginning. */
  readonly verdict: Verdict;
  /** Policy step of the episode, after the tick. */
  readonly step: number;
  /** How the episode ends, from when that is known until the arm rests. */
  readonly ending: EpisodeEnd | undefined;
  /** The same, once: when the arm rests. */
  readonly ended: EpisodeEnd | undefined;
}

/** Metres that the end effector moves at most per radian of a joint: the filter looks again at the workspace as often as
 * that makes needed. */
const REACH = 1.5;
/** How long an arm is given to come from its controller's last set-point to where it was measured, at rest both times, s: a
 * servo's lag and sag lie between. */
const JOIN = 0.2;
/** Ticks that are run for warming up. */
const WARM_UP = 20;
/** By which a command at the start pose may miss it, rad. */
const ARRIVED = 1e-3;

/** @throws SPEC where a limit is missing or a workspace has no end effector */
export function safetyRules(task: ResolvedTask, deployment: Deployment, twin: RobotTwin): SafetyRules {
  const { spec, period } = deployment;
  const { margin, scale, tick, workspace } = spec.limits;
  const { arm } = task.robot;
  return {
    limits: motionLimits(arm.names, arm.limits, { period: period / Math.ceil(period / tick), margin, scale }),
    maxAge: deployment.jointAge,
    deactivateAfter: spec.ages.deactivate,
    ...(workspace
      ? { workspace: { ...workspace, reach: REACH, point: (q, out) => twin.endEffector(q, out) } }
      : {}),
  };
}

export class ControlLoop {
  readonly #task: ResolvedTask;
  readonly #deployment: Deployment;
  readonly #twin: RobotTwin;
  readonly #policy: BasePolicy | ResidualPolicy;
  readonly #rules: SafetyRules;
  readonly #plan: CommandPlan;
  readonly #measured: Float64Array;
  readonly #target: Float64Array;
  readonly #ahead: Float64Array;
  readonly #aheadVelocity: Float64Array;
  readonly #sinceThen: Ahead = (time, outPosition, outVelocity) =>
    this.#plan.ahead(time, outPosition, outVelocity);
  #phase: Phase = 'idle';
  #begins = false;
  #approachUntil = 0;
  #joinsUntil = 0;
  #ending: EpisodeEnd | undefined;
  #step = 0;
  #late: Promise<void> | undefined;
  #lateError: unknown;

  constructor(
    task: ResolvedTask,
    deployment: Deployment,
    twin: RobotTwin,
    policy: BasePolicy | ResidualPolicy,
  ) {
    this.#task = task;
    this.#deployment = deployment;
    this.#twin = twin;
    this.#policy = policy;
    this.#rules = safetyRules(task, deployment, twin);
    this.#plan = new CommandPlan(this.#rules, deployment.period);
    this.#measured = new Float64Array(deployment.armJoints);
    this.#target = new Float64Array(deployment.armJoints);
    this.#ahead = new Float64Array(deployment.armJoints);
    this.#aheadVelocity = new Float64Array(deployment.armJoints);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get rules(): SafetyRules {
    return this.#rules;
  }

  /** Runs all that a tick runs once through, so that the first ones are not slower; nothing of it stays. */
  async warmUp(values: Float64Array): Promise<void> {
    if (!values.every((value, k) => Number.isFinite(value) || this.#isTime(k))) return;
    const { batch } = this.#twin;
    const plan = new CommandPlan(this.#rules, this.#deployment.period);
    this.#readArm(values);
    plan.start(this.#measured, 0);
    for (let k = 1; k <= WARM_UP; k++) {
      this.#twin.sense(values, true);
      await this.#policy.act(batch.observation, batch.action);
      if (!batch.action.every(Number.isFinite)) return;
      this.#twin.command(this.#target);
      plan.advance(1000 * k * this.#deployment.period);
      plan.intend({
        targets: [this.#target.slice()],
        invalid: undefined,
        emergencyStop: false,
        age: 0,
        speed: 1,
      });
    }
  }

  /** An episode begins with the next tick: where the arm is, or where episodes start. With the last `values`.
   * @returns why not, undefined when it does */
  begin(values: Float64Array, now: number): string | undefined {
    if (this.#phase !== 'idle') return `the arm is in the phase ${this.#phase}`;
    if (this.#plan.emergencyStop) return 'the emergency stop is latched';
    const problem = this.#problem(values, now);
    if (problem) return `inputs: ${problem}`;
    this.#readArm(values);
    this.#joinsUntil = now + Math.max(this.#latency, 1000 * JOIN);
    const verdict = this.#plan.start(this.#measured, this.#joinsUntil);
    if (verdict.kind === 'refused') return this.#refusal(verdict);
    const { start } = this.#deployment.spec;
    const away = this.#awayFromStart();
    if (away !== undefined && !start.move) return `${away}, and start.move is false`;
    this.#policy.reset();
    this.#phase = away === undefined ? 'run' : 'approach';
    this.#approachUntil = now + 1000 * start.timeout;
    this.#begins = true;
    this.#ending = undefined;
    this.#step = 0;
    return undefined;
  }

  /** Ends what goes on: the arm decelerates and holds. */
  stop(reason: string): void {
    if (this.#phase === 'idle') return;
    this.#ending ??= { success: false, reason, steps: this.#step };
    this.#phase = 'stop';
  }

  /** The last tick's trajectory was not sent: the arm goes on along the one before. */
  drop(): void {
    this.#plan.revert();
  }

  /** @returns false while the arm moves */
  resetEmergencyStop(): boolean {
    return this.#plan.resetEmergencyStop();
  }

  /** One policy step. @param values the board of inputs @param now milliseconds, monotonic */
  async tick(values: Float64Array, now: number, settings: ControlSettings): Promise<ControlTick> {
    if (this.#phase === 'idle') return this.#report(now, undefined);
    this.#plan.advance(now + this.#latency);
    const { verdict } = this.#plan;
    if (verdict.kind === 'deactivate') this.stop(verdictText(verdict));
    if (settings.emergencyStop) this.stop('emergency stop');
    this.#readArm(values);
    const problem = this.#problem(values, now);
    let act: Act = { targets: [], gripper: undefined, invalid: problem === 'stale' ? undefined : problem };
    const joins = now + this.#latency < this.#joinsUntil;
    if (!problem && !joins && this.#phase === 'approach') act = this.#approach(now, settings.speedScale);
    // Not `else`: an approach that arrived goes over to the episode in the same tick.
    if (!problem && !joins && this.#phase === 'run') act = await this.#act(values, settings);
    const path = this.#plan.intend(
      {
        targets: act.targets,
        invalid: act.invalid,
        emergencyStop: settings.emergencyStop,
        age: problem === 'stale' ? Number.POSITIVE_INFINITY : 0,
        speed: act.speed ?? settings.speedScale,
      },
      now,
    );
    return {
      ...this.#report(now, path, verdict),
      target: act.targets[0],
      gripper: act.gripper,
      problem: problem ?? act.invalid,
    };
  }

  /** Whether that entry of the board is a time, which may be infinite, or belongs to a body that is not sensed. */
  #isTime(k: number): boolean {
    const { joints, bodies } = this.#deployment;
    const first = boardLayout.body(joints.length, 0);
    if (k < first) return k > 0 && (k - 1) % 3 === 0;
    const body = bodies[Math.floor((k - first) / 8)]!;
    return (k - first) % 8 === 0 || 'attached_to' in body.source;
  }

  get #latency(): number {
    return 1000 * this.#deployment.spec.output.latency;
  }

  /** The end of a tick; an arm that stopped and rests is idle from then on. */
  #report(now: number, path: PlannedPath | undefined, verdict = this.#plan.verdict): ControlTick {
    const rests = this.#phase === 'stop' && this.#plan.atRest;
    const ended = rests ? this.#ending : undefined;
    if (rests) this.#phase = 'idle';
    return {
      phase: this.#phase,
      trajectory: path?.points,
      time: path?.time ?? now,
      departs: path?.departs ?? now,
      target: undefined,
      problem: undefined,
      gripper: undefined,
      verdict,
      step: this.#step,
      ending: this.#ending,
      ended,
    };
  }

  #readArm(values: Float64Array): void {
    for (let i = 0; i < this.#measured.length; i++) this.#measured[i] = values[boardLayout.joint(i) + 1]!;
  }

  /** What is wrong with the inputs; poses matter to the policy alone. */
  #problem(values: Float64Array, now: number): InvalidReason | 'stale' | undefined {
    const { joints, bodies, jointAge, spec } = this.#deployment;
    const reason = invalidReasons[values[boardLayout.invalid]!] ?? 'none';
    if (reason !== 'none') return reason;
    let stale = false;
    const look = (at: number, most: number): boolean => {
      stale ||= now - values[at]! > 1000 * most;
      return !Number.isNaN(values[at]!);
    };
    for (let k = 0; k < joints.length; k++)
      if (!look(boardLayout.joint(k), jointAge)) return 'observation_incomplete';
    if (this.#phase === 'run') {
      for (const [k, { source }] of bodies.entries()) {
        if ('attached_to' in source) continue;
        if (!look(boardLayout.body(joints.length, k), spec.ages.bodies)) return 'observation_incomplete';
      }
    }
    if (stale) return 'stale';
    return this.#phase === 'idle' || this.#isFollowing(values) ? undefined : 'not_following';
  }

  /** Whether the arm is where it was told to be when its position was taken. */
  #isFollowing(values: Float64Array): boolean {
    this.#plan.ahead(oldestJoint(values, this.#measured.length), this.#ahead, this.#aheadVelocity);
    const { following } = this.#deployment.spec.limits;
    return this.#measured.every(
      (q, i) => Math.abs(q - (this.#plan.position[i]! - this.#ahead[i]!)) <= following,
    );
  }

  /** A step towards where episodes start. */
  #approach(now: number, speedScale: number): Act {
    const { start } = this.#deployment.spec;
    const { home } = this.#task.robot.arm;
    const { velocity } = this.#rules.limits;
    const at = this.#plan.position;
    let steps = 1;
    let missing = 0;
    for (let i = 0; i < at.length; i++) {
      const way = Math.abs(home[i]! - at[i]!);
      missing = Math.max(missing, way);
      steps = Math.max(steps, way / (velocity[i]! * this.#deployment.period));
    }
    const gripper = this.#task.control.gripper ? this.#task.robot.gripper?.open : undefined;
    const rests: Act = { targets: [], gripper, invalid: undefined };
    if (missing < ARRIVED) {
      if (this.#plan.atRest && this.#awayFromStart() === undefined) this.#phase = 'run';
      return rests;
    }
    if (now > this.#approachUntil) {
      this.stop(`the start was not reached in ${start.timeout} s: ${this.#awayFromStart() ?? 'it moves'}`);
      return rests;
    }
    const targets = [1, 2].map((k) => at.map((q, i) => q + Math.min(1, k / steps) * (home[i]! - q)));
    return { ...rests, targets, speed: Math.min(speedScale, start.speed) };
  }

  /** The policy's step. */
  async #act(values: Float64Array, { residualScale }: ControlSettings): Promise<Act> {
    const nothing = (invalid?: InvalidReason): Act => ({ targets: [], gripper: undefined, invalid });
    const { batch } = this.#twin;
    if (await this.#isLate()) return nothing('policy_late');
    try {
      this.#twin.sense(values, this.#begins, this.#sinceThen);
    } catch (error) {
      if (error instanceof VernierError && error.code === 'NUMERIC') return nothing('observation_not_finite');
      throw error;
    }
    this.#begins = false;
    this.#step = batch.steps[0]!;
    this.#ending = taskVerdict(this.#task, batch, this.#deployment.spec.episode.judge);
    if (this.#ending) {
      this.#phase = 'stop';
      return nothing();
    }
    if (this.#policy instanceof ResidualPolicy) this.#policy.scale = residualScale;
    const pending = this.#policy.act(batch.observation, batch.action);
    if (pending && !(await this.#inTime(pending))) return nothing('policy_late');
    if (!batch.action.every(Number.isFinite)) return nothing('policy_not_finite');
    const gripper = this.#twin.command(this.#target);
    return { targets: this.#steps(), gripper, invalid: undefined };
  }

  /** The target and what follows where nothing newer comes: on, as far again. */
  #steps(): Float64Array[] {
    const { position } = this.#plan;
    return Array.from({ length: this.#deployment.spec.output.steps }, (_, k) =>
      this.#target.map((q, i) => q + k * (q - position[i]!)),
    );
  }

  /** Waits for a policy that answers later, for half a step. */
  async #inTime(pending: Promise<void>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, 500 * this.#deployment.period, false);
    });
    const done = pending.then(() => true);
    const inTime = await Promise.race([done, patience]);
    clearTimeout(timer);
    if (!inTime) {
      this.#late = done.then(
        () => {
          this.#late = undefined;
        },
        (error: unknown) => {
          this.#lateError = error;
        },
      );
    }
    return inTime;
  }

  /** Whether an answer is still out; it is for an older observation and is not used. */
  async #isLate(): Promise<boolean> {
    if (!this.#late) return false;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#lateError !== undefined) throw this.#lateError;
    return this.#late !== undefined;
  }

  /** Which joint is not where episodes start; undefined where all are. */
  #awayFromStart(): string | undefined {
    const { start } = this.#deployment.spec;
    if (start.pose === 'any') return undefined;
    const { home, names } = this.#task.robot.arm;
    const i = this.#measured.findIndex((q, k) => Math.abs(q - home[k]!) > start.tolerance);
    if (i < 0) return undefined;
    return `${names[i]} is at ${this.#measured[i]!.toFixed(3)}, episodes start at ${home[i]!.toFixed(3)}`;
  }

  #refusal(verdict: Extract<StartVerdict, { kind: 'refused' }>): string {
    if (verdict.reason === 'position') {
      const { names, limits } = this.#task.robot.arm;
      const [lo, hi] = limits[verdict.joint]!.position!;
      return `${names[verdict.joint]} is at ${this.#measured[verdict.joint]!.toFixed(3)}, outside [${lo}, ${hi}]: move it by hand`;
    }
    if (verdict.reason === 'workspace')
      return 'the end effector is outside limits.workspace: move it by hand';
    return `the measured positions are ${verdict.reason.replace('_', ' ')}`;
  }
}

/** What a tick asks of the arm and the gripper. */
interface Act {
  readonly targets: readonly Float64Array[];
  readonly gripper: number | undefined;
  readonly invalid: InvalidReason | undefined;
  /** Slower than the operator asks for. */
  readonly speed?: number;
}
