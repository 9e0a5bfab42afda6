import { join } from 'node:path';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { ImagePreprocessor } from '#reward/backends/imagePreprocessing';
import { filesHash, ModelDirectory } from '#reward/backends/modelDirectory';
import { type Feature, VisionModel } from '#reward/backends/visionModel';
import type { GoalImageSpec } from '#spec/scores/goalImageSchema';

/** What a picture looks like, place by place. */

/** A vector for each place of a picture. @shape values [places, channels] */
export interface PlaceFeatures {
  readonly places: number;
  readonly channels: number;
  readonly values: Float32Array;
}

export interface FeatureSource {
  /** Hex SHA-256 of the network with its preprocessing, or the name of what needs none. */
  readonly hash: string;
  of(pictures: readonly Picture[]): Promise<PlaceFeatures[]>;
  close(): Promise<void>;
}

/** @throws IO, BACKEND, DATA as VisionModel.load; DATA for a network without such an output */
export async function openFeatures(
  features: GoalImageSpec['features'],
  resolvePath: (path: string) => string,
): Promise<FeatureSource> {
  if (features === 'pixels') return pixels;
  const directory = new ModelDirectory(resolvePath(features.model));
  const network = directory.network(features.network);
  const config = join(directory.path, 'preprocessor_config.json');
  const preprocessor = new ImagePreprocessor(directory.json('preprocessor_config.json'), config);
  const model = await VisionModel.load(network, preprocessor, features.threads);
  const output = await chooseOutput(model, preprocessor, features.output);
  return {
    hash: filesHash([network, config]),
    of: async (pictures) => (await model.run(pictures, output)).map(byPlace),
    close: () => model.close(),
  };
}

/** The picture itself as one place, its mean taken off. */
const pixels: FeatureSource = {
  hash: 'pixels',
  of: async (pictures) =>
    pictures.map(({ rgb }) => {
      const mean = rgb.reduce((sum, value) => sum + value, 0) / rgb.length;
      return { places: 1, channels: rgb.length, values: Float32Array.from(rgb, (value) => value - mean) };
    }),
  close: async () => {},
};

/** Asks the network once, with a black picture, for the shapes of its outputs. */
async function chooseOutput(
  model: VisionModel,
  { width, height }: ImagePreprocessor,
  wanted: string | undefined,
): Promise<string> {
  const black = { width, height, rgb: new Uint8Array(3 * width * height) };
  const shapes: string[] = [];
  for (const output of wanted === undefined ? model.outputs : [wanted]) {
    if (!model.outputs.includes(output)) continue;
    const { dims } = (await model.run([black], output))[0]!;
    if (dims.length === 2 || dims.length === 3) return output;
    shapes.push(`${output} [batch, ${dims.join(', ')}]`);
  }
  throw new VernierError('DATA', `${model.path}: no output has a feature for each place`, {
    hint: `expected [batch, channels, height, width] or [batch, places, channels]; it has ${shapes.join(', ') || model.outputs.join(', ')}`,
    context: { file: model.path },
  });
}

/** [C,H,W] or [T,C] place by place. A class token before a square grid of patches is no place, and left out. */
function byPlace({ dims, data }: Feature): PlaceFeatures {
  if (dims.length === 2) {
    const [tokens, channels] = dims as [number, number];
    const first = Number.isInteger(Math.sqrt(tokens)) || !Number.isInteger(Math.sqrt(tokens - 1)) ? 0 : 1;
    return { places: tokens - first, channels, values: data.subarray(first * channels) };
  }
  const [channels, height, width] = dims as [number, number, number];
  const places = height * width;
  const values = new Float32Array(data.length);
  for (let place = 0; place < places; place++) {
    for (let c = 0; c < channels; c++) values[place * channels + c] = data[c * places + place]!;
  }
  return { places, channels, values };
}

/** Cosine of the two pictures' vectors, averaged over the places; two empty places are alike.
 * @throws SHAPE when the pictures have different sizes */
export function likeness(a: PlaceFeatures, b: PlaceFeatures): number {
  if (a.places !== b.places || a.channels !== b.channels) {
    throw new VernierError('SHAPE', 'goal-image: a picture and the one of the goal have different sizes', {
      hint: 'the goal must come from the same camera',
    });
  }
  let sum = 0;
  for (let from = 0; from < a.values.length; from += a.channels) {
    let [dot, aa, bb] = [0, 0, 0];
    for (let i = from; i < from + a.channels; i++) {
      const [x, y] = [a.values[i]!, b.values[i]!];
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    if (aa > 0 && bb > 0) sum += dot / Math.sqrt(aa * bb);
    else if (aa === bb) sum += 1;
  }
  return sum / a.places;
}
