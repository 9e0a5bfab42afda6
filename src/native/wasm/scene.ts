import { VernierError } from '#core/errors';
import type { DrivenScene, EnvScene, SensedScene } from '#native/physicsBatch';
import { multiplyQuat } from '#native/wasm/quaternion';
import type { Simulation } from '#native/wasm/simulation';

/** What a simulation is told of and tells about where things are. */

/** A copy of where everything is. */
export function readScene(sim: Simulation): EnvScene {
  const { qpos, qvel, mocapPos, mocapQuat, bodyPos, bodyQuat } = sceneArrays(sim);
  return {
    qpos: qpos.slice(),
    qvel: qvel.slice(),
    time: sim.data.time,
    mocapPos: mocapPos.slice(),
    mocapQuat: mocapQuat.slice(),
    bodyPos: bodyPos.slice(),
    bodyQuat: bodyQuat.slice(),
  };
}

/** @throws SHAPE, NUMERIC */
export function requireScene(sim: Simulation, scene: SensedScene): void {
  const targets = sceneArrays(sim);
  for (const name of sceneNames) requireNumbers(name, scene[name], targets[name].length);
}

export function writeScene(scene: SensedScene, outSim: Simulation): void {
  const targets = sceneArrays(outSim);
  for (const name of sceneNames) targets[name].set(scene[name]);
}

/** @throws SHAPE, NUMERIC */
export function requireDriven(sim: Simulation, scene: DrivenScene): void {
  const sources = drivenArrays(sim);
  for (const name of drivenNames) requireNumbers(name, scene[name], sources[name].length);
}

export function readDriven(sim: Simulation, outScene: DrivenScene): void {
  const sources = drivenArrays(sim);
  for (const name of drivenNames) outScene[name].set(sources[name]);
}

/** Position and rotation of a body, site or geom (kind 0, 1, 2), once the kinematics are done. @shape outPose [7] */
export function framePose(sim: Simulation, kind: number, id: number, outPose: Float64Array): void {
  const positions = [sim.xpos, sim.site_xpos, sim.geom_xpos][kind]!;
  outPose.set(positions.subarray(3 * id, 3 * id + 3));
  const body = kind === 0 ? id : (kind === 1 ? sim.site_bodyid : sim.geom_bodyid)[id]!;
  const rotation = sim.xquat.slice(4 * body, 4 * body + 4);
  if (kind !== 0) {
    const own = (kind === 1 ? sim.site_quat : sim.geom_quat).subarray(4 * id, 4 * id + 4);
    multiplyQuat(rotation, rotation.slice(), own);
  }
  outPose.set(rotation, 3);
}

/** @throws SHAPE, NUMERIC */
export function requireNumbers(name: string, values: Float64Array, length: number): void {
  if (values.length !== length)
    throw new VernierError('SHAPE', `${name}: expected ${length} numbers, got ${values.length}`);
  if (!values.every(Number.isFinite)) throw new VernierError('NUMERIC', `${name} is not finite`);
}

const drivenNames = ['qpos', 'qvel', 'force', 'position', 'rotation'] as const;
const sceneNames = ['qpos', 'qvel', 'mocapPos', 'mocapQuat', 'bodyPos', 'bodyQuat'] as const;

function sceneArrays(sim: Simulation): Record<(typeof sceneNames)[number], Float64Array> {
  return {
    qpos: sim.qpos,
    qvel: sim.qvel,
    mocapPos: sim.mocap_pos,
    mocapQuat: sim.mocap_quat,
    bodyPos: sim.body_pos,
    bodyQuat: sim.body_quat,
  };
}

function drivenArrays(sim: Simulation): Record<(typeof drivenNames)[number], Float64Array> {
  return {
    qpos: sim.qpos,
    qvel: sim.qvel,
    force: sim.actuator_force,
    position: sim.xpos,
    rotation: sim.xquat,
  };
}
