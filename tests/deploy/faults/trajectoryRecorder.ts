import type { ResolvedTask } from '#spec/resolved';
import { standardCodec } from '#transport/messages';
import type { RobotTransport } from '#transport/robotTransport';
import { quintic } from '../safety/quintic.js';

const TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory';

interface Stamp {
  readonly sec: number;
  readonly nanosec: number;
}

interface TrajectoryMessage {
  readonly header: { readonly stamp: Stamp };
  readonly joint_names: readonly string[];
  readonly points: readonly {
    readonly positions: Float64Array;
    readonly velocities: Float64Array;
    readonly accelerations: Float64Array;
    readonly time_from_start: Stamp;
  }[];
}

const secondsOf = ({ sec, nanosec }: Stamp): number => sec + 1e-9 * nanosec;

/** Listens to every trajectory that an arm is sent and checks it on its own, by the robot file: joints, ranges, speeds,
 * accelerations and jerks all along the splines between the points, rest at the end. */
export class TrajectoryRecorder {
  messages = 0;
  readonly faults: string[] = [];
  /** The largest share of a limit that was used. */
  readonly worst = { velocity: 0, acceleration: 0, jerk: 0 };
  /** Seconds since 1970: when the arm rests by the last message, and when that came. */
  restsAt = 0;
  lastAt = 0;
  readonly #task: ResolvedTask;

  constructor(transport: RobotTransport, task: ResolvedTask) {
    this.#task = task;
    const codec = standardCodec(TRAJECTORY);
    transport.subscriber(
      `/${task.robot.spec.ros.controller}/joint_trajectory`,
      TRAJECTORY,
      { reliability: 'reliable', durability: 'volatile', depth: 1000 },
      ({ bytes }) => this.#check(codec.decode(bytes) as unknown as TrajectoryMessage),
    );
  }

  #check({ header, joint_names, points }: TrajectoryMessage): void {
    const { arm, spec } = this.#task.robot;
    this.messages++;
    const fault = (text: string) => this.faults.push(`message ${this.messages}: ${text}`);
    if (joint_names.join() !== spec.ros.joint_names!.join()) fault(`joints ${joint_names.join()}`);
    const last = points.at(-1)!;
    this.lastAt = Date.now() / 1000;
    this.restsAt = secondsOf(header.stamp) + secondsOf(last.time_from_start);
    if ([...last.velocities, ...last.accelerations].some((x) => x !== 0)) fault('it does not end at rest');
    for (const [i, limits] of arm.limits.entries()) {
      const [lo, hi] = limits.position!;
      points.forEach((point, k) => {
        const q = point.positions[i]!;
        if (!(q >= lo && q <= hi)) fault(`${arm.names[i]} at ${q} in point ${k}`);
        const before = points[k - 1];
        if (!before) return;
        const row = (p: typeof point) =>
          [secondsOf(p.time_from_start), p.positions[i]!, p.velocities[i]!, p.accelerations[i]!] as const;
        for (const share of [0, 0.25, 0.5, 0.75, 1]) {
          const [, v, a, j] = quintic(row(before), row(point), share);
          this.#use('velocity', Math.abs(v) / limits.velocity!, fault);
          this.#use('acceleration', Math.abs(a) / limits.acceleration!, fault);
          this.#use('jerk', Math.abs(j) / limits.jerk!, fault);
        }
      });
    }
  }

  #use(what: 'velocity' | 'acceleration' | 'jerk', share: number, fault: (text: string) => void): void {
    this.worst[what] = Math.max(this.worst[what], share);
    // Times are whole nanoseconds on the wire: a jerk over 2 ms is known to a thousandth.
    if (!(share <= 1.005)) fault(`${share.toFixed(4)} of the ${what}`);
  }
}
