import {
  type JointTrajectoryMessage,
  type Refusal,
  readTrajectory,
  type TrajectoryPoint,
  type TrajectoryResult,
  trajectoryResult,
} from '#deploy/sim/jointTrajectory';
import { type SplineEnd, splineAt } from '#deploy/sim/splineSegment';

/** Rules of a joint trajectory controller, named as ros2_controllers' parameters; 0 leaves a tolerance or time out. */
export interface TrajectoryRules {
  readonly joints: readonly string[];
  /** allow_partial_joints_goal */
  readonly allowPartialJoints: boolean;
  /** allow_nonzero_velocity_at_trajectory_end */
  readonly allowNonzeroFinalVelocity: boolean;
  /** interpolate_from_desired_state; false: a new trajectory begins where the arm is measured. */
  readonly interpolateFromDesiredState: boolean;
  /** cmd_timeout, s after the last point of a trajectory; ignored unless above goalTime. */
  readonly commandTimeout: number;
  /** constraints.goal_time, s */
  readonly goalTime: number;
  /** constraints.stopped_velocity_tolerance, rad/s */
  readonly stoppedVelocity: number;
  /** [joints] constraints.<joint>.trajectory and .goal, rad */
  readonly pathTolerance: ArrayLike<number>;
  readonly goalTolerance: ArrayLike<number>;
}

/** Tolerances of one action goal; undefined: those of the rules. */
export interface GoalRules {
  readonly pathTolerance?: ArrayLike<number>;
  readonly goalTolerance?: ArrayLike<number>;
  readonly goalTime?: number;
}

export interface ArmState {
  /** [joints] */
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly acceleration: Float64Array;
}

/** How an action goal ended. */
export interface GoalEnd {
  readonly status: 'succeeded' | 'aborted' | 'canceled';
  readonly code: TrajectoryResult;
  readonly text: string;
}

interface Running {
  readonly points: readonly TrajectoryPoint[];
  /** Seconds on the caller's clock of the point at time 0. */
  readonly start: number;
  /** Seconds from which on it is followed, and where the arm was to be then. */
  readonly begins: number;
  readonly before: ArmState;
  segment: number;
}

/** Follows joint trajectories as ros2_control does, on a clock that the caller reads: nothing here waits or sends.
 * @source joint_trajectory_controller of ros2_controllers (Jazzy); differs: a trajectory from the topic cancels an
 * action's, and a new one begins where the old one is now, not where it was one update before */
export class JointTrajectoryController {
  readonly rules: TrajectoryRules;
  /** Where the joints should be, as of the last update. */
  readonly desired: ArmState;
  #running: Running | undefined;
  #goal: GoalRules | undefined;
  #end: GoalEnd | undefined;
  #timedOut = false;
  readonly #sample = new Float64Array(3);

  /** Holds `position` until something comes. */
  constructor(rules: TrajectoryRules, position: ArrayLike<number>) {
    this.rules = rules;
    const n = rules.joints.length;
    this.desired = {
      position: Float64Array.from(position),
      velocity: new Float64Array(n),
      acceleration: new Float64Array(n),
    };
  }

  /** Whether a trajectory is followed or its end is held. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether a trajectory would be taken on now. @returns why not */
  check(message: JointTrajectoryMessage, start: number | undefined, now: number): Refusal | undefined {
    const points = this.#read(message, start, now);
    return 'code' in points ? points : undefined;
  }

  #read(
    message: JointTrajectoryMessage,
    start: number | undefined,
    now: number,
  ): readonly TrajectoryPoint[] | Refusal {
    this.#follow(now);
    const points = readTrajectory(message, { ...this.rules, rest: this.desired.position });
    if ('code' in points || start === undefined) return points;
    const late = now - start - points.at(-1)!.time;
    if (late <= 0) return points;
    return {
      code: trajectoryResult.oldHeaderTimestamp,
      text: `the trajectory ended ${late.toFixed(3)} s ago`,
    };
  }

  /** Takes on a trajectory in the place of any other.
   * @param start seconds on the clock of `now`; undefined: now
   * @param goal of an action; undefined: from the topic
   * @returns why not */
  accept(
    message: JointTrajectoryMessage,
    start: number | undefined,
    now: number,
    measured: ArmState,
    goal?: GoalRules,
  ): Refusal | undefined {
    const points = this.#read(message, start, now);
    if ('code' in points) return points;
    const { rules, desired } = this;
    const begin = start ?? now;
    this.#finish('canceled', 'invalidGoal', 'replaced by another trajectory');
    const from = rules.interpolateFromDesiredState ? desired : measured;
    const before = {
      position: from.position.slice(),
      velocity: from.velocity.slice(),
      acceleration: from.acceleration.slice(),
    };
    this.#running = { points, start: begin, begins: now, before, segment: 0 };
    this.#goal = goal;
    this.#timedOut = false;
    return undefined;
  }

  /** Brings `desired` to `now` and judges what was reached.
   * @param measured where the arm is */
  update(now: number, measured: ArmState): void {
    const running = this.#running;
    if (!running) return;
    this.#follow(now);
    const late = now - (running.start + running.points.at(-1)!.time);
    if (late < 0) {
      const path = this.#goal?.pathTolerance ?? this.rules.pathTolerance;
      const joint = this.#outside(measured, path);
      if (joint < 0) return;
      this.hold(measured.position);
      this.#finish('aborted', 'pathToleranceViolated', `joint '${this.rules.joints[joint]}' left its path`);
      return;
    }
    this.#judgeEnd(late, measured);
  }

  #judgeEnd(late: number, measured: ArmState): void {
    const { rules } = this;
    const joint = this.#outsideGoal(measured);
    const goalTime = this.#goal?.goalTime ?? rules.goalTime;
    if (joint < 0) {
      this.#finish('succeeded', 'successful', 'goal reached');
    } else if (goalTime > 0 && late > goalTime) {
      this.hold(measured.position);
      this.#finish(
        'aborted',
        'goalToleranceViolated',
        `joint '${rules.joints[joint]}' is not at its goal ${goalTime} s after the end`,
      );
      return;
    }
    if (rules.commandTimeout > rules.goalTime && late > rules.commandTimeout) {
      this.hold(measured.position);
      this.#finish('aborted', 'invalidGoal', 'no command in time');
      this.#timedOut = true;
    }
  }

  /** Whether it holds because no command came in time; until the next one. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  /** Ends the goal and holds where the arm is, as a client's cancellation does. */
  cancel(measured: ArmState, text = 'cancelled'): void {
    this.hold(measured.position);
    this.#finish('canceled', 'successful', text);
  }

  /** The same as a failure. */
  abort(measured: ArmState, text: string): void {
    this.hold(measured.position);
    this.#finish('aborted', 'invalidGoal', text);
  }

  /** The same where it should be now: time passed in which nothing could move. */
  abortInPlace(text: string): void {
    this.hold(this.desired.position.slice());
    this.#finish('aborted', 'invalidGoal', text);
  }

  /** Holds `position` in the place of any trajectory; leaves the goal to its caller. */
  hold(position: Float64Array): void {
    this.#running = undefined;
    this.desired.position.set(position);
    this.desired.velocity.fill(0);
    this.desired.acceleration.fill(0);
  }

  /** How the action goal ended, once. */
  takeEnd(): GoalEnd | undefined {
    const end = this.#end;
    this.#end = undefined;
    return end;
  }

  #finish(status: GoalEnd['status'], code: keyof typeof trajectoryResult, text: string): void {
    if (this.#goal) this.#end = { status, code: trajectoryResult[code], text };
    this.#goal = undefined;
  }

  /** The first joint that is farther from where it should be than its tolerance, or -1. */
  #outside(measured: ArmState, tolerance: ArrayLike<number>): number {
    const { position } = this.desired;
    for (let i = 0; i < position.length; i++) {
      const most = tolerance[i] ?? 0;
      if (most > 0 && !(Math.abs(position[i]! - measured.position[i]!) <= most)) return i;
    }
    return -1;
  }

  #outsideGoal(measured: ArmState): number {
    const joint = this.#outside(measured, this.#goal?.goalTolerance ?? this.rules.goalTolerance);
    if (joint >= 0) return joint;
    const most = this.rules.stoppedVelocity;
    const { velocity } = this.desired;
    return most > 0 ? velocity.findIndex((v, i) => !(Math.abs(v - measured.velocity[i]!) <= most)) : -1;
  }

  /** Samples the running trajectory. */
  #follow(now: number): void {
    const running = this.#running;
    if (!running) return;
    const { points, start, begins, before } = running;
    const t = now - start;
    const { position, velocity, acceleration } = this.desired;
    const first = points[0]!;
    const last = points.at(-1)!;
    if (t >= last.time) {
      for (let i = 0; i < position.length; i++) {
        position[i] = last.positions[i]!;
        velocity[i] = last.velocities?.[i] ?? 0;
        acceleration[i] = last.accelerations?.[i] ?? 0;
      }
      return;
    }
    while (running.segment < points.length && t >= points[running.segment]!.time) running.segment++;
    const to = points[running.segment]!;
    const from = running.segment === 0 ? undefined : points[running.segment - 1]!;
    for (let i = 0; i < position.length; i++) {
      const end: SplineEnd = endOf(to, i);
      const begin: SplineEnd = from
        ? endOf(from, i)
        : {
            time: Math.min(begins - start, first.time),
            position: before.position[i]!,
            velocity: before.velocity[i]!,
            acceleration: before.acceleration[i]!,
          };
      splineAt(begin, end, t, this.#sample);
      position[i] = this.#sample[0]!;
      velocity[i] = this.#sample[1]!;
      acceleration[i] = this.#sample[2]!;
    }
  }
}

function endOf(point: TrajectoryPoint, i: number): SplineEnd {
  return {
    time: point.time,
    position: point.positions[i]!,
    velocity: point.velocities?.[i],
    acceleration: point.accelerations?.[i],
  };
}
