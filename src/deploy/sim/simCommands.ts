import { VernierError } from '#core/errors';
import {
  type JointTrajectoryMessage,
  type TrajectoryResult,
  trajectoryResult,
} from '#deploy/sim/jointTrajectory';
import type { GoalEnd, GoalRules } from '#deploy/sim/jointTrajectoryController';
import { SimGripper } from '#deploy/sim/simGripper';
import type { SimWorld } from '#deploy/sim/simWorld';
import type { RosTime, SimClock } from '#deploy/sim/systemClock';
import { standardCodec } from '#transport/messages';
import {
  commandQuality,
  type GoalOutcome,
  type RobotTransport,
  type ServerGoal,
} from '#transport/robotTransport';

/** What a sim robot takes: trajectories by topic and action, the gripper's, the emergency stop, resets. */

const TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory';
const FOLLOW = 'control_msgs/action/FollowJointTrajectory';
const TRIGGER = 'std_srvs/srv/Trigger';
const FEEDBACK_PERIOD = 0.05;
/** rad by which a trajectory must move the arm for the episode to begin. */
const BEGINS = 1e-3;
const DEFAULT_CONTROLLER = 'joint_trajectory_controller';

interface TimedTrajectory extends JointTrajectoryMessage {
  readonly header: { readonly stamp: RosTime };
}

interface JointTolerance {
  readonly name: string;
  readonly position: number;
}

interface FollowGoal {
  readonly trajectory: TimedTrajectory;
  readonly path_tolerance: readonly JointTolerance[];
  readonly goal_tolerance: readonly JointTolerance[];
  readonly goal_time_tolerance: RosTime;
}

export interface CommandCounts {
  trajectories: number;
  goals: number;
  refused: number;
}

export interface SimCommandOptions {
  readonly world: SimWorld;
  readonly transport: RobotTransport;
  readonly clock: SimClock;
  /** A line for people: what was refused and why. */
  readonly log: (line: string) => void;
}

export class SimCommands {
  readonly counts: CommandCounts = { trajectories: 0, goals: 0, refused: 0 };
  /** `/panda_arm_controller`. */
  readonly controllerName: string;
  readonly #options: SimCommandOptions;
  readonly #gripper: SimGripper | undefined;
  readonly #feedbackCodec = standardCodec(`${FOLLOW}_Feedback`);
  readonly #resultCodec = standardCodec(`${FOLLOW}_Result`);
  #goal: { readonly goal: ServerGoal; readonly done: (end: GoalEnd) => void } | undefined;
  #nextFeedback = 0;
  #reset = false;

  constructor(options: SimCommandOptions) {
    const { world, transport, log } = options;
    this.#options = options;
    const { ros } = world.task.robot.spec;
    this.controllerName = `/${(ros.controller ?? DEFAULT_CONTROLLER).replace(/^\//, '')}`;
    const codec = standardCodec(TRAJECTORY);
    const topic = ros.command_topic ?? `${this.controllerName}/joint_trajectory`;
    transport.subscriber(topic, TRAJECTORY, { ...commandQuality, depth: 10 }, ({ bytes }) => {
      this.#guard(() => {
        this.counts.trajectories++;
        this.#take(codec.decode(bytes) as unknown as TimedTrajectory, undefined);
      });
    });
    this.#serveAction();
    this.#gripper = world.task.robot.gripper && new SimGripper(world, transport, log);
    const flag = standardCodec('std_msgs/msg/Bool');
    transport.subscriber(
      '/emergency_stop',
      'std_msgs/msg/Bool',
      { ...commandQuality, depth: 10 },
      (message) => {
        this.#guard(() => this.#emergencyStop(flag.decode(message.bytes)['data'] === true));
      },
    );
    this.#serveReset();
  }

  /** Every physics step: ends of goals, feedback. */
  tick(now: number): void {
    this.#settle();
    this.#gripper?.tick(now);
    if (!this.#goal || now < this.#nextFeedback) return;
    this.#nextFeedback = now + FEEDBACK_PERIOD;
    this.#goal.goal.feedback(this.#feedback(now));
  }

  /** Whether someone reset the episode since the last call. */
  takeReset(): boolean {
    const reset = this.#reset;
    this.#reset = false;
    return reset;
  }

  /** What comes in may be anything: it is told, and does not stop the robot. */
  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof VernierError)) throw error;
      this.#refused(error.message);
    }
  }

  #refused(text: string): void {
    this.counts.refused++;
    this.#options.log(`refused: ${text}`);
  }

  /** @returns whether it is followed now */
  #take(trajectory: TimedTrajectory, goal: GoalRules | undefined): boolean {
    const { world, clock } = this.#options;
    if (world.stopped) {
      this.#refused('the emergency stop is on');
      return false;
    }
    const moves = this.#moves(trajectory);
    const start = clock.fromStamp(trajectory.header.stamp);
    const refusal = world.controller.accept(trajectory, start, clock.now(), world.measured, goal);
    this.#settle();
    if (refusal) {
      this.#refused(refusal.text);
      return false;
    }
    if (moves) world.begin();
    return true;
  }

  #moves({ joint_names, points }: JointTrajectoryMessage): boolean {
    const { rules, desired } = this.#options.world.controller;
    return joint_names.some((name, column) => {
      const at = desired.position[rules.joints.indexOf(name)];
      return at !== undefined && points.some((point) => Math.abs(point.positions[column]! - at) > BEGINS);
    });
  }

  #emergencyStop(stopped: boolean): void {
    const { world, log } = this.#options;
    if (stopped !== world.stopped) log(stopped ? 'emergency stop' : 'emergency stop released');
    world.setStopped(stopped);
    this.#settle();
  }

  #serveAction(): void {
    const { world, transport, clock, log } = this.#options;
    const codec = standardCodec(`${FOLLOW}_Goal`);
    const read = (bytes: Uint8Array) => codec.decode(bytes) as unknown as FollowGoal;
    transport.actionServer(`${this.controllerName}/follow_joint_trajectory`, FOLLOW, {
      accept: (bytes) => {
        this.counts.goals++;
        const { trajectory } = read(bytes);
        const start = clock.fromStamp(trajectory.header.stamp);
        const refusal = world.controller.check(trajectory, start, clock.now());
        if (world.stopped) this.#refused('the emergency stop is on');
        else if (refusal) this.#refused(refusal.text);
        return !world.stopped && !refusal;
      },
      execute: (goal) => this.#follow(goal, read(goal.goal)),
      onError: (error) => log(`refused: ${error instanceof Error ? error.message : String(error)}`),
    });
  }

  async #follow(goal: ServerGoal, message: FollowGoal): Promise<GoalOutcome> {
    const { world } = this.#options;
    const rules = goalRules(message, world.controller.rules.joints, world.controller.rules);
    if (!this.#take(message.trajectory, rules)) {
      return this.#outcome({
        status: 'aborted',
        code: trajectoryResult.invalidGoal,
        text: 'it can no longer be followed',
      });
    }
    const cancel = () => {
      if (this.#goal?.goal === goal) world.controller.cancel(world.measured);
      this.#settle();
    };
    const end = await new Promise<GoalEnd>((done) => {
      this.#goal = { goal, done };
      goal.cancelled.addEventListener('abort', cancel);
      if (goal.cancelled.aborted) cancel();
    });
    return this.#outcome(end);
  }

  #settle(): void {
    const end = this.#options.world.controller.takeEnd();
    if (!end) return;
    const goal = this.#goal;
    this.#goal = undefined;
    goal?.done(end);
  }

  #outcome({ status, code, text }: { status: GoalOutcome['status']; code: TrajectoryResult; text: string }) {
    return { status, result: this.#resultCodec.encode({ error_code: code, error_string: text }) };
  }

  #feedback(now: number): Uint8Array {
    const { world, clock } = this.#options;
    const { desired, rules } = world.controller;
    const { measured } = world;
    const point = (positions: Float64Array, velocities: Float64Array, accelerations: Float64Array) => ({
      positions,
      velocities,
      accelerations,
      effort: [],
      time_from_start: { sec: 0, nanosec: 0 },
    });
    const none = {
      transforms: [],
      velocities: [],
      accelerations: [],
      time_from_start: { sec: 0, nanosec: 0 },
    };
    return this.#feedbackCodec.encode({
      header: { stamp: clock.toStamp(now), frame_id: '' },
      joint_names: rules.joints,
      desired: point(desired.position, desired.velocity, desired.acceleration),
      actual: point(measured.position, measured.velocity, measured.acceleration),
      error: point(
        desired.position.map((x, i) => x - measured.position[i]!),
        desired.velocity.map((x, i) => x - measured.velocity[i]!),
        new Float64Array(desired.position.length),
      ),
      multi_dof_joint_names: [],
      multi_dof_desired: none,
      multi_dof_actual: none,
      multi_dof_error: none,
    });
  }

  #serveReset(): void {
    const { world, transport, log } = this.#options;
    const codec = standardCodec(`${TRIGGER}_Response`);
    transport.service(
      '~/reset',
      TRIGGER,
      () => {
        const { seed, environment, episode } = world.start;
        const next = { seed, environment, episode: episode + 1 };
        world.reset(next);
        this.#settle();
        this.#reset = true;
        return codec.encode({ success: true, message: JSON.stringify(next) });
      },
      (error) => log(`no reset: ${error instanceof Error ? error.message : String(error)}`),
    );
  }
}

/** Tolerances of a goal: above 0 they count, below 0 there is none, 0 leaves the controller's. */
function goalRules(
  { path_tolerance, goal_tolerance, goal_time_tolerance }: FollowGoal,
  joints: readonly string[],
  rules: {
    readonly pathTolerance: ArrayLike<number>;
    readonly goalTolerance: ArrayLike<number>;
    readonly goalTime: number;
  },
): GoalRules {
  const pick = (list: readonly JointTolerance[], fallback: ArrayLike<number>) =>
    joints.map((name, i) => {
      const own = list.find((entry) => entry.name === name)?.position ?? 0;
      if (own === 0) return fallback[i] ?? 0;
      return Math.max(own, 0);
    });
  const time = goal_time_tolerance.sec + 1e-9 * goal_time_tolerance.nanosec;
  return {
    pathTolerance: pick(path_tolerance, rules.pathTolerance),
    goalTolerance: pick(goal_tolerance, rules.goalTolerance),
    goalTime: time === 0 ? rules.goalTime : Math.max(time, 0),
  };
}
