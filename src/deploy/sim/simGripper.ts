import type { SimWorld } from '#deploy/sim/simWorld';
import { standardCodec } from '#transport/messages';
import {
  commandQuality,
  type GoalOutcome,
  type RobotTransport,
  type ServerGoal,
} from '#transport/robotTransport';

/** The gripper as its driver shows it: the GripperCommand action, and a topic of positions where the robot file names
 * one. Positions are in the driver's unit, that of `ros.gripper.open` and `closed`; efforts are the model's own. */

const GRIPPER = 'control_msgs/action/GripperCommand';
const POSITIONS = 'std_msgs/msg/Float64MultiArray';
/** Share of the opening within which a position counts as reached; 1/s of it below which the fingers stand. */
const REACHED = 0.02;
const STANDS = 0.02;
/** Seconds for which they must stand. */
const SETTLE = 0.1;
/** Seconds after which a goal ends as stalled. */
const PATIENCE = 5;

interface Running {
  readonly goal: ServerGoal;
  readonly share: number;
  readonly since: number;
  standsSince: number | undefined;
  readonly done: (outcome: GoalOutcome) => void;
}

export class SimGripper {
  readonly #world: SimWorld;
  readonly #open: number;
  readonly #closed: number;
  readonly #qpos: number;
  readonly #dof: number;
  readonly #resultCodec = standardCodec(`${GRIPPER}_Result`);
  #running: Running | undefined;
  #now = 0;

  constructor(world: SimWorld, transport: RobotTransport, log: (line: string) => void) {
    const { robot, names } = world.task;
    const gripper = robot.gripper!;
    const ros = robot.spec.ros.gripper;
    this.#world = world;
    this.#open = ros?.open ?? gripper.open;
    this.#closed = ros?.closed ?? gripper.closed;
    this.#qpos = names.jointQposAddress[gripper.joints[0]!]!;
    this.#dof = names.jointDofAddress[gripper.joints[0]!]!;
    const goalCodec = standardCodec(`${GRIPPER}_Goal`);
    const asked = (bytes: Uint8Array) =>
      (goalCodec.decode(bytes) as unknown as { command: { position: number } }).command.position;
    if (ros?.action !== undefined) {
      transport.actionServer(ros.action, GRIPPER, {
        accept: (bytes) => !world.stopped && Number.isFinite(asked(bytes)),
        execute: (goal) => this.#move(goal, asked(goal.goal)),
        onError: (error) => log(`gripper: ${error instanceof Error ? error.message : String(error)}`),
      });
    }
    if (ros?.topic !== undefined) {
      const codec = standardCodec(POSITIONS);
      transport.subscriber(ros.topic, POSITIONS, commandQuality, ({ bytes }) => {
        const position = Number((codec.decode(bytes)['data'] as ArrayLike<number>)[0]);
        if (Number.isFinite(position) && !world.stopped) this.#drive(position);
      });
    }
  }

  /** Ends the goal once the fingers are there or stand. */
  tick(now: number): void {
    this.#now = now;
    const running = this.#running;
    if (!running) return;
    const { open, closed } = this.#world.task.robot.gripper!;
    const share = (this.#world.scene.qpos[this.#qpos]! - closed) / (open - closed);
    const speed = Math.abs(this.#world.scene.qvel[this.#dof]! / (open - closed));
    running.standsSince = speed > STANDS ? undefined : (running.standsSince ?? now);
    const stands = running.standsSince !== undefined && now - running.standsSince >= SETTLE;
    if (!stands && now - running.since < PATIENCE) return;
    const reached = Math.abs(share - running.share) <= REACHED;
    this.#finish('succeeded', share, reached);
  }

  async #move(goal: ServerGoal, position: number): Promise<GoalOutcome> {
    this.#finish('canceled', this.#share(), false);
    const share = this.#drive(position);
    return new Promise((done) => {
      this.#running = { goal, share, since: this.#now, standsSince: undefined, done };
      goal.cancelled.addEventListener('abort', () => {
        if (this.#running?.goal === goal) this.#finish('canceled', this.#share(), false);
      });
    });
  }

  /** @returns the share of the opening that was asked for */
  #drive(position: number): number {
    const share = Math.min(Math.max((position - this.#closed) / (this.#open - this.#closed), 0), 1);
    const { open, closed } = this.#world.task.robot.gripper!;
    this.#world.gripper = closed + share * (open - closed);
    return share;
  }

  #share(): number {
    const { open, closed } = this.#world.task.robot.gripper!;
    return (this.#world.scene.qpos[this.#qpos]! - closed) / (open - closed);
  }

  #finish(status: GoalOutcome['status'], share: number, reached: boolean): void {
    const running = this.#running;
    this.#running = undefined;
    running?.done({
      status,
      result: this.#resultCodec.encode({
        position: this.#closed + share * (this.#open - this.#closed),
        effort: 0,
        stalled: !reached,
        reached_goal: reached,
      }),
    });
  }
}
