import { VernierError } from '#core/errors';
import type { ArmSpec, EndEffectorSpec } from '#native/physicsSpec';
import {
  conjugate,
  fromRotationVector,
  matrixToQuat,
  multiplyQuat,
  rotate,
  toRotationVector,
} from '#native/wasm/quaternion';
import type { Simulation } from '#native/wasm/simulation';

const ITERATIONS = 3;
const CONVERGED = 1e-5;
const HINGE = 3;
const SLIDE = 2;
const FREE = 0;

/** A joint on the way from the world to the end effector; `arm` is its index in the arm, or -1. */
interface ChainJoint {
  readonly id: number;
  readonly type: number;
  readonly qpos: number;
  readonly arm: number;
}

interface Link {
  readonly body: number;
  readonly joints: readonly ChainJoint[];
}

/** Damped least-squares differential inverse kinematics, the twin of the same in native/physics/control.cc. */
export class InverseKinematics {
  readonly #end: EndEffectorSpec;
  readonly #arm: ArmSpec;
  readonly #sim: Simulation;
  readonly #joints: number;
  readonly #hinge: readonly boolean[];
  readonly #chain: readonly Link[];
  /** Arm joints that are part of the chain. */
  readonly #moving: readonly number[];
  readonly #listed: readonly boolean[];
  readonly #homePosition = new Float64Array(3);
  readonly #homeRotation = new Float64Array(4);

  #target: Float64Array = new Float64Array();
  readonly #axis: Float64Array;
  readonly #anchor: Float64Array;
  readonly #jacobian: Float64Array;
  readonly #shift: Float64Array;
  readonly #locked: Uint8Array;
  readonly #position = new Float64Array(3);
  readonly #rotation = new Float64Array(4);
  readonly #base = new Float64Array(4);
  readonly #goalPosition = new Float64Array(3);
  readonly #goalRotation = new Float64Array(4);
  readonly #error = new Float64Array(6);
  readonly #normal = new Float64Array(36);
  readonly #solution = new Float64Array(6);

  /** @throws PHYSICS if the base does not carry the end effector */
  constructor(end: EndEffectorSpec, arm: ArmSpec, sim: Simulation) {
    this.#end = end;
    this.#arm = arm;
    this.#sim = sim;
    const n = arm.joints.length;
    this.#joints = n;
    this.#hinge = arm.joints.map((id) => sim.jnt_type[id] === HINGE);
    this.#listed = [0, 1, 2, 3, 4, 5].map((axis) => end.axes.includes(axis));
    this.#chain = this.#buildChain(end);
    const carried = this.#chain.flatMap(({ joints }) => joints.map((joint) => joint.arm));
    this.#moving = carried.filter((index) => index >= 0);
    this.#axis = new Float64Array(3 * n);
    this.#anchor = new Float64Array(3 * n);
    this.#jacobian = new Float64Array(6 * n);
    this.#shift = new Float64Array(n);
    this.#locked = new Uint8Array(n);
  }

  /** Measures the rest pose that unlisted axes hold, with the data at home and its kinematics done. */
  rememberHome(): void {
    const { site } = this.#end;
    this.#homePosition.set(this.#sim.site_xpos.subarray(3 * site, 3 * site + 3));
    matrixToQuat(this.#homeRotation, this.#sim.site_xmat, 9 * site);
  }

  /** Moves the joint targets from where the arm shall start by what the action asks of the end effector. */
  solve(outTarget: Float64Array, action: Float32Array): void {
    const end = this.#end;
    this.#target = outTarget;
    this.#forwardKinematics(end);
    this.#targetPose(end, action);
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      if (iteration > 0) this.#forwardKinematics(end);
      const size = this.#poseError(end);
      if (iteration > 0 && size < CONVERGED) break;
      this.#fillJacobian(end);
      this.#dampedStep(end, iteration === 0 ? end.nullspace : 0);
      for (let i = 0; i < this.#joints; i++) this.#target[i]! += this.#shift[i]!;
    }
  }

  #buildChain(end: EndEffectorSpec): Link[] {
    const sim = this.#sim;
    const chain: Link[] = [];
    for (let body = sim.site_bodyid[end.site]!; body > 0; body = sim.body_parentid[body]!) {
      const joints = Array.from({ length: sim.body_jntnum[body]! }, (_, k) => {
        const id = sim.body_jntadr[body]! + k;
        const arm = this.#arm.joints.indexOf(id);
        return { id, type: sim.jnt_type[id]!, qpos: sim.jnt_qposadr[id]!, arm };
      });
      chain.unshift({ body, joints });
    }
    if (end.base !== 0 && !chain.some(({ body }) => body === end.base)) {
      throw new VernierError('PHYSICS', `the base, body number ${end.base}, does not carry the end effector`);
    }
    return chain;
  }

  /** The chain from the world to the end effector with the arm at #target. */
  #forwardKinematics(end: EndEffectorSpec): void {
    const sim = this.#sim;
    const position = this.#position.fill(0);
    const rotation = this.#rotation;
    const offset = new Float64Array(3);
    const turn = new Float64Array(4);
    const before = new Float64Array(4);
    const rotated = (source: Float64Array, at: number): Float64Array => {
      offset.set(source.subarray(at, at + 3));
      rotate(offset, rotation);
      return offset;
    };
    const move = (by: Float64Array, sign: number): void => {
      for (let k = 0; k < 3; k++) position[k]! += sign * by[k]!;
    };
    const rotateBy = (q: Float64Array): void => {
      before.set(rotation);
      multiplyQuat(rotation, before, q);
    };
    rotation.set([1, 0, 0, 0]);
    this.#base.set(rotation);
    for (const { body, joints } of this.#chain) {
      const mocap = sim.body_mocapid[body]!;
      const first = joints[0];
      if (mocap >= 0) {
        position.set(sim.mocap_pos.subarray(3 * mocap, 3 * mocap + 3));
        rotation.set(sim.mocap_quat.subarray(4 * mocap, 4 * mocap + 4));
      } else if (first?.type === FREE) {
        position.set(sim.qpos.subarray(first.qpos, first.qpos + 3));
        rotation.set(sim.qpos.subarray(first.qpos + 3, first.qpos + 7));
      } else {
        move(rotated(sim.body_pos, 3 * body), 1);
        rotateBy(sim.body_quat.subarray(4 * body, 4 * body + 4));
        for (const { id, type, qpos, arm } of joints) {
          const axis = rotated(sim.jnt_axis, 3 * id).slice();
          const anchor = rotated(sim.jnt_pos, 3 * id).slice();
          for (let k = 0; k < 3; k++) anchor[k]! += position[k]!;
          if (arm >= 0) {
            this.#axis.set(axis, 3 * arm);
            this.#anchor.set(anchor, 3 * arm);
          }
          const q = (arm >= 0 ? this.#target[arm]! : sim.qpos[qpos]!) - sim.qpos0[qpos]!;
          if (type === SLIDE) {
            move(axis, q);
            continue;
          }
          if (type === HINGE) {
            turn[0] = Math.cos(q / 2);
            for (let k = 0; k < 3; k++) turn[1 + k] = Math.sin(q / 2) * sim.jnt_axis[3 * id + k]!;
          } else {
            turn.set(sim.qpos.subarray(qpos, qpos + 4));
          }
          rotateBy(turn);
          position.set(anchor);
          move(rotated(sim.jnt_pos, 3 * id), -1);
        }
      }
      const norm = Math.hypot(rotation[0]!, rotation[1]!, rotation[2]!, rotation[3]!);
      for (let k = 0; k < 4; k++) rotation[k]! /= norm;
      if (body === end.base) this.#base.set(rotation);
    }
    move(rotated(sim.site_pos, 3 * end.site), 1);
    rotateBy(sim.site_quat.subarray(4 * end.site, 4 * end.site + 4));
  }

  #targetPose(end: EndEffectorSpec, action: Float32Array): void {
    const base = this.#base;
    const inverse = new Float64Array(4);
    conjugate(inverse, base);
    const offset = new Float64Array(3);
    const turn = new Float64Array(3);
    for (let k = 0; k < 3; k++) offset[k] = this.#position[k]! - this.#homePosition[k]!;
    rotate(offset, inverse);
    for (let k = 0; k < 3; k++) if (!this.#listed[k]) offset[k] = 0;
    end.axes.forEach((axis, i) => {
      if (axis < 3) offset[axis]! += action[i]! * end.translation;
      else turn[axis - 3] = action[i]! * end.rotation;
    });
    rotate(offset, base);
    for (let k = 0; k < 3; k++) this.#goalPosition[k] = this.#homePosition[k]! + offset[k]!;

    const here = new Float64Array(4);
    const home = new Float64Array(4);
    const relative = new Float64Array(4);
    const scratch = new Float64Array(4);
    const kept = new Float64Array(4);
    const step = new Float64Array(4);
    multiplyQuat(here, inverse, this.#rotation);
    multiplyQuat(home, inverse, this.#homeRotation);
    conjugate(scratch, home);
    multiplyQuat(relative, here, scratch);
    keepListed(kept, relative, this.#listed);
    fromRotationVector(step, turn);
    multiplyQuat(scratch, step, kept);
    multiplyQuat(relative, scratch, home);
    multiplyQuat(this.#goalRotation, base, relative);
  }

  /** Weighted pose error in world axes; returns its largest entry. */
  #poseError(end: EndEffectorSpec): number {
    const inverse = new Float64Array(4);
    const difference = new Float64Array(4);
    for (let k = 0; k < 3; k++) this.#error[k] = this.#goalPosition[k]! - this.#position[k]!;
    conjugate(inverse, this.#rotation);
    multiplyQuat(difference, this.#goalRotation, inverse);
    toRotationVector(this.#error, 3, difference);
    let size = 0;
    for (let k = 0; k < 6; k++) {
      this.#error[k]! *= end.weights[k]!;
      size = Math.max(size, Math.abs(this.#error[k]!));
    }
    return size;
  }

  #fillJacobian(end: EndEffectorSpec): void {
    this.#jacobian.fill(0);
    for (const i of this.#moving) {
      const column = this.#jacobian.subarray(6 * i, 6 * i + 6);
      const at = 3 * i;
      const axis = this.#axis;
      const [ax, ay, az] = [axis[at]!, axis[at + 1]!, axis[at + 2]!];
      if (this.#hinge[i]) {
        const x = this.#position[0]! - this.#anchor[at]!;
        const y = this.#position[1]! - this.#anchor[at + 1]!;
        const z = this.#position[2]! - this.#anchor[at + 2]!;
        column[0] = ay * z - az * y;
        column[1] = az * x - ax * z;
        column[2] = ax * y - ay * x;
        column[3] = ax;
        column[4] = ay;
        column[5] = az;
      } else {
        column[0] = ax;
        column[1] = ay;
        column[2] = az;
      }
      for (let k = 0; k < 6; k++) column[k]! *= end.weights[k]!;
    }
  }

  /** shift = z + A' (A A' + damping^2)^-1 (error - A z), with z the pull towards home; a joint that would pass its
   * limit stops there, and the others make up for it. */
  #dampedStep(end: EndEffectorSpec, pull: number): void {
    const arm = this.#arm;
    const n = this.#joints;
    const m = this.#normal;
    const y = this.#solution;
    this.#locked.fill(0);
    for (let pass = 0; pass <= n; pass++) {
      m.fill(0);
      for (let k = 0; k < 6; k++) {
        y[k] = this.#error[k]!;
        m[7 * k] = end.damping * end.damping;
      }
      for (let i = 0; i < n; i++) {
        const given = this.#locked[i] ? this.#shift[i]! : pull * (arm.home[i]! - this.#target[i]!);
        for (let k = 0; k < 6; k++) {
          const a = this.#jacobian[6 * i + k]!;
          y[k]! -= a * given;
          if (this.#locked[i]) continue;
          for (let l = 0; l <= k; l++) m[6 * k + l]! += a * this.#jacobian[6 * i + l]!;
        }
      }
      choleskySolve(m, y);
      let violated = false;
      for (let i = 0; i < n; i++) {
        if (this.#locked[i]) continue;
        let shift = pull * (arm.home[i]! - this.#target[i]!);
        for (let k = 0; k < 6; k++) shift += this.#jacobian[6 * i + k]! * y[k]!;
        const [lo, hi] = arm.position[i]!;
        const limited = Math.min(Math.max(this.#target[i]! + shift, lo), hi) - this.#target[i]!;
        if (limited !== shift) {
          this.#locked[i] = 1;
          violated = true;
        }
        this.#shift[i] = limited;
      }
      if (!violated) break;
    }
  }
}

/** The part of a rotation that lies about the listed axes (entries 3 to 5 of `listed`). */
function keepListed(out: Float64Array, q: Float64Array, listed: readonly boolean[]): void {
  const count = listed.slice(3).filter(Boolean).length;
  if (count === 3) {
    out.set(q);
  } else if (count === 1) {
    const axis = listed.indexOf(true, 3) - 3;
    const norm = Math.hypot(q[0]!, q[1 + axis]!);
    out.fill(0);
    out[0] = norm < 1e-12 ? 1 : q[0]! / norm;
    if (norm >= 1e-12) out[1 + axis] = q[1 + axis]! / norm;
  } else {
    const v = new Float64Array(3);
    toRotationVector(v, 0, q);
    for (let i = 0; i < 3; i++) if (!listed[3 + i]) v[i] = 0;
    fromRotationVector(out, v);
  }
}

/** Solves the symmetric positive definite 6x6 system m x = b in place of b. */
function choleskySolve(m: Float64Array, b: Float64Array): void {
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = m[6 * i + j]!;
      for (let k = 0; k < j; k++) sum -= m[6 * i + k]! * m[6 * j + k]!;
      m[6 * i + j] = i === j ? Math.sqrt(sum) : sum / m[7 * j]!;
    }
  }
  for (let i = 0; i < 6; i++) {
    for (let k = 0; k < i; k++) b[i]! -= m[6 * i + k]! * b[k]!;
    b[i]! /= m[7 * i]!;
  }
  for (let i = 5; i >= 0; i--) {
    for (let k = i + 1; k < 6; k++) b[i]! -= m[6 * k + i]! * b[k]!;
    b[i]! /= m[7 * i]!;
  }
}
