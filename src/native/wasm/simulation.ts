import type { ModelSource } from '#core/model';
import { compileModel, type Mujoco, messageOf, type WasmData, type WasmModel } from '#native/wasm/module';

/** One model and one data of the WASM build with their arrays at hand. Asking the bindings for an array takes
 * microseconds, so the views are kept; they die when the WASM memory grows, and refresh() brings them back. */
export class Simulation {
  readonly mujoco: Mujoco;
  readonly model: WasmModel;
  readonly data: WasmData;
  readonly nq: number;
  readonly nv: number;
  readonly nu: number;
  readonly na: number;
  readonly nbody: number;
  readonly nsite: number;
  readonly ngeom: number;
  readonly nmocap: number;
  readonly nsensordata: number;

  body_rootid!: Int32Array;
  body_parentid!: Int32Array;
  body_mocapid!: Int32Array;
  body_jntadr!: Int32Array;
  body_jntnum!: Int32Array;
  body_pos!: Float64Array;
  body_quat!: Float64Array;
  body_mass!: Float64Array;
  body_inertia!: Float64Array;
  body_subtreemass!: Float64Array;
  body_invweight0!: Float64Array;
  jnt_type!: Int32Array;
  jnt_qposadr!: Int32Array;
  jnt_dofadr!: Int32Array;
  jnt_range!: Float64Array;
  jnt_axis!: Float64Array;
  jnt_pos!: Float64Array;
  qpos0!: Float64Array;
  dof_damping!: Float64Array;
  dof_invweight0!: Float64Array;
  dof_M0!: Float64Array;
  tendon_invweight0!: Float64Array;
  geom_friction!: Float64Array;
  site_bodyid!: Int32Array;
  site_pos!: Float64Array;
  site_quat!: Float64Array;
  geom_bodyid!: Int32Array;
  geom_quat!: Float64Array;
  actuator_gaintype!: Int32Array;
  actuator_biastype!: Int32Array;
  actuator_dyntype!: Int32Array;
  actuator_gainprm!: Float64Array;
  actuator_biasprm!: Float64Array;
  actuator_ctrlrange!: Float64Array;
  actuator_gear!: Float64Array;
  actuator_acc0!: Float64Array;
  actuator_ctrladr!: Int32Array;
  actuator_outadr!: Int32Array;

  qpos!: Float64Array;
  qvel!: Float64Array;
  act!: Float64Array;
  ctrl!: Float64Array;
  qacc_warmstart!: Float64Array;
  mocap_pos!: Float64Array;
  mocap_quat!: Float64Array;
  xpos!: Float64Array;
  xquat!: Float64Array;
  site_xpos!: Float64Array;
  site_xmat!: Float64Array;
  geom_xpos!: Float64Array;
  cvel!: Float64Array;
  subtree_com!: Float64Array;
  actuator_force!: Float64Array;
  sensordata!: Float64Array;

  /** Read by readContacts(). */
  readonly contacts = {
    count: 0,
    geom1: [] as number[],
    geom2: [] as number[],
    normalForce: [] as number[],
  };

  /** What programs read beside the arrays; set before an evaluation. */
  time = 0;
  step = 0;
  action: ArrayLike<number> = [];
  command: ArrayLike<number> = [];

  readonly #force: InstanceType<Mujoco['DoubleBuffer']>;
  /** A live view, unlike `contact`, which is a copy: not to be deleted. */
  readonly #warnings: WasmData['warning'];

  constructor(mujoco: Mujoco, source: ModelSource, timestep: number) {
    this.mujoco = mujoco;
    this.model = compileModel(mujoco, source);
    if (timestep > 0) this.model.opt.timestep = timestep;
    this.data = new mujoco.MjData(this.model);
    this.#warnings = this.data.warning;
    this.#force = new mujoco.DoubleBuffer(6);
    this.nq = this.model.nq;
    this.nv = this.model.nv;
    this.nu = this.model.nu;
    this.na = this.model.na;
    this.nbody = this.model.nbody;
    this.nsite = this.model.nsite;
    this.ngeom = this.model.ngeom;
    this.nmocap = this.model.nmocap;
    this.nsensordata = this.model.nsensordata;
    this.refresh();
  }

  /** Brings the views back after the WASM memory has grown; cheap when it has not. */
  refresh(): void {
    if (this.xpos !== undefined && this.xpos.length > 0) return;
    for (const key of MODEL_ARRAYS) this[key] = this.model[key];
    for (const key of DATA_ARRAYS) this[key] = this.data[key];
  }

  /** Runs MuJoCo; returns its error, or undefined. */
  attempt(body: () => void): string | undefined {
    try {
      body();
      this.refresh();
      return undefined;
    } catch (error) {
      this.refresh();
      return messageOf(error);
    }
  }

  /** The contact list into `contacts`, with normal forces where asked for. */
  readContacts(forces: boolean): void {
    const { contacts } = this;
    const list = this.data.contact;
    contacts.count = 0;
    for (let i = 0; i < this.data.ncon; i++) {
      const contact = list.get(i)!;
      if (contact.exclude === 0) {
        contacts.geom1[contacts.count] = contact.geom1;
        contacts.geom2[contacts.count] = contact.geom2;
        if (forces) {
          this.mujoco.mj_contactForce(this.model, this.data, i, this.#force);
          contacts.normalForce[contacts.count] = this.#force.GetView()[0];
        }
        contacts.count++;
      }
      contact.delete();
    }
    list.delete();
  }

  /** Text of the first warning that means the state cannot be trusted. */
  warning(): string | undefined {
    const kinds = this.mujoco.mjtWarning;
    const count = (kind: { value: number }): number => {
      const stat = this.#warnings.get(kind.value)!;
      const { number } = stat;
      stat.delete();
      return number;
    };
    if (count(kinds.mjWARN_BADQPOS) > 0) return 'the positions diverged (NaN or huge qpos)';
    if (count(kinds.mjWARN_BADQVEL) > 0) return 'the velocities diverged (NaN or huge qvel)';
    if (count(kinds.mjWARN_BADQACC) > 0) return 'the accelerations diverged (NaN or huge qacc)';
    if (count(kinds.mjWARN_BADCTRL) > 0) return 'a control is not finite';
    if (count(kinds.mjWARN_INERTIA) > 0) return 'the inertia matrix is singular';
    if (count(kinds.mjWARN_CONTACTFULL) > 0) return "too many contacts for the model's memory";
    if (count(kinds.mjWARN_CNSTRFULL) > 0) return "too many constraints for the model's memory";
    return undefined;
  }

  close(): void {
    this.#force.delete();
    this.data.delete();
    this.model.delete();
  }
}

const MODEL_ARRAYS = [
  'body_rootid',
  'body_parentid',
  'body_mocapid',
  'body_jntadr',
  'body_jntnum',
  'body_pos',
  'body_quat',
  'body_mass',
  'body_inertia',
  'body_subtreemass',
  'body_invweight0',
  'jnt_type',
  'jnt_qposadr',
  'jnt_dofadr',
  'jnt_range',
  'jnt_axis',
  'jnt_pos',
  'qpos0',
  'dof_damping',
  'dof_invweight0',
  'dof_M0',
  'tendon_invweight0',
  'geom_friction',
  'site_bodyid',
  'site_pos',
  'site_quat',
  'geom_bodyid',
  'geom_quat',
  'actuator_gaintype',
  'actuator_biastype',
  'actuator_dyntype',
  'actuator_gainprm',
  'actuator_biasprm',
  'actuator_ctrlrange',
  'actuator_gear',
  'actuator_acc0',
  'actuator_ctrladr',
  'actuator_outadr',
] as const;

const DATA_ARRAYS = [
  'qpos',
  'qvel',
  'act',
  'ctrl',
  'qacc_warmstart',
  'mocap_pos',
  'mocap_quat',
  'xpos',
  'xquat',
  'site_xpos',
  'site_xmat',
  'geom_xpos',
  'cvel',
  'subtree_com',
  'actuator_force',
  'sensordata',
] as const;
