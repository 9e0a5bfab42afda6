import { join } from 'node:path';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { loadOnnxRuntime, type OrtSession, openOnnxSession } from '#nn/onnxRuntime';
import { ImagePreprocessor } from '#reward/backends/imagePreprocessing';
import { filesHash, ModelDirectory } from '#reward/backends/modelDirectory';
import { TextTokenizer } from '#reward/backends/textTokenizer';
import { VisionModel } from '#reward/backends/visionModel';

/** Names of the embeddings in exports of CLIP and of SigLIP. */
const IMAGE_OUTPUTS = ['image_embeds', 'pooler_output'];
const TEXT_OUTPUTS = ['text_embeds', 'pooler_output'];

export interface ImageTextOptions {
  /** What stands behind the networks' names, such as `quantized`; what there is when left out. */
  readonly variant?: string;
  readonly threads: number;
}

/** A CLIP or SigLIP model from a folder: pictures and texts as unit vectors of one space. */
export class ImageTextModel {
  /** Hex SHA-256 of the networks, the tokenizer and the preprocessing. */
  readonly hash: string;
  readonly #vision: VisionModel;
  readonly #imageOutput: string;
  readonly #text: TextModel;

  private constructor(hash: string, vision: VisionModel, imageOutput: string, text: TextModel) {
    this.hash = hash;
    this.#vision = vision;
    this.#imageOutput = imageOutput;
    this.#text = text;
  }

  /** @throws IO for what is missing; BACKEND without the packages; DATA for a model that is something else */
  static async load(path: string, { variant, threads }: ImageTextOptions): Promise<ImageTextModel> {
    const directory = new ModelDirectory(path);
    const networks = ['vision_model', 'text_model'].map((name) => directory.network(name, variant)) as [
      string,
      string,
    ];
    const preprocessing = join(path, 'preprocessor_config.json');
    const preprocessor = new ImagePreprocessor(directory.json('preprocessor_config.json'), preprocessing);
    const text = await TextModel.load(networks[1], directory, threads);
    const vision = await VisionModel.load(networks[0], preprocessor, threads);
    const jsons = ['tokenizer.json', 'tokenizer_config.json', 'config.json'].map((name) => join(path, name));
    const hash = filesHash([...networks, preprocessing, ...jsons]);
    return new ImageTextModel(hash, vision, chooseOutput(networks[0], vision.outputs, IMAGE_OUTPUTS), text);
  }

  /** @shape result [pictures] of [D], unit length */
  async embedImages(pictures: readonly Picture[]): Promise<Float64Array[]> {
    return (await this.#vision.run(pictures, this.#imageOutput)).map(({ dims, data }) =>
      unitVector(data, dims, this.#vision.path),
    );
  }

  /** @shape result [texts] of [D], unit length */
  async embedTexts(texts: readonly string[]): Promise<Float64Array[]> {
    const embeddings: Float64Array[] = [];
    for (const text of texts) embeddings.push(await this.#text.embed(text));
    return embeddings;
  }

  async close(): Promise<void> {
    await this.#vision.close();
    await this.#text.close();
  }
}

class TextModel {
  readonly #path: string;
  readonly #session: OrtSession;
  readonly #tokenizer: TextTokenizer;
  readonly #output: string;

  private constructor(path: string, session: OrtSession, tokenizer: TextTokenizer, output: string) {
    this.#path = path;
    this.#session = session;
    this.#tokenizer = tokenizer;
    this.#output = output;
  }

  static async load(path: string, directory: ModelDirectory, threads: number): Promise<TextModel> {
    const tokenizer = await TextTokenizer.load(directory);
    const ort = await loadOnnxRuntime('a score of pictures by an ONNX model');
    const session = await openOnnxSession(ort, path, threads).catch((cause: Error) => {
      throw new VernierError('DATA', `${path}: ${cause.message}`, { context: { file: path }, cause });
    });
    const unknown = session.inputNames.find((name) => name !== 'input_ids' && name !== 'attention_mask');
    if (unknown !== undefined || !session.inputNames.includes('input_ids')) {
      throw new VernierError('DATA', `${path}: its inputs are ${session.inputNames.join(', ')}`, {
        hint: 'expected input_ids, and attention_mask where the model wants it',
        context: { file: path },
      });
    }
    return new TextModel(path, session, tokenizer, chooseOutput(path, session.outputNames, TEXT_OUTPUTS));
  }

  async embed(text: string): Promise<Float64Array> {
    const ort = await loadOnnxRuntime('a score of pictures by an ONNX model');
    const { ids, mask } = this.#tokenizer.encode(text);
    const feeds = this.#session.inputMetadata.map(({ name, type }) => {
      const values = name === 'input_ids' ? ids : mask;
      const dims = [1, values.length];
      const tensor =
        type === 'int32'
          ? new ort.Tensor('int32', Int32Array.from(values), dims)
          : new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
      return [name, tensor] as const;
    });
    try {
      const answer = (await this.#session.run(Object.fromEntries(feeds), [this.#output]))[this.#output]!;
      return unitVector(Float32Array.from(answer.data), answer.dims.slice(1), this.#path);
    } catch (cause) {
      if (cause instanceof VernierError) throw cause;
      throw new VernierError('DATA', `${this.#path}: ${(cause as Error).message}`, { cause });
    }
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

function chooseOutput(path: string, outputs: readonly string[], wanted: readonly string[]): string {
  const found = wanted.find((name) => outputs.includes(name));
  if (found !== undefined) return found;
  throw new VernierError('DATA', `${path}: its outputs are ${outputs.join(', ')}`, {
    hint: `expected an embedding named ${wanted.join(' or ')}`,
    context: { file: path },
  });
}

function unitVector(data: Float32Array, dims: readonly number[], path: string): Float64Array {
  if (dims.length !== 1)
    throw new VernierError('DATA', `${path}: an embedding is [${dims.join(', ')}], expected one vector`);
  const norm = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
  if (!(norm > 0)) throw new VernierError('NUMERIC', `${path}: an embedding has the length ${norm}`);
  return Float64Array.from(data, (x) => x / norm);
}
