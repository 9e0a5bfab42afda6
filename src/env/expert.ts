import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import type { VectorEnv } from '#env/vectorEnv';
import type { Slot } from '#expr/program';
import type { ExpertWaypoint, ResolvedExpert, ResolvedTask } from '#spec/resolved';

/** Philox stream of the action noise; the physics backends use 0x10000 to 0x30000. */
const NOISE_STREAM = 0x40000;
/** Largest rotation that the log of a quaternion is taken of without care for its axis. */
const TINY = 1e-9;

type Vector = readonly [number, number, number];

export interface ExpertOptions {
  /** Standard deviation of the action noise, in action units; the task's when left out. */
  readonly noise?: number;
}

/** The way-points of a task file as a policy: each environment runs through them in order, and starts again with
 * each episode. Their expressions are evaluated natively; this reads the results from `env.expert`.
 *
 * action = clip(gain * (target - here) / what |a| = 1 moves, speed) + noise. Frame targets are in world axes, actions
 * in those of the robot's base. */
export class Expert {
  readonly #task: ResolvedTask;
  readonly #expert: ResolvedExpert;
  readonly #env: VectorEnv;
  readonly #seed: number;
  readonly #noise: number;
  /** Per environment: present way-point, control steps in it, and the episode they belong to. */
  readonly #waypoint: Int32Array;
  readonly #since: Int32Array;
  readonly #lastStep: Float64Array;

  /** @throws SPEC when the task has no expert, or its way-points do not fit the control mode */
  constructor(task: ResolvedTask, env: VectorEnv, seed: number, options: ExpertOptions = {}) {
    if (!task.expert) throw new VernierError('SPEC', `${task.file}: the task has no expert`);
    this.#task = task;
    this.#expert = task.expert;
    this.#env = env;
    this.#seed = seed >>> 0;
    this.#noise = options.noise ?? task.expert.noise;
    this.#waypoint = new Int32Array(env.B);
    this.#since = new Int32Array(env.B);
    this.#lastStep = new Float64Array(env.B).fill(-1);
    requireFit(task, task.expert);
  }

  /** Everything it remembers, live. */
  get state(): Readonly<Record<string, Int32Array | Float64Array>> {
    return { waypoint: this.#waypoint, since: this.#since, lastStep: this.#lastStep };
  }

  /** Back to the first way-point, where `mask` is nonzero or everywhere. A new episode does it by itself. */
  reset(mask?: Uint8Array): void {
    for (let i = 0; i < this.#env.B; i++) if (!mask || mask[i]) this.#restart(i);
  }

  /** The way-point that environment i is at. */
  waypoint(i: number): string {
    return this.#expert.waypoints[this.#waypoint[i]!]!.name;
  }

  /** Actions for the present state of every active environment.
   * @shape outAction [B,A] */
  act(outAction: Float32Array): void {
    const { B, A } = this.#env;
    for (let i = 0; i < B; i++) {
      if (this.#env.active[i] === 0) continue;
      this.#advance(i);
      const out = outAction.subarray(i * A, (i + 1) * A);
      this.#aim(i, out);
      this.#disturb(i, out);
    }
  }

  #restart(i: number): void {
    this.#waypoint[i] = 0;
    this.#since[i] = 0;
    this.#lastStep[i] = this.#env.steps[i]!;
  }

  #advance(i: number): void {
    const step = this.#env.steps[i]!;
    if (step === 0 || step < this.#lastStep[i]!) {
      this.#restart(i);
      return;
    }
    this.#since[i]! += step - this.#lastStep[i]!;
    this.#lastStep[i] = step;
    const { waypoints } = this.#expert;
    for (let passed = 0; passed < waypoints.length; passed++) {
      const waypoint = waypoints[this.#waypoint[i]!]!;
      const since = this.#since[i]!;
      const reached = since >= waypoint.hold && this.#read(i, waypoint.until)[0] !== 0;
      if (!reached && since < waypoint.timeout) return;
      if (this.#waypoint[i] === waypoints.length - 1) return;
      this.#waypoint[i]!++;
      this.#since[i] = 0;
    }
  }

  #aim(i: number, out: Float32Array): void {
    const waypoint = this.#expert.waypoints[this.#waypoint[i]!]!;
    const { control } = this.#task;
    out.fill(0);
    if (control.mode === 'end_effector_delta') this.#aimFrame(i, waypoint, out);
    else this.#aimJoints(i, waypoint, out);
    const arm = control.gripper ? out.length - 1 : out.length;
    if (control.mode !== 'joint_position') {
      for (let k = 0; k < arm; k++) {
        out[k] = clip(this.#expert.gain * out[k]!, waypoint.speed);
      }
    }
    if (control.gripper) out[arm] = waypoint.gripper;
  }

  /** Share of the full-scale motion along each axis. */
  #aimFrame(i: number, waypoint: ExpertWaypoint, out: Float32Array): void {
    const { control } = this.#task;
    const shift = this.#toBase(i, this.#shift(i, waypoint));
    const turn = this.#toBase(i, this.#turn(i, waypoint));
    for (let k = 0; k < control.axes.length; k++) {
      const axis = ['x', 'y', 'z', 'roll', 'pitch', 'yaw'].indexOf(control.axes[k]!);
      out[k] = axis < 3 ? shift[axis]! / control.translation : turn[axis - 3]! / control.rotation;
    }
  }

  /** From the present position to the way-point's, in world axes. */
  #shift(i: number, waypoint: ExpertWaypoint): Vector {
    const { position } = this.#expert.state;
    if (!waypoint.position || !position) return [0, 0, 0];
    const target = this.#read(i, waypoint.position);
    const here = this.#read(i, position);
    return [target[0]! - here[0]!, target[1]! - here[1]!, target[2]! - here[2]!];
  }

  /** Rotation vector from the present orientation to the way-point's, in world axes. */
  #turn(i: number, waypoint: ExpertWaypoint): Vector {
    const { state } = this.#expert;
    if (waypoint.yaw && state.yaw) {
      const difference = this.#read(i, waypoint.yaw)[0]! - this.#read(i, state.yaw)[0]!;
      return [0, 0, Math.atan2(Math.sin(difference), Math.cos(difference))];
    }
    if (waypoint.quaternion && state.quaternion) {
      return rotationVector(this.#read(i, waypoint.quaternion), this.#read(i, state.quaternion));
    }
    return [0, 0, 0];
  }

  /** A vector in world axes along those of the robot's base. */
  #toBase(i: number, v: Vector): Vector {
    const { base } = this.#expert.state;
    return base ? rotateBack(v, this.#read(i, base)) : v;
  }

  #aimJoints(i: number, waypoint: ExpertWaypoint, out: Float32Array): void {
    const { control, robot } = this.#task;
    const here = this.#read(i, this.#expert.state.joints);
    const target = waypoint.joints ? this.#read(i, waypoint.joints) : here;
    for (let k = 0; k < here.length; k++) {
      const limits = robot.arm.limits[k]!;
      const difference = target[k]! - here[k]!;
      if (control.mode === 'joint_position') {
        const [lo, hi] = limits.position ?? [-Math.PI, Math.PI];
        const aim = here[k]! + this.#expert.gain * difference;
        out[k] = clip((2 * (aim - lo)) / (hi - lo) - 1, 1);
      } else if (control.dynamics?.kind === 'linear') {
        out[k] = difference / (control.period * control.dynamics.speed[k]!);
      } else if (control.mode === 'joint_velocity') {
        out[k] = difference / (control.period * control.scale * (limits.velocity ?? 1));
      } else {
        out[k] = difference / control.delta;
      }
    }
  }

  /** The noise spares the gripper, whose entry is a switch. */
  #disturb(i: number, out: Float32Array): void {
    if (this.#noise === 0) return;
    const { steps, episode } = this.#env;
    const stream = new PhiloxStream(this.#seed, NOISE_STREAM, i, episode[i]!);
    stream.seek(2 * out.length * steps[i]!);
    const arm = this.#task.control.gripper ? out.length - 1 : out.length;
    for (let k = 0; k < arm; k++) out[k] = clip(out[k]! + this.#noise * stream.normal(), 1);
  }

  #read(i: number, slot: Slot): Float64Array {
    const start = i * this.#env.expertLength + slot.offset;
    return this.#env.expert.subarray(start, start + slot.length);
  }
}

function requireFit(task: ResolvedTask, expert: ResolvedExpert): void {
  const { mode, dynamics } = task.control;
  if (mode === 'torque' || (dynamics && dynamics.kind !== 'linear')) {
    const what = dynamics ? `${dynamics.kind} dynamics` : 'the torque mode';
    throw new VernierError('SPEC', `${task.file}: way-points cannot drive ${what}`, {
      hint: 'give the task another control mode, or demonstrations from a file',
    });
  }
  for (const { name, joints, position } of expert.waypoints) {
    const wrong = mode === 'end_effector_delta' ? joints : position;
    if (!wrong) continue;
    const expected = mode === 'end_effector_delta' ? 'position' : 'joints';
    throw new VernierError('SPEC', `${task.file}: way-point ${name}: the mode ${mode} takes ${expected}`);
  }
}

function clip(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}

/** Rotation vector that takes `from` to `to`, the short way, in world axes. */
function rotationVector(to: ArrayLike<number>, from: ArrayLike<number>): Vector {
  const [tw, tx, ty, tz] = [to[0]!, to[1]!, to[2]!, to[3]!];
  const [fw, fx, fy, fz] = [from[0]!, -from[1]!, -from[2]!, -from[3]!];
  const w = tw * fw - tx * fx - ty * fy - tz * fz;
  const v: Vector = [
    tw * fx + tx * fw + ty * fz - tz * fy,
    tw * fy - tx * fz + ty * fw + tz * fx,
    tw * fz + tx * fy - ty * fx + tz * fw,
  ];
  const sine = Math.hypot(...v);
  const sign = w < 0 ? -1 : 1;
  const scale = sine < TINY ? 2 : (2 * Math.atan2(sine, sign * w)) / sine;
  return [sign * scale * v[0], sign * scale * v[1], sign * scale * v[2]];
}

/** v seen from a frame that stands in the world as `q` says: the inverse rotation. */
function rotateBack([a, b, c]: Vector, q: ArrayLike<number>): Vector {
  const [w, x, y, z] = [q[0]!, -q[1]!, -q[2]!, -q[3]!];
  const [tx, ty, tz] = [w * a + y * c - z * b, w * b + z * a - x * c, w * c + x * b - y * a];
  return [a + 2 * (y * tz - z * ty), b + 2 * (z * tx - x * tz), c + 2 * (x * ty - y * tx)];
}
