import { z } from 'zod';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { type Filter, resample } from '#reward/backends/resample';

/** From a picture to what an image model was trained on, as its preprocessor_config.json says. */

const side = z.int().positive();
const sizeSchema = z.union([
  side.transform((length) => ({ shortest: length })),
  z.object({ shortest_edge: side }).transform((s) => ({ shortest: s.shortest_edge })),
  z.object({ height: side, width: side }),
]);
const threeNumbers = z.array(z.number()).length(3);

/** The keys that change pixels; the rest of the file is of no account here. */
const configSchema = z.object({
  do_resize: z.boolean().default(true),
  size: sizeSchema.optional(),
  resample: z.int().default(3),
  do_center_crop: z.boolean().optional(),
  crop_size: z
    .union([side.transform((n) => ({ height: n, width: n })), z.object({ height: side, width: side })])
    .optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: threeNumbers.default([0.5, 0.5, 0.5]),
  image_std: threeNumbers.default([0.5, 0.5, 0.5]),
});
type Config = z.output<typeof configSchema>;

/** Pillow's filters by their numbers. */
const FILTERS: readonly Filter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/** Resizing, the middle cut out, and bytes to normalised numbers.
 * @source Hugging Face's CLIPImageProcessor and SiglipImageProcessor; differs: none in
 * what these do */
export class ImagePreprocessor {
  /** Of the model's pictures. */
  readonly width: number;
  readonly height: number;
  readonly #config: Config;
  readonly #filter: Filter;
  /** value = byte * scale + offset, for each channel. */
  readonly #scale: readonly number[];
  readonly #offset: readonly number[];

  /** @param config the content of preprocessor_config.json @param file what messages call it
   * @throws DATA for a config that cannot be followed */
  constructor(config: unknown, file: string) {
    const fail = (what: string): never => {
      throw new VernierError('DATA', `${file}: ${what}`, { context: { file } });
    };
    const parsed = configSchema.safeParse(config);
    const known = parsed.success ? parsed.data : fail(z.prettifyError(parsed.error).replaceAll('\n', '; '));
    const { size, crop_size, do_rescale, rescale_factor, do_normalize } = known;
    this.#config = known;
    this.#filter = FILTERS[known.resample] ?? fail(`resample is ${known.resample}, expected 0 to 5`);
    const crop = crops(known) ? (crop_size ?? fail('do_center_crop without crop_size')) : undefined;
    const fixed = size && 'height' in size ? size : undefined;
    const { width, height } = crop ?? fixed ?? fail('without a crop, size must give height and width');
    this.width = width;
    this.height = height;
    const rescale = do_rescale ? rescale_factor : 1;
    const [mean, deviation] = do_normalize
      ? [known.image_mean, known.image_std]
      : [
          [0, 0, 0],
          [1, 1, 1],
        ];
    this.#scale = deviation.map((d) => rescale / d);
    this.#offset = mean.map((m, c) => -m / deviation[c]!);
  }

  /** @shape outPixels [3, height, width] */
  prepare(picture: Picture, outPixels: Float32Array): void {
    const sized = this.#resize(picture);
    const { width, height } = this;
    // Half a pixel more stays on top and on the left; what lies outside is black.
    const left = Math.floor((sized.width - width) / 2);
    const top = Math.floor((sized.height - height) / 2);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const [column, row] = [x + left, y + top];
        const inside = column >= 0 && row >= 0 && column < sized.width && row < sized.height;
        const from = 3 * (row * sized.width + column);
        for (let c = 0; c < 3; c++) {
          const byte = inside ? sized.rgb[from + c]! : 0;
          outPixels[c * width * height + at] = byte * this.#scale[c]! + this.#offset[c]!;
        }
      }
    }
  }

  #resize(picture: Picture): Picture {
    const { do_resize, size } = this.#config;
    if (!do_resize || !size) return picture;
    if ('height' in size) return resample(picture, size.width, size.height, this.#filter);
    const short = Math.min(picture.width, picture.height);
    const scaled = (n: number): number => Math.trunc((size.shortest * n) / short);
    return resample(picture, scaled(picture.width), scaled(picture.height), this.#filter);
  }
}

/** CLIP says whether it crops, SigLIP never does and says nothing. */
function crops({ do_center_crop, crop_size }: Config): boolean {
  return do_center_crop ?? crop_size !== undefined;
}
