import { timeOf } from '#deploy/robot/stamp';
import { systemClock } from '#deploy/sim/systemClock';
import type { ResolvedJointLimits } from '#spec/resolved';
import { loadTask } from '#spec/task';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import { openTransport } from '#transport/openTransport';
import {
  commandQuality,
  type Publisher,
  type RobotTransport,
  type ServiceClient,
  sensorQuality,
} from '#transport/robotTransport';
import { patience, until } from '../../transport/loopback.js';
import type { JointMessage } from '../robot/kinematicRobot.js';
import { type Node, TrajectoryAudit } from './trajectoryAudit.js';

/** Topics between the robot process and what stands in its way here. */
export const topics = { joints: '/faults/joint_states', target: '/faults/target' } as const;

const jointState = standardCodec('sensor_msgs/msg/JointState');
const trajectory = standardCodec('trajectory_msgs/msg/JointTrajectory');
const pose = standardCodec('geometry_msgs/msg/PoseStamped');
const diagnostics = standardCodec('diagnostic_msgs/msg/DiagnosticArray');
const flag = standardCodec('std_msgs/msg/Bool');
const transitions = { configure: 1, cleanup: 2, activate: 3, deactivate: 4 } as const;

/** What becomes of a joint state on its way: the messages that go on, later by milliseconds where a time is given. */
export type Tamper = (
  message: JointMessage,
  count: number,
) => readonly (JointMessage | readonly [number, JointMessage])[];

const honest: Tamper = (message) => [message];

/** Speed below which a joint counts as resting, rad/s: servos settle, they do not stop. */
const RESTING = 0.02;
/** Milliseconds between poses of the target, and of its way around. */
const TARGET_MS = 20;
const TURN_MS = 1600;

/** Seconds since this process began, by the clock of stamps. */
export function clock(monotonicMs = performance.now()): number {
  return (monotonicMs + fraction) / 1000;
}
const origin = Math.floor(performance.timeOrigin / 1000);
const fraction = performance.timeOrigin - 1000 * origin;

interface Moment {
  readonly time: number;
  readonly speed: number;
  readonly position: Float64Array;
}

/** A simulation that lags by more than this leaves the time out, s: see SimRobot. */
const MOST_LAG = 0.1;
/** A command is with a controller so long after it was sent, s, whenever this process wakes to take it: see
 * ControlThread. */
const DELIVERY = 0.002;

/** Stands between an arm and the process that moves it: hands joint states on, spoiled as a test wants, moves the target
 * about so that the arm never rests by itself, and keeps what both say. */
export class FaultyGraph {
  readonly transport: RobotTransport;
  audit: TrajectoryAudit;
  /** The newest of /diagnostics. */
  health: {
    readonly level: number;
    readonly message: string;
    readonly values: Readonly<Record<string, string>>;
  } = {
    level: 0,
    message: '',
    values: {},
  };
  readonly #messages: { readonly message: string; readonly verdict: string }[] = [];
  tamper: Tamper = honest;
  /** The newest joint state of the arm. */
  newest: JointMessage | undefined;
  states = 0;
  readonly #arm: Moment[] = [];
  readonly #names: readonly string[];
  readonly #limits: readonly ResolvedJointLimits[];
  readonly #clock = systemClock();
  readonly #clients = new Map<string, ServiceClient>();
  readonly #relay: Publisher;
  readonly #target: Publisher;
  readonly #stop: Publisher;
  readonly #timer: NodeJS.Timeout;
  readonly #delayed = new Set<NodeJS.Timeout>();
  #begins = performance.now();

  static async open(): Promise<FaultyGraph> {
    const task = await loadTask('reach');
    const { arm, spec } = task.robot;
    const transport = await openTransport({ node: '/faults' });
    return new FaultyGraph(transport, spec.ros.joint_names!, arm.limits, spec.ros);
  }

  private constructor(
    transport: RobotTransport,
    names: readonly string[],
    limits: readonly ResolvedJointLimits[],
    ros: { readonly controller?: string | undefined; readonly base_frame?: string | undefined },
  ) {
    this.transport = transport;
    this.#names = names;
    this.#limits = limits;
    this.audit = new TrajectoryAudit(names, limits);
    this.#relay = transport.publisher(topics.joints, jointState.type, sensorQuality);
    this.#target = transport.publisher(topics.target, pose.type, sensorQuality);
    this.#stop = transport.publisher('/emergency_stop', flag.type, commandQuality);
    transport.subscriber('/joint_states', jointState.type, { ...sensorQuality, depth: 50 }, ({ bytes }) =>
      this.#joints(jointState.decode(bytes) as unknown as JointMessage),
    );
    const command = `/${ros.controller}/joint_trajectory`;
    transport.subscriber(
      command,
      trajectory.type,
      { ...commandQuality, depth: 100 },
      ({ bytes, sentAt, receivedAt }) =>
        this.#command(
          trajectory.decode(bytes),
          Math.min(clock(receivedAt), clock(this.#monotonicMs(sentAt)) + DELIVERY),
        ),
    );
    transport.subscriber('/diagnostics', diagnostics.type, { ...commandQuality, depth: 10 }, ({ bytes }) =>
      this.#diagnose(diagnostics.decode(bytes)),
    );
    this.#timer = setInterval(() => this.#moveTarget(ros.base_frame!), TARGET_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const timer of this.#delayed) clearTimeout(timer);
    await this.transport.close();
  }

  /** Asks the robot process for a transition. @returns whether it was made */
  async change(transition: keyof typeof transitions, node = '/vernier'): Promise<boolean> {
    const type = 'lifecycle_msgs/srv/ChangeState';
    const request = { transition: { id: transitions[transition], label: transition } };
    return (await this.#call(`${node}/change_state`, type, request, patience))['success'] === true;
  }

  /** @returns `inactive` and so on */
  async state(timeoutMs = patience, node = '/vernier'): Promise<string> {
    const answer = await this.#call(`${node}/get_state`, 'lifecycle_msgs/srv/GetState', {}, timeoutMs);
    return (answer['current_state'] as Message)['label'] as string;
  }

  /** Waits for a state of the robot process. */
  async reaches(state: string, timeoutMs = patience): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // A node that was killed counts as there for a while, and answers nothing.
      const now = await this.state(1000).catch(() => 'silent');
      if (now === state) return;
      if (performance.now() > deadline) throw new Error(`it is ${now} after ${timeoutMs} ms, not ${state}`);
      await pause(20);
    }
  }

  /** Latches the emergency stop by its topic. */
  emergencyStop(): void {
    this.#stop.write(flag.encode({ data: true }));
  }

  /** Lets the arm's own emergency stop go; that of the robot process is not reset by that. */
  releaseArm(): void {
    this.#stop.write(flag.encode({ data: false }));
  }

  async latch(): Promise<void> {
    await this.#call('/vernier/emergency_stop', 'std_srvs/srv/Trigger', {}, patience);
  }

  /** @returns why the stop stays latched; undefined where it was taken off */
  async reset(): Promise<string | undefined> {
    const { success, message } = await this.#call(
      '/vernier/reset_emergency_stop',
      'std_srvs/srv/Trigger',
      {},
      patience,
    );
    return success === true ? undefined : String(message);
  }

  /** Waits until the arm has moved for a while. */
  async moves(): Promise<void> {
    const since = clock();
    await until(
      'motion',
      () => this.#arm.some(({ time, speed }) => time > since + 0.2 && speed > 0.2),
      patience,
    );
  }

  /** Seconds from `since` until the arm's last motion by its own samples; waits until it rested for 0.3 s of them.
   * @param since seconds by clock() */
  async rests(since: number): Promise<number> {
    const last = (): number => this.#arm.findLast(({ speed }) => speed > RESTING)?.time ?? since;
    await until('rest', () => (this.#arm.at(-1)?.time ?? 0) > Math.max(since, last()) + 0.3, patience);
    return Math.max(0, last() - since);
  }

  /** Seconds since then that the simulation left out, by the arm's own samples: nothing moved in them. */
  stoodStill(since: number): number {
    let sum = 0;
    for (const [from, to] of this.#pairs(since)) {
      const gap = to.time - from.time;
      if (gap > MOST_LAG) sum += gap;
    }
    return sum;
  }

  /** How far the farthest joint is from where it was in the last sample before then, rad. @param since seconds by clock() */
  away(since: number): number {
    const before = this.#arm.findLast(({ time }) => time <= since)!.position;
    const now = this.#arm.at(-1)!.position;
    return Math.max(...before.map((q, i) => Math.abs(now[i]! - q)));
  }

  *#pairs(since: number): Generator<readonly [Moment, Moment]> {
    for (let k = 1; k < this.#arm.length; k++)
      if (this.#arm[k]!.time > since) yield [this.#arm[k - 1]!, this.#arm[k]!];
  }

  /** The largest speed of the last sample, rad/s. */
  get speed(): number {
    return this.#arm.at(-1)?.speed ?? 0;
  }

  /** Whether /diagnostics told of it since `begin`. */
  heard(pattern: RegExp): boolean {
    return this.#messages.some(({ message, verdict }) => pattern.test(message) || pattern.test(verdict));
  }

  /** From here on another test: nothing is tampered with, told or held against anyone. */
  begin(): void {
    this.audit = new TrajectoryAudit(this.#names, this.#limits);
    this.#messages.length = 0;
    this.honest();
  }

  honest(): void {
    this.tamper = honest;
  }

  #joints(message: JointMessage): void {
    const stamp = message.header['stamp'] as { readonly sec: number; readonly nanosec: number };
    let speed = 0;
    for (const v of message.velocity) speed = Math.max(speed, Math.abs(v));
    const position = Float64Array.from(this.#names, (name) => message.position[message.name.indexOf(name)]!);
    this.#arm.push({ time: stamp.sec - origin + stamp.nanosec / 1e9, speed, position });
    if (this.#arm.length > 8000) this.#arm.splice(0, 4000);
    this.newest = message;
    this.states++;
    for (const one of this.tamper(message, this.states)) {
      if (!Array.isArray(one)) this.#relay.write(jointState.encode(one as JointMessage));
      else this.#later(one[0] as number, one[1] as JointMessage);
    }
  }

  #later(ms: number, message: JointMessage): void {
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#relay.write(jointState.encode(message));
    }, ms);
    this.#delayed.add(timer);
  }

  #command(message: Message, arrived: number): void {
    const seconds = ({ sec, nanosec }: { sec: number; nanosec: number }, from = 0): number =>
      sec - from + nanosec / 1e9;
    const points = (message['points'] as Record<string, unknown>[]).map(
      (point): Node => ({
        time: seconds(point['time_from_start'] as { sec: number; nanosec: number }),
        position: point['positions'] as Float64Array,
        velocity: point['velocities'] as Float64Array,
        acceleration: point['accelerations'] as Float64Array,
      }),
    );
    const stamp = (message['header'] as Message)['stamp'] as { sec: number; nanosec: number };
    const names = message['joint_names'] as string[];
    this.audit.add({ names, start: seconds(stamp, origin), arrived, points });
  }

  #diagnose(message: Message): void {
    for (const status of message['status'] as Message[]) {
      const values = Object.fromEntries(
        (status['values'] as { key: string; value: string }[]).map(({ key, value }) => [key, value]),
      );
      this.health = { level: status['level'] as number, message: String(status['message']), values };
      this.#messages.push({ message: this.health.message, verdict: values['verdict'] ?? '' });
    }
  }

  /** @param system nanoseconds of the system's clock */
  #monotonicMs(system: bigint): number {
    const stamp = { sec: Number(system / 1_000_000_000n), nanosec: Number(system % 1_000_000_000n) };
    return 1000 * this.#clock.fromStamp(stamp)!;
  }

  #moveTarget(frame: string): void {
    const turn = (2 * Math.PI * (performance.now() - this.#begins)) / TURN_MS;
    const position = { x: 0.45 + 0.08 * Math.cos(turn), y: 0.12 * Math.sin(turn), z: 0.25 };
    const header = { stamp: timeOf(performance.timeOrigin + performance.now()), frame_id: frame };
    const orientation = { x: 0, y: 0, z: 0, w: 1 };
    this.#target.write(pose.encode({ header, pose: { position, orientation } }));
  }

  async #call(name: string, type: string, request: Message, timeoutMs: number): Promise<Message> {
    let client = this.#clients.get(name);
    if (!client) {
      client = this.transport.client(name, type);
      this.#clients.set(name, client);
    }
    const bytes = standardCodec(`${type}_Request`).encode(request);
    return standardCodec(`${type}_Response`).decode(await client.call(bytes, timeoutMs));
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
