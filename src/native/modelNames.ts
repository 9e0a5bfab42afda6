import type { ModelNames, ModelSource } from '#core/model';
import { type PhysicsBackend, physicsBackend } from '#native/backend';
import { nativeModelNames } from '#native/nativeBatch';

/** Names, sizes and addresses of a model, from whichever backend is to simulate it.
 * @throws PHYSICS when MuJoCo refuses the model; BACKEND when the backend asked for is missing */
export async function modelNames(source: ModelSource, backend?: PhysicsBackend): Promise<ModelNames> {
  if (physicsBackend(backend) === 'native') return nativeModelNames(source);
  const { wasmModelNames } = await import('#native/wasm/names');
  return wasmModelNames(source);
}
