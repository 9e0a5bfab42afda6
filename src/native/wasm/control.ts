import { VernierError } from '#core/errors';
import { actionLength, type ControlSpec } from '#native/physicsSpec';
import { InverseKinematics } from '#native/wasm/inverseKinematics';
import type { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/control.cc: control modes. */

const LEASH = 0.1;
const DEFAULT_VELOCITY_GAIN = 0.1;
const UNLIMITED = 1e10;
const HINGE = 3;
const SLIDE = 2;

interface Joint {
  readonly id: number;
  readonly qpos: number;
  readonly control: number;
  readonly gear: number;
  readonly hinge: boolean;
  /** kv / kp: seconds by which a servo's reference must lead. */
  readonly feedforward: number;
  readonly lo: number;
  readonly hi: number;
}

export class Controller {
  readonly commandLength: number;
  readonly #spec: ControlSpec;
  readonly #sim: Simulation;
  readonly #substeps: number;
  readonly #period: number;
  readonly #arm: readonly Joint[];
  readonly #endEffector: InverseKinematics | undefined;
  readonly #gripperControls: readonly number[];
  readonly #servo: boolean;

  readonly #start: Float64Array;
  readonly #target: Float64Array;
  #gripper = 0;

  /** Re-parameterises the arm's actuators for the mode. @throws PHYSICS if they cannot do it */
  constructor(spec: ControlSpec, sim: Simulation, substeps: number) {
    this.#spec = spec;
    this.#sim = sim;
    this.#substeps = substeps;
    this.#period = substeps * sim.model.opt.timestep;
    this.#servo = spec.mode !== 'torque' && spec.mode !== 'joint_velocity';
    if (spec.mode === 'end_effector_delta' && !spec.endEffector) {
      throw new VernierError('PHYSICS', "end_effector_delta needs the end effector's site");
    }
    this.#arm = spec.arm.joints.map((_, i) => this.#prepare(i));
    this.#endEffector =
      spec.mode === 'end_effector_delta'
        ? new InverseKinematics(spec.endEffector!, spec.arm, sim)
        : undefined;
    this.#gripperControls = (spec.gripper?.actuators ?? []).map((id) => sim.actuator_ctrladr[id]!);
    const n = this.#arm.length;
    this.commandLength = n + (this.#gripperControls.length > 0 ? 1 : 0);
    this.#start = new Float64Array(n);
    this.#target = new Float64Array(n);
  }

  #prepare(i: number): Joint {
    const { arm, mode } = this.#spec;
    const sim = this.#sim;
    const id = arm.joints[i]!;
    const actuator = arm.actuators[i]!;
    const type = sim.jnt_type[id]!;
    if (type !== HINGE && type !== SLIDE) {
      throw new VernierError('PHYSICS', `the arm joint number ${id} is neither hinge nor slide`);
    }
    const control = sim.actuator_ctrladr[actuator]!;
    const { lo, hi, feedforward } = this.#reparameterise(actuator, control);
    const { position } = arm;
    if (mode === 'joint_position' && !Number.isFinite(position[i]![1] - position[i]![0])) {
      throw new VernierError('PHYSICS', `joint_position needs position limits, and joint ${id} has none`);
    }
    const gear = sim.actuator_gear[6 * actuator]!;
    const qpos = sim.jnt_qposadr[id]!;
    return { id, qpos, control, gear, hinge: type === HINGE, feedforward, lo, hi };
  }

  #reparameterise(actuator: number, control: number): { lo: number; hi: number; feedforward: number } {
    const { mode } = this.#spec;
    const sim = this.#sim;
    const { mjNGAIN, mjNBIAS, mjtGain, mjtBias, mjtDyn } = sim.mujoco;
    const gain = sim.actuator_gainprm.subarray(actuator * mjNGAIN, (actuator + 1) * mjNGAIN);
    const bias = sim.actuator_biasprm.subarray(actuator * mjNBIAS, (actuator + 1) * mjNBIAS);
    const servo =
      sim.actuator_gaintype[actuator] === mjtGain.mjGAIN_FIXED.value &&
      sim.actuator_biastype[actuator] === mjtBias.mjBIAS_AFFINE.value &&
      gain[0]! > 0 &&
      Math.abs(gain[0]! + bias[1]!) <= 1e-9 * gain[0]!;
    if (sim.actuator_dyntype[actuator] !== mjtDyn.mjDYN_NONE.value) {
      throw new VernierError('PHYSICS', `the arm actuator number ${actuator} has activation dynamics`);
    }
    if (mode !== 'torque' && !servo) {
      throw new VernierError(
        'PHYSICS',
        `the arm actuator number ${actuator} is no position servo (gain kp, bias 0 -kp -kv); only the torque mode can drive it`,
      );
    }
    const kp = servo ? gain[0]! : 0;
    const kv = servo ? -bias[2]! : 0;
    if (this.#servo) {
      const [lo, hi] = [sim.actuator_ctrlrange[2 * control]!, sim.actuator_ctrlrange[2 * control + 1]!];
      const limited = lo < hi;
      return { lo: limited ? lo : -UNLIMITED, hi: limited ? hi : UNLIMITED, feedforward: kv / kp };
    }
    const velocityGain = kv > 0 ? kv : DEFAULT_VELOCITY_GAIN * kp;
    gain.fill(0);
    bias.fill(0);
    gain[0] = mode === 'torque' ? 1 : velocityGain;
    bias[2] = mode === 'torque' ? 0 : -velocityGain;
    sim.actuator_gaintype[actuator] = mjtGain.mjGAIN_FIXED.value;
    sim.actuator_biastype[actuator] = mjtBias.mjBIAS_AFFINE.value;
    sim.actuator_ctrlrange[2 * control] = -UNLIMITED;
    sim.actuator_ctrlrange[2 * control + 1] = UNLIMITED;
    return { lo: -UNLIMITED, hi: UNLIMITED, feedforward: 0 };
  }

  /** The action that asks for nothing. */
  neutralAction(out: Float32Array): void {
    const { arm, mode, gripper } = this.#spec;
    out.fill(0);
    if (mode === 'joint_position') {
      arm.position.forEach(([lo, hi], i) => {
        out[i] = (2 * (arm.home[i]! - lo)) / (hi - lo) - 1;
      });
    }
    if (gripper?.inAction) out[actionLength(this.#spec) - 1] = 1;
  }

  /** Joint positions at rest. */
  home(): void {
    const { arm, gripper } = this.#spec;
    const { qpos, jnt_qposadr } = this.#sim;
    this.#arm.forEach((joint, i) => {
      qpos[joint.qpos] = arm.home[i]!;
    });
    gripper?.home.forEach((q, i) => {
      qpos[jnt_qposadr[gripper.joints[i]!]!] = q;
    });
  }

  /** Controls that hold the present joint positions; they become the command. */
  hold(command: Float64Array): void {
    const { qpos, ctrl } = this.#sim;
    this.#arm.forEach((joint, i) => {
      command[i] = this.#servo ? qpos[joint.qpos]! : 0;
      ctrl[joint.control] = clamp(joint.gear * command[i]!, joint.lo, joint.hi);
    });
    const open = this.#spec.gripper?.open ?? 0;
    for (const control of this.#gripperControls) ctrl[control] = open;
    if (this.#gripperControls.length > 0) command[this.#arm.length] = open;
  }

  /** Measures the rest pose that unlisted axes hold, with the data at home and its kinematics done. */
  rememberHome(): void {
    this.#endEffector?.rememberHome();
  }

  /** Plans one control step; `command` holds the previous command and receives the new one. */
  begin(action: Float32Array, command: Float64Array): void {
    const { arm, mode, goal, gripper } = this.#spec;
    for (let i = 0; i < this.#arm.length; i++) {
      const q = this.#sim.qpos[this.#arm[i]!.qpos]!;
      const [lo, hi] = arm.position[i]!;
      this.#start[i] = goal === 'commanded' ? clamp(command[i]!, q - LEASH, q + LEASH) : q;
      const scaled = action[i]! * arm.scale[i]!;
      if (mode === 'joint_position') this.#target[i] = lo + 0.5 * (action[i]! + 1) * (hi - lo);
      else if (mode === 'joint_delta') this.#target[i] = clamp(this.#start[i]! + scaled, lo, hi);
      else if (mode === 'end_effector_delta') this.#target[i] = this.#start[i]!;
      else this.#target[i] = scaled;
    }
    this.#endEffector?.solve(this.#target, action);
    if (this.#servo) this.#limitSpeed();
    command.set(this.#target);
    if (gripper && this.#gripperControls.length > 0) {
      const opening = gripper.inAction ? 0.5 * (action[action.length - 1]! + 1) : 1;
      this.#gripper = gripper.closed + opening * (gripper.open - gripper.closed);
      command[this.#arm.length] = this.#gripper;
    }
  }

  /** Whether the arm's actuators are position servos in this mode. */
  get servo(): boolean {
    return this.#servo;
  }

  /** Controls of servos that shall be at `reference` (as a command) and move at `velocity` [joints]. */
  drive(reference: Float64Array, velocity: Float64Array): void {
    const { ctrl } = this.#sim;
    for (let i = 0; i < this.#arm.length; i++) {
      const joint = this.#arm[i]!;
      const leading = reference[i]! + velocity[i]! * joint.feedforward;
      ctrl[joint.control] = clamp(leading * joint.gear, joint.lo, joint.hi);
    }
    for (const control of this.#gripperControls) ctrl[control] = reference[this.#arm.length]!;
  }

  /** Controls of substep k. */
  apply(k: number): void {
    const { ctrl } = this.#sim;
    for (let i = 0; i < this.#arm.length; i++) {
      const joint = this.#arm[i]!;
      let reference = this.#target[i]!;
      if (this.#servo) {
        const motion = this.#target[i]! - this.#start[i]!;
        reference = this.#start[i]! + motion * ((k + 1) / this.#substeps + joint.feedforward / this.#period);
      }
      const control = this.#spec.mode === 'torque' ? reference / joint.gear : reference * joint.gear;
      ctrl[joint.control] = clamp(control, joint.lo, joint.hi);
    }
    for (const control of this.#gripperControls) ctrl[control] = this.#gripper;
  }

  #limitSpeed(): void {
    let share = 1;
    for (let i = 0; i < this.#arm.length; i++) {
      const motion = Math.abs(this.#target[i]! - this.#start[i]!);
      const most = this.#spec.arm.velocity[i]! * this.#period;
      if (motion > most) share = Math.min(share, most / motion);
    }
    if (share === 1) return;
    for (let i = 0; i < this.#arm.length; i++) {
      this.#target[i] = this.#start[i]! + share * (this.#target[i]! - this.#start[i]!);
    }
  }
}

function clamp(value: number, lo: number, hi: number): number {
  return value < lo ? lo : value > hi ? hi : value;
}
