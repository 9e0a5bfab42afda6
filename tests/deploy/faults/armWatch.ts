import type { ResolvedTask } from '#spec/resolved';
import { standardCodec } from '#transport/messages';
import { commandQuality, type RobotTransport } from '#transport/robotTransport';
import { until } from '../../transport/loopback.js';

interface JointStates {
  readonly name: readonly string[];
  readonly position: Float64Array;
  readonly velocity: Float64Array;
}

/** rad/s below which a joint counts as at rest. */
const REST = 0.02;

/** Watches an arm from outside, by its joint states. */
export class ArmWatch {
  /** Messages so far. */
  seen = 0;
  position = new Float64Array(0);
  velocity = new Float64Array(0);
  /** Largest share of the limit of velocity that any joint had, and how far any was outside its range. */
  fastest = 0;
  outside = 0;
  #restsSince: number | undefined;

  constructor(transport: RobotTransport, task: ResolvedTask) {
    const codec = standardCodec('sensor_msgs/msg/JointState');
    const joints = task.robot.spec.ros.joint_names!;
    const quality = { ...commandQuality, depth: 100 };
    transport.subscriber('/joint_states', 'sensor_msgs/msg/JointState', quality, ({ bytes }) => {
      const { name, position, velocity } = codec.decode(bytes) as unknown as JointStates;
      const order = joints.map((joint) => name.indexOf(joint));
      this.position = Float64Array.from(order, (at) => position[at]!);
      this.velocity = Float64Array.from(order, (at) => velocity[at]!);
      this.seen++;
      task.robot.arm.limits.forEach((limits, i) => {
        const [lo, hi] = limits.position!;
        const q = this.position[i]!;
        this.fastest = Math.max(this.fastest, Math.abs(this.velocity[i]!) / limits.velocity!);
        this.outside = Math.max(this.outside, lo - q, q - hi);
      });
      const rests = this.velocity.every((v) => Math.abs(v) < REST);
      this.#restsSince = rests ? (this.#restsSince ?? Date.now() / 1000) : undefined;
    });
  }

  /** Resolves once it moves. */
  async moves(timeoutMs = 20_000): Promise<void> {
    await until('the arm to move', () => this.velocity.some((v) => Math.abs(v) > 0.15), timeoutMs);
  }

  /** Resolves to when it came to rest for half a second, in seconds since 1970. */
  async rested(timeoutMs = 5000): Promise<number> {
    const isLong = () => this.#restsSince !== undefined && Date.now() / 1000 - this.#restsSince > 0.5;
    await until('the arm to rest', isLong, timeoutMs);
    return this.#restsSince!;
  }
}
