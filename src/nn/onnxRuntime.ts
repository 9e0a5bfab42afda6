import { VernierError } from '#core/errors';

/** onnxruntime-node, which runs models made elsewhere: the sole file that loads it, and only when asked to. */

/** The part that is used; the package is optional, so its types are not imported. */
export interface OrtTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** What a session says of an input. */
export interface OrtValue {
  readonly name: string;
  readonly isTensor: boolean;
  /** `float32`, `int64`, ... */
  readonly type?: string;
  /** A name, or a negative number, where a dimension is open. */
  readonly shape?: readonly (number | string)[];
}

export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly OrtValue[];
  run(feeds: Record<string, OrtTensor>, fetches?: readonly string[]): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

type OrtData = { float32: Float32Array; int32: Int32Array; int64: BigInt64Array };

interface SessionOptions {
  readonly intraOpNumThreads?: number;
  readonly logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
}

export interface Ort {
  readonly InferenceSession: {
    create(model: Uint8Array | string, options?: SessionOptions): Promise<OrtSession>;
  };
  readonly Tensor: new <T extends keyof OrtData>(
    type: T,
    data: OrtData[T],
    dims: readonly number[],
  ) => OrtTensor;
}

const PACKAGE = 'onnxruntime-node';

/** @param need what is to be done with it, for the message @throws BACKEND where it is not installed */
export async function loadOnnxRuntime(need: string): Promise<Ort> {
  try {
    const module = (await import(PACKAGE)) as Ort & { readonly default?: Ort };
    return module.default ?? module;
  } catch (cause) {
    throw new VernierError('BACKEND', `${need} needs ${PACKAGE}, which is not installed`, {
      hint: `npm install ${PACKAGE}`,
      cause,
    });
  }
}

/** A model from its bytes, or from its path where it may have data in files beside it. */
export function openOnnxSession(
  { InferenceSession }: Ort,
  model: Uint8Array | string,
  threads?: number,
): Promise<OrtSession> {
  const options = threads === undefined ? {} : { intraOpNumThreads: threads };
  return InferenceSession.create(model, { logSeverityLevel: 3, ...options });
}
