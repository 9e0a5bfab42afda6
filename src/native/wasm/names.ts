import type { ModelNames, ModelSource } from '#core/model';
import { compileModel, loadMujoco, type Mujoco, type WasmModel } from '#native/wasm/module';

/** The WASM twin of nativeModelNames. Its bindings cannot read boolean arrays, so a range counts as a limit where it
 * is not empty. @throws PHYSICS when MuJoCo refuses the model */
export async function wasmModelNames(source: ModelSource): Promise<ModelNames> {
  const mujoco = await loadMujoco();
  const model = compileModel(mujoco, source);
  const letters = model.names as Int8Array;
  const names = (addresses: Int32Array): string[] =>
    Array.from(addresses, (first) =>
      Buffer.from(letters.subarray(first, letters.indexOf(0, first))).toString('utf8'),
    );
  const sensorNames = new Map<number, string>();
  for (const [key, type] of Object.entries(mujoco.mjtSensor)) {
    if (key.startsWith('mjSENS_')) {
      sensorNames.set((type as { value: number }).value, key.replace('mjSENS_', '').toLowerCase());
    }
  }
  try {
    return {
      body: names(model.name_bodyadr),
      site: names(model.name_siteadr),
      geom: names(model.name_geomadr),
      joint: names(model.name_jntadr),
      actuator: names(model.name_actuatoradr),
      sensor: names(model.name_sensoradr),
      camera: names(model.name_camadr),
      keyframe: names(model.name_keyadr),
      nq: model.nq,
      nv: model.nv,
      nu: model.nu,
      nsensordata: model.nsensordata,
      timestep: model.opt.timestep,
      bodyParent: [...model.body_parentid],
      bodyMocap: [...model.body_mocapid],
      weldBodies: weldBodies(mujoco, model),
      siteBody: [...model.site_bodyid],
      geomBody: [...model.geom_bodyid],
      jointBody: [...model.jnt_bodyid],
      jointType: [...model.jnt_type],
      jointQposAddress: [...model.jnt_qposadr],
      jointDofAddress: [...model.jnt_dofadr],
      jointRange: pairs(model.jnt_range),
      actuatorTransmission: [...model.actuator_trntype],
      actuatorTarget: Array.from({ length: model.nu }, (_, i) => model.actuator_trnid[2 * i] as number),
      actuatorControlRange: pairs(model.actuator_ctrlrange),
      sensorType: Array.from(model.sensor_type as Int32Array, (type) => sensorNames.get(type) ?? 'unknown'),
      sensorAddress: [...model.sensor_adr],
      sensorDimension: [...model.sensor_dim],
    };
  } finally {
    model.delete();
  }
}

/** Pairs of bodies that active welds hold together. */
function weldBodies(mujoco: Mujoco, model: WasmModel): (readonly [number, number])[] {
  if (model.neq === 0) return [];
  const { mjEQ_WELD } = mujoco.mjtEq;
  const { mjOBJ_SITE } = mujoco.mjtObj;
  const active = activeEqualities(mujoco, model);
  return active.flatMap((isActive, i) => {
    if (model.eq_type[i] !== mjEQ_WELD.value || !isActive) return [];
    const bodyOf = (id: number): number =>
      model.eq_objtype[i] === mjOBJ_SITE.value ? model.site_bodyid[id] : id;
    return [[bodyOf(model.eq_obj1id[i]), bodyOf(model.eq_obj2id[i])] as const];
  });
}

/** By the state of new data: the bindings do not show arrays of bytes. */
function activeEqualities(mujoco: Mujoco, model: WasmModel): boolean[] {
  const data = new mujoco.MjData(model);
  const flags = new mujoco.DoubleBuffer(model.neq);
  try {
    mujoco.mj_getState(model, data, flags, mujoco.mjtState.mjSTATE_EQ_ACTIVE.value);
    return Array.from(flags.GetView() as Float64Array, (flag) => flag !== 0);
  } finally {
    flags.delete();
    data.delete();
  }
}

function pairs(values: Float64Array): ([number, number] | undefined)[] {
  return Array.from({ length: values.length / 2 }, (_, i) => {
    const [lo, hi] = [values[2 * i]!, values[2 * i + 1]!];
    return lo < hi ? [lo, hi] : undefined;
  });
}
