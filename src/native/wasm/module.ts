import load, { type MainModule } from '@mujoco/mujoco';
import { VernierError } from '#core/errors';
import type { ModelSource } from '#core/model';

/** The sole loader of MuJoCo's WASM build. */

export type Mujoco = MainModule;
export type WasmModel = InstanceType<MainModule['MjModel']>;
export type WasmData = InstanceType<MainModule['MjData']>;

let loading: Promise<Mujoco> | undefined;

export function loadMujoco(): Promise<Mujoco> {
  loading ??= load();
  return loading;
}

/** @throws PHYSICS with MuJoCo's message */
export function compileModel(mujoco: Mujoco, source: ModelSource): WasmModel {
  const files = new mujoco.MjVFS();
  try {
    for (const [name, bytes] of source.files) files.addBuffer(name, bytes);
    return mujoco.MjModel.from_xml_string(source.xml, files);
  } catch (error) {
    throw new VernierError('PHYSICS', messageOf(error), { cause: error });
  } finally {
    files.delete();
  }
}

/** What MuJoCo said, without the prefix of its bindings. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^MuJoCo Error: (Loading error: )?/, '').trim();
}
