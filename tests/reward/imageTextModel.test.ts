import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Picture } from '#core/frame';
import { PhiloxStream } from '#core/philox';
import { packageRoot } from '#native/addon';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { uniformFanIn } from '#nn/initializers';
import { exportOnnx } from '#nn/onnx';
import { ImageTextModel } from '#reward/backends/imageTextModel';
import { onnxScoresMissing } from './optionalPackages.js';

/** Models laid out otherwise than CLIP: SigLIP's names and sizes, batches of one size only, integers of 32 bits. */

const SIDE = 8;
const CONTEXT = 16;
const D = 5;
const scratch = mkdtempSync(join(tmpdir(), 'vernier-image-text-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const block = new nn.ParameterBlock('linear', { rng: new PhiloxStream(4) });
const looks = block.add('looks', [3 * SIDE * SIDE, D], uniformFanIn());
const means = block.add('means', [CONTEXT, D], uniformFanIn());

/** A linear model of the pixels. @shape result [rows, D] */
const vision = (rows: number): nn.Tensor =>
  nn.matmul(nn.reshape(nn.input('pixel_values', [rows, 3, SIDE, SIDE]), [rows, -1]), looks);

/** A linear model of the tokens, without those of the padding where there is a mask. */
function text(mask: boolean): nn.Tensor {
  const ids = nn.cast(nn.input('input_ids', [1, CONTEXT], 'i32'));
  const seen = mask ? nn.mul(ids, nn.cast(nn.input('attention_mask', [1, CONTEXT], 'i32'))) : ids;
  return nn.matmul(nn.add(seen, 1), means);
}

interface Layout {
  readonly rows: number;
  readonly mask: boolean;
  readonly preprocessing: unknown;
  /** What texts are padded with: 0, or the word that is not known, 1. */
  readonly pad?: '[PAD]' | '[UNK]';
}

function write(name: string, { rows, mask, preprocessing, pad = '[PAD]' }: Layout): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const networks = { vision_model: vision(rows), text_model: text(mask) };
  for (const [file, pooler_output] of Object.entries(networks)) {
    writeFileSync(join(folder, `${file}.onnx`), exportOnnx({ name: file, outputs: { pooler_output } }));
  }
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessing));
  copyFileSync(join(packageRoot, 'models', 'two_tower', 'tokenizer.json'), join(folder, 'tokenizer.json'));
  const config = { model_max_length: CONTEXT, pad_token: { content: pad } };
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return folder;
}

/** A picture that is wider than high. */
function picture(seed: number): Picture {
  const rng = new PhiloxStream(seed);
  return { width: 12, height: SIDE, rgb: Uint8Array.from({ length: 3 * 12 * SIDE }, () => rng.integer(256)) };
}

/** What the vision network must answer for pixels in [-1, 1], by the engine. */
function expected(pixels: Float32Array): number[] {
  const program = compile({ name: 'expected', outputs: { out: vision(1) } }, { backend: 'reference' });
  program.inputs['pixel_values']!.set(pixels);
  program.run();
  const out = Array.from(program.outputs['out']!);
  program.close();
  const norm = Math.hypot(...out);
  return out.map((x) => x / norm);
}

const close = (vector: Float64Array, values: readonly number[]): void => {
  for (const [i, value] of values.entries()) expect(vector[i]).toBeCloseTo(value, 5);
};

describe.skipIf(onnxScoresMissing)(
  `models of pictures and texts${onnxScoresMissing ? ` (skipped: ${onnxScoresMissing})` : ''}`,
  () => {
    it('run in batches of the one size that they take, the middle cut out of each picture', async () => {
      const preprocessing = {
        size: { shortest_edge: SIDE },
        crop_size: SIDE,
        do_center_crop: true,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
      };
      const folder = write('fixed', { rows: 4, mask: false, preprocessing });
      const model = await ImageTextModel.load(folder, { threads: 1 });
      const pictures = Array.from({ length: 6 }, (_, i) => picture(i));
      const embeddings = await model.embedImages(pictures);
      expect(embeddings).toHaveLength(6);
      for (const [i, { rgb }] of pictures.entries()) {
        const pixels = new Float32Array(3 * SIDE * SIDE);
        for (let c = 0; c < 3; c++)
          for (let y = 0; y < SIDE; y++)
            for (let x = 0; x < SIDE; x++)
              pixels[(c * SIDE + y) * SIDE + x] = rgb[3 * (12 * y + x + 2) + c]! / 127.5 - 1;
        close(embeddings[i]!, expected(pixels));
      }
      await model.close();
    });

    it('squeeze pictures as SigLIP does, and pad texts to the whole context', async () => {
      const preprocessing = {
        size: { height: SIDE, width: SIDE },
        resample: 0,
        image_mean: [0, 0, 0],
        image_std: [1, 1, 1],
      };
      const folder = write('siglip', { rows: 1, mask: false, preprocessing });
      const model = await ImageTextModel.load(folder, { threads: 1 });
      const one = picture(1);
      const pixels = new Float32Array(3 * SIDE * SIDE);
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < SIDE; y++)
          for (let x = 0; x < SIDE; x++)
            pixels[(c * SIDE + y) * SIDE + x] =
              one.rgb[3 * (12 * y + Math.floor(1.5 * (x + 0.5))) + c]! / 255;
      close((await model.embedImages([one]))[0]!, expected(pixels));
      await model.close();
    });

    it('are given a mask where they want one', async () => {
      const preprocessing = { size: { height: SIDE, width: SIDE } };
      const texts = ['the peg is in the hole', 'the nut is on the peg'];
      const embed = async (name: string, layout: Pick<Layout, 'mask' | 'pad'>): Promise<Float64Array[]> => {
        const folder = write(name, { rows: 1, preprocessing, ...layout });
        const model = await ImageTextModel.load(folder, { threads: 1 });
        const embeddings = await model.embedTexts(texts);
        await model.close();
        return embeddings;
      };
      const zeros = await embed('zeros', { mask: false });
      expect(zeros[0]).not.toEqual(zeros[1]);
      expect(await embed('unmasked', { mask: false, pad: '[UNK]' })).not.toEqual(zeros);
      expect(await embed('masked', { mask: true, pad: '[UNK]' })).toEqual(zeros);
    });
  },
);
