import type { ModelNames, ModelSource } from '#core/model';
import { nativeModelNames } from '#native/nativeBatch';

/** Names, sizes and addresses of a model. @throws PHYSICS when MuJoCo refuses it; BACKEND when MuJoCo is missing */
export async function modelNames(source: ModelSource): Promise<ModelNames> {
  return nativeModelNames(source);
}
