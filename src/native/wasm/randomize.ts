import { PhiloxStream } from '#core/philox';
import type { RandomizationSpec, Range } from '#native/physicsSpec';
import { fromAngles, multiplyQuat } from '#native/wasm/quaternion';
import type { Simulation } from '#native/wasm/simulation';

/** The twin of native/physics/randomize.cc. */

export const RESET_STREAM = 0x10000;
export const LATENCY_STREAM = 0x20000;
export const NOISE_STREAM = 0x30000;
const POSE_TRIES = 64;
const FREE = 0;

export interface EpisodeKey {
  readonly seed: number;
  readonly environment: number;
  readonly episode: number;
}

type ModelArray =
  | 'body_pos'
  | 'body_quat'
  | 'body_mass'
  | 'body_inertia'
  | 'body_subtreemass'
  | 'body_invweight0'
  | 'dof_invweight0'
  | 'dof_M0'
  | 'dof_damping'
  | 'tendon_invweight0'
  | 'geom_friction'
  | 'actuator_gainprm'
  | 'actuator_biasprm'
  | 'actuator_acc0';

/** What mj_setConst derives from masses. */
const DERIVED = [
  'body_subtreemass',
  'body_invweight0',
  'dof_invweight0',
  'dof_M0',
  'tendon_invweight0',
  'actuator_acc0',
] as const;

interface Run {
  readonly array: ModelArray;
  readonly first: number;
  readonly count: number;
}

export class Randomizer {
  /** The model's own values of everything that differs between environments. */
  readonly nominal: Float64Array;
  readonly #entries: readonly RandomizationSpec[];
  readonly #sim: Simulation;
  readonly #runs: Run[] = [];
  readonly #mass: boolean;

  constructor(entries: readonly RandomizationSpec[], sim: Simulation) {
    this.#entries = entries;
    this.#sim = sim;
    this.#mass = entries.some((entry) => entry.kind === 'mass');
    for (const entry of entries) this.#addEntry(entry);
    if (this.#mass) {
      sim.mujoco.mj_setConst(sim.model, sim.data);
      sim.refresh();
      for (const array of DERIVED) this.#add(array, 0, sim[array].length);
    }
    const length = this.#runs.reduce((sum, run) => sum + run.count, this.#mass ? 1 : 0);
    this.nominal = new Float64Array(length);
    this.store(this.nominal);
  }

  #addEntry(entry: RandomizationSpec): void {
    const { mjNGAIN, mjNBIAS } = this.#sim.mujoco;
    switch (entry.kind) {
      case 'pose':
        if (this.#movesWithModel(entry.body)) {
          this.#add('body_pos', 3 * entry.body, 3);
          this.#add('body_quat', 4 * entry.body, 4);
        }
        break;
      case 'mass':
        this.#add('body_mass', entry.body, 1);
        this.#add('body_inertia', 3 * entry.body, 3);
        break;
      case 'friction':
        for (const geom of entry.geoms) this.#add('geom_friction', 3 * geom, 1);
        break;
      case 'gain':
        for (const actuator of entry.actuators) {
          this.#add('actuator_gainprm', actuator * mjNGAIN, 1);
          this.#add('actuator_biasprm', actuator * mjNBIAS + 1, 2);
        }
        break;
      case 'damping':
        for (const joint of entry.joints) this.#add('dof_damping', this.#sim.jnt_dofadr[joint]!, 1);
        break;
      case 'joints':
        break;
      default:
        entry satisfies never;
    }
  }

  #add(array: ModelArray, first: number, count: number): void {
    const known = this.#runs.some((run) => run.array === array && run.first === first && run.count === count);
    if (!known) this.#runs.push({ array, first, count });
  }

  #movesWithModel(body: number): boolean {
    const { body_mocapid, body_jntadr, jnt_type } = this.#sim;
    const joint = body_jntadr[body]!;
    return body_mocapid[body]! < 0 && !(joint >= 0 && jnt_type[joint] === FREE);
  }

  load(row: Float64Array): void {
    let at = 0;
    for (const { array, first, count } of this.#runs) {
      this.#sim[array].set(row.subarray(at, at + count), first);
      at += count;
    }
    if (this.#mass) this.#sim.model.stat.meaninertia = row[at]!;
  }

  store(row: Float64Array): void {
    let at = 0;
    for (const { array, first, count } of this.#runs) {
      row.set(this.#sim[array].subarray(first, first + count), at);
      at += count;
    }
    if (this.#mass) row[at] = this.#sim.model.stat.meaninertia;
  }

  /** Draws an episode's parameters into the model, which holds the nominal ones. Masses first: mj_setConst must see
   * the nominal poses. */
  drawParameters(key: EpisodeKey): void {
    const sim = this.#sim;
    this.#entries.forEach((entry, i) => {
      if (entry.kind !== 'mass') return;
      const factor = between(entry.scale, streamOf(i, key));
      sim.body_mass[entry.body]! *= factor;
      scale(sim.body_inertia, 3 * entry.body, 3, factor);
    });
    if (this.#mass) {
      sim.mujoco.mj_setConst(sim.model, sim.data);
      sim.refresh();
    }
    const { mjNGAIN, mjNBIAS } = sim.mujoco;
    this.#entries.forEach((entry, i) => {
      if (entry.kind !== 'friction' && entry.kind !== 'gain' && entry.kind !== 'damping') return;
      const factor = between(entry.scale, streamOf(i, key));
      if (entry.kind === 'friction') {
        for (const geom of entry.geoms) sim.geom_friction[3 * geom]! *= factor;
      } else if (entry.kind === 'damping') {
        for (const joint of entry.joints) sim.dof_damping[sim.jnt_dofadr[joint]!]! *= factor;
      } else {
        for (const actuator of entry.actuators) {
          sim.actuator_gainprm[actuator * mjNGAIN]! *= factor;
          scale(sim.actuator_biasprm, actuator * mjNBIAS + 1, 2, factor);
        }
      }
    });
  }

  /** Draws positions into the data, which is at home. */
  drawPositions(key: EpisodeKey): void {
    const sim = this.#sim;
    this.#entries.forEach((entry, i) => {
      if (entry.kind === 'pose') this.#drawPose(entry, streamOf(i, key));
      if (entry.kind !== 'joints') return;
      const stream = streamOf(i, key);
      for (const joint of entry.joints) {
        const [lo, hi] = [sim.jnt_range[2 * joint]!, sim.jnt_range[2 * joint + 1]!];
        const q = sim.qpos[sim.jnt_qposadr[joint]!]! + between([-entry.noise, entry.noise], stream);
        sim.qpos[sim.jnt_qposadr[joint]!] = lo < hi ? Math.min(Math.max(q, lo), hi) : q;
      }
    });
  }

  #drawPose(entry: RandomizationSpec & { kind: 'pose' }, stream: PhiloxStream): void {
    const place = this.#placement(entry.body);
    const position = place.position.slice();
    const rotation = place.rotation.slice();
    const turn = new Float64Array(4);
    const angles = new Float64Array(3);
    for (let attempt = 0; attempt < POSE_TRIES; attempt++) {
      const offset = [entry.x, entry.y, entry.z].map((range) => between(range, stream));
      [entry.roll, entry.pitch, entry.yaw].forEach((range, k) => {
        angles[k] = between(range, stream);
      });
      for (let k = 0; k < 3; k++) place.position[k] = position[k]! + offset[k]!;
      fromAngles(turn, angles);
      multiplyQuat(place.rotation, turn, rotation);
      const clear = entry.apartFrom.every((other) => {
        const there = this.#placement(other).position;
        return Math.hypot(place.position[0]! - there[0]!, place.position[1]! - there[1]!) >= entry.distance;
      });
      if (clear) break;
    }
  }

  /** Where a body stands: a free or mocap body in the world, any other one in its parent. */
  #placement(body: number): { position: Float64Array; rotation: Float64Array } {
    const sim = this.#sim;
    const mocap = sim.body_mocapid[body]!;
    const part = (array: Float64Array, at: number, count: number) => array.subarray(at, at + count);
    if (mocap >= 0) {
      return { position: part(sim.mocap_pos, 3 * mocap, 3), rotation: part(sim.mocap_quat, 4 * mocap, 4) };
    }
    if (this.#movesWithModel(body)) {
      return { position: part(sim.body_pos, 3 * body, 3), rotation: part(sim.body_quat, 4 * body, 4) };
    }
    const at = sim.jnt_qposadr[sim.body_jntadr[body]!]!;
    return { position: part(sim.qpos, at, 3), rotation: part(sim.qpos, at + 3, 4) };
  }
}

function streamOf(entry: number, key: EpisodeKey): PhiloxStream {
  return new PhiloxStream(key.seed, RESET_STREAM + entry, key.environment, key.episode);
}

function between([lo, hi]: Range, stream: PhiloxStream): number {
  return lo + (hi - lo) * stream.uniform();
}

function scale(values: Float64Array, first: number, count: number, factor: number): void {
  for (let i = first; i < first + count; i++) values[i]! *= factor;
}
