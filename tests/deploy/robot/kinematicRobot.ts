import { timeOf } from '#deploy/robot/stamp';
import type { JointTrajectoryMessage } from '#deploy/sim/jointTrajectory';
import { type ArmState, JointTrajectoryController } from '#deploy/sim/jointTrajectoryController';
import type { ResolvedTask } from '#spec/resolved';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import {
  commandQuality,
  type Endpoint,
  type Publisher,
  type RobotTransport,
  sensorQuality,
} from '#transport/robotTransport';
import { until } from '../../transport/loopback.js';

const jointState = standardCodec('sensor_msgs/msg/JointState');
const transforms = standardCodec('tf2_msgs/msg/TFMessage');
const trajectory = standardCodec('trajectory_msgs/msg/JointTrajectory');

export interface KinematicOptions {
  /** Milliseconds between joint states. */
  readonly every?: number;
  /** Changes what is sent; undefined: nothing is. */
  readonly spoil?: (message: JointMessage) => JointMessage | undefined;
}

export interface JointMessage {
  readonly header: Message;
  readonly name: readonly string[];
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly effort: readonly number[];
}

/** An arm without physics behind topics of ROS 2: it is where its joint trajectory controller says. */
export class KinematicRobot {
  readonly names: readonly string[];
  readonly controller: JointTrajectoryController;
  /** Trajectories that were taken on, and what was refused. */
  taken = 0;
  readonly refusals: string[] = [];
  /** Where it was at each tick: seconds, positions. */
  readonly path: { readonly time: number; readonly position: Float64Array }[] = [];
  spoil: KinematicOptions['spoil'];
  /** Poses of bodies in the base frame by name. */
  readonly bodies: Record<string, readonly [number, number, number]>;
  readonly #endpoints: Endpoint[] = [];
  readonly #states: Publisher;
  readonly #frames: Publisher;
  readonly #timer: NodeJS.Timeout;
  readonly #baseFrame: string;

  constructor(
    transport: RobotTransport,
    task: ResolvedTask,
    bodies: Record<string, readonly [number, number, number]>,
    { every = 10, spoil }: KinematicOptions = {},
  ) {
    const { arm, spec } = task.robot;
    this.names = spec.ros.joint_names!;
    this.bodies = { ...bodies };
    this.spoil = spoil;
    this.#baseFrame = spec.ros.base_frame!;
    const free = arm.home.map(() => 0);
    this.controller = new JointTrajectoryController(
      {
        joints: this.names,
        allowPartialJoints: false,
        allowNonzeroFinalVelocity: false,
        interpolateFromDesiredState: true,
        commandTimeout: 0,
        goalTime: 0,
        stoppedVelocity: 0.01,
        pathTolerance: free,
        goalTolerance: free,
      },
      arm.home,
    );
    this.#states = transport.publisher('/joint_states', jointState.type, sensorQuality);
    this.#frames = transport.publisher('/tf', transforms.type, sensorQuality);
    const topic = `/${spec.ros.controller}/joint_trajectory`;
    this.#endpoints.push(
      this.#states,
      this.#frames,
      transport.subscriber(topic, trajectory.type, commandQuality, ({ bytes }) =>
        this.#take(trajectory.decode(bytes)),
      ),
    );
    this.#timer = setInterval(() => this.#tick(), every);
  }

  /** Largest speed of any joint over the last `ms`, rad/s. */
  speed(ms: number): number {
    const since = now() - ms / 1000;
    const recent = this.path.filter(({ time }) => time >= since);
    let most = 0;
    for (let t = 1; t < recent.length; t++) {
      const [a, b] = [recent[t - 1]!, recent[t]!];
      const h = b.time - a.time;
      if (h < 0.002) continue;
      for (const [i, q] of b.position.entries()) most = Math.max(most, Math.abs(q - a.position[i]!) / h);
    }
    return most;
  }

  /** Seconds from now to its last motion, by its own clock; waits until it rested for 60 ms of it. */
  async rests(): Promise<number> {
    const since = now();
    const last = (): number => {
      const k = this.path.findLastIndex(
        ({ position }, i) => i > 0 && position.some((q, j) => q !== this.path[i - 1]!.position[j]),
      );
      return Math.max(since, this.path[k]?.time ?? 0);
    };
    await until('the arm to rest', () => (this.path.at(-1)?.time ?? 0) > last() + 0.06);
    return last() - since;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #take(message: Message): void {
    const { sec, nanosec } = (message['header'] as Message)['stamp'] as { sec: number; nanosec: number };
    const start = sec + nanosec / 1e9;
    const refusal = this.controller.accept(
      message as unknown as JointTrajectoryMessage,
      start === 0 ? undefined : start,
      now(),
      this.#state(),
    );
    if (refusal) this.refusals.push(refusal.text);
    else this.taken++;
  }

  #state(): ArmState {
    return this.controller.desired;
  }

  #tick(): void {
    const time = now();
    this.controller.update(time, this.#state());
    const { position, velocity } = this.controller.desired;
    this.path.push({ time, position: position.slice() });
    const stamp = timeOf(1000 * time);
    const message: JointMessage = {
      header: { stamp, frame_id: '' },
      name: this.names,
      position,
      velocity,
      effort: [],
    };
    const sent = this.spoil ? this.spoil(message) : message;
    if (sent) this.#states.write(jointState.encode(sent));
    const rotation = { x: 0, y: 0, z: 0, w: 1 };
    const all = Object.entries(this.bodies).map(([child_frame_id, [x, y, z]]) => ({
      header: { stamp, frame_id: this.#baseFrame },
      child_frame_id,
      transform: { translation: { x, y, z }, rotation },
    }));
    this.#frames.write(transforms.encode({ transforms: all }));
  }
}

/** Seconds since 1970. */
function now(): number {
  return (performance.timeOrigin + performance.now()) / 1000;
}
