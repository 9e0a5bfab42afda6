import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { loadOnnxRuntime, type Ort, type OrtSession, type OrtTensor, openOnnxSession } from '#nn/onnxRuntime';
import type { ImagePreprocessor } from '#reward/backends/imagePreprocessing';

/** Pictures that a model is given at once where it takes any number: more gain nothing on a CPU. */
const BATCH = 16;

/** An output of a model for one picture. @shape data [product of dims] */
export interface Feature {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A network that looks at pictures, with the preprocessing that it was trained with. */
export class VisionModel {
  readonly path: string;
  readonly outputs: readonly string[];
  readonly #ort: Ort;
  readonly #session: OrtSession;
  readonly #preprocessor: ImagePreprocessor;
  /** Pictures of a run; `fixed`: of every run. */
  readonly #batch: number;
  readonly #fixed: boolean;

  private constructor(path: string, ort: Ort, session: OrtSession, preprocessor: ImagePreprocessor) {
    this.path = path;
    this.#ort = ort;
    this.#session = session;
    this.#preprocessor = preprocessor;
    this.outputs = session.outputNames;
    const [input] = session.inputMetadata;
    const leading = input?.shape?.[0];
    this.#fixed = typeof leading === 'number' && leading > 0;
    this.#batch = this.#fixed ? (leading as number) : BATCH;
  }

  /** @throws BACKEND without onnxruntime-node; DATA for a file that is no model of pictures */
  static async load(path: string, preprocessor: ImagePreprocessor, threads: number): Promise<VisionModel> {
    const ort = await loadOnnxRuntime('a score of pictures by an ONNX model');
    const fail = (what: string, cause?: unknown): never => {
      const { width, height } = preprocessor;
      throw new VernierError('DATA', `${path}: ${what}`, {
        hint: `expected one float32 input [batch, 3, ${height}, ${width}]`,
        context: { file: path },
        cause,
      });
    };
    const session = await openOnnxSession(ort, path, threads).catch((cause: Error) =>
      fail(cause.message, cause),
    );
    const [input] = session.inputMetadata;
    if (session.inputNames.length !== 1 || !input)
      fail(`it has ${session.inputNames.length} inputs (${session.inputNames.join(', ')})`);
    const sizes = [3, preprocessor.height, preprocessor.width];
    const shape = input!.shape ?? [];
    const fits =
      shape.length === 4 &&
      sizes.every(
        (n, i) => typeof shape[i + 1] === 'string' || Number(shape[i + 1]) < 0 || shape[i + 1] === n,
      );
    if (input!.type !== 'float32' || !fits) fail(`its input is ${input!.type} [${shape.join(', ')}]`);
    return new VisionModel(path, ort, session, preprocessor);
  }

  /** One output for each picture, in their order. @throws NUMERIC, DATA when the model breaks */
  async run(pictures: readonly Picture[], output: string): Promise<Feature[]> {
    const features: Feature[] = [];
    for (let from = 0; from < pictures.length; from += this.#batch) {
      features.push(...(await this.#runBatch(pictures.slice(from, from + this.#batch), output)));
    }
    return features;
  }

  async #runBatch(pictures: readonly Picture[], output: string): Promise<Feature[]> {
    const { width, height } = this.#preprocessor;
    const rows = this.#fixed ? this.#batch : pictures.length;
    const size = 3 * width * height;
    const pixels = new Float32Array(rows * size);
    for (const [i, picture] of pictures.entries()) {
      this.#preprocessor.prepare(picture, pixels.subarray(i * size, (i + 1) * size));
    }
    const input = new this.#ort.Tensor('float32', pixels, [rows, 3, height, width]);
    const answer = await this.#ask(input, output);
    const length = answer.data.length / rows;
    return pictures.map((_, i) => {
      const data = Float32Array.from({ length }, (__, k) => answer.data[i * length + k]!);
      if (!data.every(Number.isFinite))
        throw new VernierError('NUMERIC', `${this.path}: ${output} is not finite`);
      return { dims: answer.dims.slice(1), data };
    });
  }

  async #ask(input: OrtTensor, output: string): Promise<OrtTensor> {
    try {
      return (await this.#session.run({ [this.#session.inputNames[0]!]: input }, [output]))[output]!;
    } catch (cause) {
      throw new VernierError('DATA', `${this.path}: ${(cause as Error).message}`, { cause });
    }
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}
