import type { SimWorld } from '#deploy/sim/simWorld';
import type { SimClock } from '#deploy/sim/systemClock';
import { conjugate, multiplyQuat, rotate } from '#native/wasm/quaternion';
import type { ResolvedTask } from '#spec/resolved';
import { standardCodec } from '#transport/messages';
import { commandQuality, type Publisher, type Quality, type RobotTransport } from '#transport/robotTransport';

/** What a sim robot tells all the time: joint states, and where the task's movable bodies are, in the base's frame. */

const FREE = 0;
const BALL = 1;
const POSE = 'geometry_msgs/msg/PoseStamped';
const FRAMES = 'tf2_msgs/msg/TFMessage';
const STATES = 'sensor_msgs/msg/JointState';
/** Listeners of tf want it reliable. */
const frameQuality: Quality = { ...commandQuality, depth: 10 };

/** Joints of /joint_states, by their names on the wire: the arm's, the gripper's, then those of the scene. */
export interface ToldJoint {
  readonly name: string;
  readonly qpos: number;
  readonly dof: number;
  /** Actuator whose force is the joint's effort, or -1. */
  readonly actuator: number;
}

export function toldJoints({ names, robot }: ResolvedTask): readonly ToldJoint[] {
  const { ros } = robot.spec;
  const told = new Map<number, string>();
  for (const [i, id] of robot.arm.joints.entries()) told.set(id, ros.joint_names?.[i] ?? names.joint[id]!);
  const fingers = robot.gripper?.joints ?? [];
  for (const [i, id] of fingers.entries()) told.set(id, ros.gripper?.joint_names?.[i] ?? names.joint[id]!);
  for (const [id, name] of names.joint.entries()) {
    const scalar = names.jointType[id] !== FREE && names.jointType[id] !== BALL;
    if (scalar && name !== '' && !told.has(id)) told.set(id, name);
  }
  return [...told].map(([id, name]) => ({
    name,
    qpos: names.jointQposAddress[id]!,
    dof: names.jointDofAddress[id]!,
    actuator: robot.arm.actuators[robot.arm.joints.indexOf(id)] ?? -1,
  }));
}

export interface ToldBody {
  readonly id: number;
  readonly name: string;
}

/** Bodies that can be anywhere at the start of an episode or after: free ones, and those that the task places. */
export function toldBodies({ names, randomize }: ResolvedTask): readonly ToldBody[] {
  const free = names.jointType.flatMap((type, id) => (type === FREE ? [names.jointBody[id]!] : []));
  const placed = randomize.flatMap((entry) => (entry.kind === 'pose' ? [entry.body] : []));
  return [...new Set([...free, ...placed])]
    .sort((a, b) => a - b)
    .filter((id) => names.body[id] !== '')
    .map((id) => ({ id, name: names.body[id]! }));
}

/** Frame that poses are in: the robot's base. */
export function baseFrame({ names, robot }: ResolvedTask): string {
  return robot.spec.ros.base_frame ?? (names.body[robot.base] || 'world');
}

/** Position and orientation of a body in the frame of another.
 * @param outPose [7] position, then quaternion, w first */
export function relativePose(
  scene: { readonly position: Float64Array; readonly rotation: Float64Array },
  base: number,
  body: number,
  outPose: Float64Array,
): void {
  const inverse = new Float64Array(4);
  conjugate(inverse, scene.rotation.subarray(4 * base, 4 * base + 4));
  const offset = new Float64Array(3);
  for (let k = 0; k < 3; k++) offset[k] = scene.position[3 * body + k]! - scene.position[3 * base + k]!;
  rotate(offset, inverse);
  outPose.set(offset);
  const turn = new Float64Array(4);
  multiplyQuat(turn, inverse, scene.rotation.subarray(4 * body, 4 * body + 4));
  outPose.set(turn, 3);
}

export class SimSensors {
  readonly #world: SimWorld;
  readonly #clock: SimClock;
  readonly #joints: readonly ToldJoint[];
  readonly #bodies: readonly ToldBody[];
  readonly #frame: string;
  readonly #states: Publisher;
  readonly #frames: Publisher | undefined;
  readonly #poses: readonly Publisher[];
  readonly #stateCodec = standardCodec(STATES);
  readonly #frameCodec = standardCodec(FRAMES);
  readonly #poseCodec = standardCodec(POSE);
  readonly #pose = new Float64Array(7);

  constructor(world: SimWorld, transport: RobotTransport, clock: SimClock) {
    const { task } = world;
    this.#world = world;
    this.#clock = clock;
    this.#joints = toldJoints(task);
    this.#bodies = toldBodies(task);
    this.#frame = baseFrame(task);
    this.#states = transport.publisher(task.robot.spec.ros.joint_states, STATES, commandQuality);
    this.#frames = this.#bodies.length > 0 ? transport.publisher('/tf', FRAMES, frameQuality) : undefined;
    this.#poses = this.#bodies.map(({ name }) => transport.publisher(poseTopic(name), POSE, commandQuality));
  }

  /** Topics with what is on them, for people. */
  describe(): string {
    const poses = this.#bodies.map(({ name }) => name).join(', ');
    const states = `${this.#joints.length} joints on ${this.#world.task.robot.spec.ros.joint_states}`;
    return poses ? `${states}; ${poses} on /tf and /poses` : states;
  }

  /** Tells all of it, as of `now`. @throws BACKEND, TIMEOUT as write() */
  publish(now: number): void {
    const { scene } = this.#world;
    const stamp = this.#clock.toStamp(now);
    this.#states.write(
      this.#stateCodec.encode({
        header: { stamp, frame_id: '' },
        name: this.#joints.map(({ name }) => name),
        position: this.#joints.map(({ qpos }) => scene.qpos[qpos]!),
        velocity: this.#joints.map(({ dof }) => scene.qvel[dof]!),
        effort: this.#joints.map(({ actuator }) => (actuator < 0 ? 0 : scene.force[actuator]!)),
      }),
    );
    const header = { stamp, frame_id: this.#frame };
    const transforms = this.#bodies.map(({ id, name }, i) => {
      relativePose(scene, this.#world.task.robot.base, id, this.#pose);
      const [x, y, z, w, qx, qy, qz] = this.#pose;
      const orientation = { x: qx, y: qy, z: qz, w };
      this.#poses[i]!.write(this.#poseCodec.encode({ header, pose: { position: { x, y, z }, orientation } }));
      return { header, child_frame_id: name, transform: { translation: { x, y, z }, rotation: orientation } };
    });
    this.#frames?.write(this.#frameCodec.encode({ transforms }));
  }
}

/** `/poses/hole`; what no topic may have in its name becomes an underscore. */
export function poseTopic(body: string): string {
  return `/poses/${body.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^([0-9])/, '_$1')}`;
}
