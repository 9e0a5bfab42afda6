import type { ArmSpec, DynamicsSpec } from '#native/physicsSpec';
import type { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/dynamics.cc, where the equations are. */

const GRAVITY = 9.81;

interface Joint {
  readonly qpos: number;
  readonly dof: number;
  readonly lo: number;
  readonly hi: number;
}

export class Dynamics {
  readonly #spec: DynamicsSpec;
  readonly #sim: Simulation;
  readonly #joints: readonly Joint[];
  readonly #dt: number;
  readonly #substeps: number;

  /** The kind fits the arm's joints; #spec/dynamics sees to that. */
  constructor(spec: DynamicsSpec, arm: ArmSpec, sim: Simulation, substeps: number) {
    this.#spec = spec;
    this.#sim = sim;
    this.#dt = sim.model.opt.timestep;
    this.#substeps = substeps;
    this.#joints = arm.joints.map((id, i) => {
      const [lo, hi] = arm.position[i]!;
      return { qpos: sim.jnt_qposadr[id]!, dof: sim.jnt_dofadr[id]!, lo, hi };
    });
  }

  /** One control step. @returns whether positions and velocities are still finite */
  step(action: Float32Array): boolean {
    const { qpos, qvel } = this.#sim;
    for (let k = 0; k < this.#substeps; k++) {
      if (this.#spec.kind === 'linear') this.#linear(this.#spec, action);
      else if (this.#spec.kind === 'unicycle') this.#unicycle(this.#spec, action);
      else this.#quadrotor(this.#spec, action);
    }
    return this.#joints.every((joint) => Number.isFinite(qpos[joint.qpos]! + qvel[joint.dof]!));
  }

  /** Moves joint k. @returns whether it stopped at the end of its range */
  #move(k: number, shift: number): boolean {
    const { qpos } = this.#sim;
    const joint = this.#joints[k]!;
    const free = qpos[joint.qpos]! + shift;
    qpos[joint.qpos] = Math.max(joint.lo, Math.min(joint.hi, free));
    return qpos[joint.qpos] !== free;
  }

  #linear({ speed }: DynamicsSpec & { kind: 'linear' }, action: Float32Array): void {
    for (const [k, { dof }] of this.#joints.entries()) {
      const velocity = action[k]! * speed[k]!;
      this.#sim.qvel[dof] = this.#move(k, velocity * this.#dt) ? 0 : velocity;
    }
  }

  #unicycle(spec: DynamicsSpec & { kind: 'unicycle' }, action: Float32Array): void {
    const { qpos, qvel } = this.#sim;
    const dt = this.#dt;
    const [x, y, yaw] = this.#joints as [Joint, Joint, Joint];
    const cosine = Math.cos(qpos[yaw.qpos]!);
    const sine = Math.sin(qpos[yaw.qpos]!);
    const speed = qvel[x.dof]! * cosine + qvel[y.dof]! * sine;
    this.#move(0, speed * cosine * dt);
    this.#move(1, speed * sine * dt);
    const rate = action[0]! * spec.turnRate;
    this.#move(2, rate * dt);
    const [lo, hi] = spec.speed;
    const next = Math.max(lo, Math.min(hi, speed + action[1]! * spec.acceleration * dt));
    qvel[x.dof] = next * Math.cos(qpos[yaw.qpos]!);
    qvel[y.dof] = next * Math.sin(qpos[yaw.qpos]!);
    qvel[yaw.dof] = rate;
  }

  #quadrotor(spec: DynamicsSpec & { kind: 'quadrotor' }, action: Float32Array): void {
    const { qpos, qvel } = this.#sim;
    const dt = this.#dt;
    const joints = this.#joints;
    const decay = Math.exp(-dt / spec.response);
    for (const [k, a] of [
      [4, 1],
      [5, 0],
    ] as const) {
      const joint = joints[k]!;
      const wanted = action[a]! * spec.tilt;
      qpos[joint.qpos] = wanted + (qpos[joint.qpos]! - wanted) * decay;
      qvel[joint.dof] = (wanted - qpos[joint.qpos]!) / spec.response;
    }
    const rate = action[2]! * spec.yawRate;
    qvel[joints[3]!.dof] = rate;
    this.#move(3, rate * dt);
    const [yaw, pitch, roll] = [3, 4, 5].map((k) => qpos[joints[k]!.qpos]!) as [number, number, number];
    const up = [
      Math.cos(yaw) * Math.sin(pitch) * Math.cos(roll) + Math.sin(yaw) * Math.sin(roll),
      Math.sin(yaw) * Math.sin(pitch) * Math.cos(roll) - Math.cos(yaw) * Math.sin(roll),
      Math.cos(pitch) * Math.cos(roll),
    ];
    const thrust = GRAVITY * (1 + spec.thrust * action[3]!);
    for (let k = 0; k < 3; k++) {
      const { dof } = joints[k]!;
      const weight = k === 2 ? GRAVITY : 0;
      const v = qvel[dof]! + (up[k]! * thrust - weight - spec.drag * qvel[dof]!) * dt;
      qvel[dof] = this.#move(k, v * dt) ? 0 : v;
    }
  }
}
