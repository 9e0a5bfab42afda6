import { ClockDifference } from '#deploy/robot/clockDifference';
import type { Deployment } from '#deploy/robot/deployment';
import { Frames } from '#deploy/robot/frames';
import { composed, type Pose, poseOf } from '#deploy/robot/pose';
import { SampleClock } from '#deploy/robot/sampleClock';
import type { SharedBoard } from '#deploy/robot/sharedBoard';
import { stampMs } from '#deploy/robot/stamp';
import type { MessageCodec } from '#transport/cdr';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';

/** Why a joint state was not taken: written on the board as its index, 0 is none. */
export const invalidReasons = ['none', 'observation_not_finite', 'observation_incomplete'] as const;

/** Where things lie on the board of inputs: [invalid, joints x (taken, position, velocity), bodies x (taken, pose)]. Times
 * are milliseconds on the monotonic clock, NaN before the first sample; poses are in the base frame. */
export const boardLayout = {
  invalid: 0,
  joint: (k: number): number => 1 + 3 * k,
  body: (joints: number, k: number): number => 1 + 3 * joints + 8 * k,
  length: (joints: number, bodies: number): number => 1 + 3 * joints + 8 * bodies,
} as const;

export function inputLength({ joints, bodies }: Pick<Deployment, 'joints' | 'bodies'>): number {
  return boardLayout.length(joints.length, bodies.length);
}

/** Reads what a robot says, and keeps the newest of it on a board. Joints are matched by name, in any order, in one message
 * or several; what is not finite, incomplete, older than what is there or repeated is counted and not taken. */
export class Inputs {
  readonly #deployment: Deployment;
  readonly #board: SharedBoard;
  readonly #values: Float64Array;
  readonly #joints: ReadonlyMap<string, number>;
  readonly #clocks: readonly SampleClock[];
  readonly #poseClocks: readonly SampleClock[];
  readonly #frames = new Frames();
  readonly #rejected = new Map<string, number>();
  #received = 0;
  readonly #clockDifference = new ClockDifference();
  #seenNames: readonly string[] = [];
  readonly #jointCodec = standardCodec('sensor_msgs/msg/JointState');
  readonly #poseCodec = standardCodec('geometry_msgs/msg/PoseStamped');
  readonly #frameCodec = standardCodec('tf2_msgs/msg/TFMessage');

  constructor(deployment: Deployment, board: SharedBoard) {
    const { joints, bodies } = deployment;
    this.#deployment = deployment;
    this.#board = board;
    this.#values = new Float64Array(inputLength(deployment)).fill(Number.NaN);
    this.#values[boardLayout.invalid] = 0;
    this.#joints = new Map(joints.map(({ rosName }, k) => [rosName, k]));
    this.#clocks = joints.map(() => new SampleClock());
    this.#poseClocks = bodies.map(() => new SampleClock());
    for (const [k, { source }] of bodies.entries()) {
      if ('position' in source)
        this.#setBody(k, Float64Array.of(...source.position, ...source.rotation), Number.POSITIVE_INFINITY);
    }
    this.#board.write(this.#values);
  }

  /** Messages of joint states so far. */
  get received(): number {
    return this.#received;
  }

  /** What was not taken, by reason. */
  get rejected(): Readonly<Record<string, number>> {
    const late =
      this.#frames.outOfOrder + this.#poseClocks.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0);
    const all: Record<string, number> = { ...Object.fromEntries(this.#rejected) };
    if (late > 0) all['pose out of order'] = late;
    if (this.#frames.malformed > 0) all['transform is no pose'] = this.#frames.malformed;
    return all;
  }

  /** Milliseconds by which the sender's clock is behind this machine's, by the quickest joint state of the last second or
   * two; undefined where they have no stamps. */
  get clockDifference(): number | undefined {
    return this.#clockDifference.value;
  }

  /** Names of what has not come since a time, with what came in its place. @param since milliseconds, monotonic */
  missing(since = 0): string[] {
    const { joints, bodies, jointStates } = this.#deployment;
    const isMissing = (taken: number): boolean => !(taken >= since);
    const absent = joints.filter((_, k) => isMissing(this.#values[boardLayout.joint(k)]!));
    const out: string[] = [];
    if (this.#received === 0 || absent.length === joints.length) out.push(`no joint state on ${jointStates}`);
    else if (absent.length > 0) {
      const wanted = absent.map(({ rosName }) => rosName).join(', ');
      out.push(`${jointStates} has no ${wanted} (it has ${this.#seenNames.join(', ') || 'no names'})`);
    }
    for (const [k, { name, source }] of bodies.entries()) {
      const at = boardLayout.body(joints.length, k);
      if ('attached_to' in source || !isMissing(this.#values[at]!)) continue;
      const where = 'topic' in source ? source.topic : 'frame' in source ? `TF frame ${source.frame}` : '';
      out.push(`no pose of ${name} from ${where}`);
    }
    return out;
  }

  /** sensor_msgs/JointState. @param received milliseconds, monotonic */
  jointState(bytes: Uint8Array, received: number): void {
    const message = this.#decoded(this.#jointCodec, bytes);
    if (!message) return;
    const names = message['name'] as string[];
    const position = message['position'] as Float64Array;
    const velocity = message['velocity'] as Float64Array;
    this.#received++;
    this.#seenNames = names;
    const hasVelocity = velocity.length > 0;
    if (position.length !== names.length || (hasVelocity && velocity.length !== names.length)) {
      this.#refuse('joint state: lengths differ', 2);
      return;
    }
    const stamp = stampMs(message['header'] as Message);
    if (stamp !== undefined) this.#clockDifference.note(Date.now() - stamp, received);
    let finite = true;
    let late = false;
    for (const [i, name] of names.entries()) {
      const k = this.#joints.get(name);
      if (k === undefined) continue;
      const q = position[i]!;
      const v = hasVelocity ? velocity[i]! : undefined;
      if (!Number.isFinite(q) || (v !== undefined && !Number.isFinite(v))) finite = false;
      else if (names.indexOf(name) !== i) this.#count('joint state: a name twice');
      else {
        const taken = this.#clocks[k]!.taken(stamp, received);
        if (taken === undefined) late = true;
        else this.#setJoint(k, taken, q, v);
      }
    }
    if (late) this.#count('joint state: out of order');
    if (!finite) this.#refuse('joint state: not finite', 1);
    else {
      this.#values[boardLayout.invalid] = 0;
      this.#board.write(this.#values);
    }
  }

  /** geometry_msgs/PoseStamped of the body with this index in the deployment. */
  pose(k: number, bytes: Uint8Array, received: number): void {
    const message = this.#decoded(this.#poseCodec, bytes);
    if (!message) return;
    const head = message['header'] as Message;
    const { position, orientation } = message['pose'] as Record<string, Message>;
    const pose = poseOf(position!, orientation!);
    if (!pose) {
      this.#count('pose: not finite');
      return;
    }
    const frame = String(head['frame_id']).replace(/^\//, '');
    const { baseFrame } = this.#deployment;
    const place = frame === '' || frame === baseFrame ? undefined : this.#frames.lookUp(baseFrame, frame);
    if (!place && frame !== '' && frame !== baseFrame) {
      this.#count(`pose: no transform from ${frame} to ${baseFrame}`);
      return;
    }
    const taken = this.#poseClocks[k]!.taken(stampMs(head), received);
    if (taken === undefined) return;
    this.#setBody(k, place ? composed(place.pose, pose) : pose, Math.min(taken, place?.taken ?? taken));
    this.#board.write(this.#values);
  }

  /** tf2_msgs/TFMessage. */
  transforms(bytes: Uint8Array, isStatic: boolean, received: number): void {
    const message = this.#decoded(this.#frameCodec, bytes);
    if (!message) return;
    this.#frames.take(message, isStatic, received);
    for (const [k, { source }] of this.#deployment.bodies.entries()) {
      if (!('frame' in source)) continue;
      const found = this.#frames.lookUp(this.#deployment.baseFrame, source.frame);
      if (found) this.#setBody(k, found.pose, found.taken);
    }
    this.#board.write(this.#values);
  }

  #decoded(codec: MessageCodec, bytes: Uint8Array): Message | undefined {
    try {
      return codec.decodeBorrow(bytes);
    } catch {
      this.#count(`${codec.type}: no such message`);
      return undefined;
    }
  }

  #setJoint(k: number, taken: number, position: number, velocity: number | undefined): void {
    const at = boardLayout.joint(k);
    const elapsed = (taken - this.#values[at]!) / 1000;
    const change = (position - this.#values[at + 1]!) / elapsed;
    this.#values[at] = taken;
    this.#values[at + 1] = position;
    this.#values[at + 2] = velocity ?? (Number.isFinite(change) ? change : 0);
  }

  #setBody(k: number, pose: Pose, taken: number): void {
    const at = boardLayout.body(this.#deployment.joints.length, k);
    this.#values[at] = taken;
    this.#values.set(pose, at + 1);
  }

  /** Counts a joint state that is not taken, and says so on the board until a good one comes. */
  #refuse(reason: string, code: 1 | 2): void {
    this.#count(reason);
    this.#values[boardLayout.invalid] = code;
    this.#board.write(this.#values);
  }

  #count(reason: string): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }
}
