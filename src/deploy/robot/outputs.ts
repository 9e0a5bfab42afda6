import { VernierError } from '#core/errors';
import type { Command } from '#deploy/robot/controlLink';
import type { Deployment } from '#deploy/robot/deployment';
import { monotonicMs, monotonicShift } from '#deploy/robot/sharedBoard';
import { timeOf } from '#deploy/robot/stamp';
import { systemClock } from '#deploy/sim/systemClock';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import {
  type ActionClient,
  commandQuality,
  type Publisher,
  type RobotTransport,
} from '#transport/robotTransport';

/** Sends commands: the arm's as a topic, an action or positions at a rate; the gripper's as a topic or an action. */

export interface OutputCounts {
  sent: number;
  /** Commands left out because they were late. */
  late: number;
  /** Goals that the controller refused or did not answer, and messages it did not take. */
  refused: number;
}

export type Recorder = (topic: string, type: string, bytes: Uint8Array) => void;

const TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory';
const FOLLOW = 'control_msgs/action/FollowJointTrajectory';
const POSITIONS = 'std_msgs/msg/Float64MultiArray';
const GRIPPER = 'control_msgs/action/GripperCommand';
/** Goals are refused in silence after that, ms. */
const PATIENCE = 2000;
/** Milliseconds between positions of `forward_position`. */
const FORWARD_MS = 10;

export class Outputs {
  readonly counts: OutputCounts = { sent: 0, late: 0, refused: 0 };
  readonly #deployment: Deployment;
  readonly #names: readonly string[];
  readonly #record: Recorder;
  readonly #publisher: Publisher | undefined;
  readonly #action: ActionClient | undefined;
  readonly #gripperPublisher: Publisher | undefined;
  readonly #gripperAction: ActionClient | undefined;
  readonly #trajectoryCodec = standardCodec(TRAJECTORY);
  readonly #followCodec = standardCodec(`${FOLLOW}_Goal`);
  readonly #positionsCodec = standardCodec(POSITIONS);
  readonly #gripperCodec = standardCodec(`${GRIPPER}_Goal`);
  /** Of stamps, to the microsecond, so that each trajectory lies on the path of the one before. */
  readonly #clock = systemClock(monotonicMs, Date.now, performance.timeOrigin - monotonicShift());
  #playing: NodeJS.Timeout | undefined;
  #played: Command | undefined;
  #gripper = Number.NaN;
  #gripperBusy = false;
  #gripperNext: number | undefined;

  constructor(deployment: Deployment, transport: RobotTransport, record: Recorder) {
    this.#deployment = deployment;
    this.#record = record;
    this.#names = deployment.joints.slice(0, deployment.armJoints).map(({ rosName }) => rosName);
    const { output, gripper, spec } = deployment;
    const { kind } = spec.output;
    if (kind === 'follow_joint_trajectory') this.#action = transport.actionClient(output, FOLLOW);
    else {
      const type = kind === 'joint_trajectory' ? TRAJECTORY : POSITIONS;
      this.#publisher = transport.publisher(output, type, commandQuality);
    }
    if (gripper?.topic !== undefined)
      this.#gripperPublisher = transport.publisher(gripper.topic, POSITIONS, commandQuality);
    else if (gripper?.action !== undefined)
      this.#gripperAction = transport.actionClient(gripper.action, GRIPPER);
  }

  /** Whether somebody listens. */
  get connected(): boolean {
    return this.#action ? this.#action.available() : (this.#publisher?.matched() ?? 0) > 0;
  }

  /** Sends a command unless it comes too late. @param claim whether it does not */
  send(command: Command, claim: () => boolean): void {
    if (command.gripper !== undefined) this.#moveGripper(command.gripper);
    const write = this.#prepared(command);
    if (claim()) write();
    else this.counts.late++;
  }

  close(): void {
    clearInterval(this.#playing);
    this.#publisher?.close();
    this.#action?.close();
    this.#gripperPublisher?.close();
    this.#gripperAction?.close();
  }

  /** All but the sending, so that nothing lies between it and the look at the clock. */
  #prepared(command: Command): () => void {
    const { kind } = this.#deployment.spec.output;
    if (kind === 'forward_position') return () => this.#play(command);
    const trajectory = this.#trajectory(command);
    if (kind === 'joint_trajectory') {
      const bytes = this.#trajectoryCodec.encode(trajectory);
      return () => this.#write(this.#publisher!, TRAJECTORY, bytes);
    }
    const goal = this.#followCodec.encode({ ...this.#followCodec.create(), trajectory });
    return () => this.#follow(goal);
  }

  #trajectory({ time, departs, points }: Command): Message {
    const isOnArrival = this.#deployment.spec.output.stamp === 'zero';
    // What was sent before is over when it arrives.
    const from = isOnArrival ? (departs - time) / 1000 : 0;
    const first = points.times.findIndex((t) => t > from + 1e-9);
    return {
      header: {
        stamp: { ...(isOnArrival ? { sec: 0, nanosec: 0 } : this.#clock.toStamp(time / 1000)) },
        frame_id: '',
      },
      joint_names: this.#names,
      points: points.times.slice(first).map((t, k) => ({
        positions: points.positions[first + k]!,
        velocities: points.velocities[first + k]!,
        accelerations: points.accelerations[first + k]!,
        effort: [],
        time_from_start: timeOf(1000 * (t - from)),
      })),
    };
  }

  #write(publisher: Publisher, type: string, bytes: Uint8Array): void {
    try {
      publisher.write(bytes);
    } catch (error) {
      if (!(error instanceof VernierError) || error.code !== 'TIMEOUT') throw error;
      this.counts.refused++;
      return;
    }
    this.counts.sent++;
    this.#record(this.#deployment.output, type, bytes);
  }

  /** A goal takes the place of the one before it; nobody waits for its result. */
  #follow(goal: Uint8Array): void {
    this.counts.sent++;
    this.#record(this.#deployment.output, `${FOLLOW}_Goal`, goal);
    this.#action!.send(goal, { timeoutMs: PATIENCE }).then(
      (accepted) => {
        if (!accepted) this.counts.refused++;
      },
      () => {
        this.counts.refused++;
      },
    );
  }

  /** Positions along the newest trajectory, to its end at rest, whatever becomes of the control worker. */
  #play(command: Command): void {
    this.#played = command;
    this.#playing ??= setInterval(() => {
      const { time, points } = this.#played!;
      const t = (monotonicMs() - time) / 1000;
      const data = positionsAt(points, t);
      if (!data) return;
      this.#write(
        this.#publisher!,
        POSITIONS,
        this.#positionsCodec.encode({ ...this.#positionsCodec.create(), data }),
      );
      if (t > points.times.at(-1)!) {
        clearInterval(this.#playing);
        this.#playing = undefined;
      }
    }, FORWARD_MS);
  }

  /** @param control of the model */
  #moveGripper(control: number): void {
    const { gripper } = this.#deployment;
    if (!gripper) return;
    const { model, driver, deadband } = gripper;
    const opening = (control - model.closed) / (model.open - model.closed);
    const limited = Math.min(1, Math.max(0, opening));
    if (Math.abs(limited - this.#gripper) < deadband) return;
    this.#gripper = limited;
    const position = driver.closed + limited * (driver.open - driver.closed);
    if (this.#gripperPublisher) {
      const data = Float64Array.of(position);
      const bytes = this.#positionsCodec.encode({ ...this.#positionsCodec.create(), data });
      this.#gripperPublisher.write(bytes);
      this.#record(gripper.topic!, POSITIONS, bytes);
    } else this.#gripperGoal(position);
  }

  /** One goal at a time: a newer position waits for the answer to the last. */
  #gripperGoal(position: number): void {
    if (this.#gripperBusy) {
      this.#gripperNext = position;
      return;
    }
    const { action, maxEffort } = this.#deployment.gripper!;
    const goal = this.#gripperCodec.encode({ command: { position, max_effort: maxEffort } });
    this.#record(action!, `${GRIPPER}_Goal`, goal);
    this.#gripperBusy = true;
    const answered = (accepted: boolean): void => {
      if (!accepted) this.counts.refused++;
      this.#gripperBusy = false;
      const next = this.#gripperNext;
      this.#gripperNext = undefined;
      if (next !== undefined) this.#gripperGoal(next);
    };
    this.#gripperAction!.send(goal, { timeoutMs: PATIENCE }).then(
      (accepted) => answered(accepted !== undefined),
      () => answered(false),
    );
  }
}

/** Cubic between the points; undefined before the first. */
function positionsAt(
  { times, positions, velocities }: Command['points'],
  t: number,
): Float64Array | undefined {
  const next = times.findIndex((time) => time >= t);
  if (next < 0) return positions.at(-1)!;
  if (next === 0) return undefined;
  const [from, h] = [next - 1, times[next]! - times[next - 1]!];
  const s = (t - times[from]!) / h;
  return positions[from]!.map((p0, i) => {
    const [p1, v0, v1] = [positions[next]![i]!, velocities[from]![i]! * h, velocities[next]![i]! * h];
    const way = p1 - p0;
    return p0 + s * (v0 + s * (3 * way - 2 * v0 - v1 + s * (v0 + v1 - 2 * way)));
  });
}
