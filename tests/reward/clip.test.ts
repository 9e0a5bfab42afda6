import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, type Moment, makeFrame } from '#core/frame';
import { PhiloxStream } from '#core/philox';
import { packageRoot } from '#native/addon';
import { type ClipScorer, makeClipScorer } from '#reward/backends/clip';
import { ImageTextModel } from '#reward/backends/imageTextModel';
import { clipSchema } from '#spec/scores/clipSchema';
import { onnxScoresMissing } from './optionalPackages.js';

const model = join(packageRoot, 'models', 'two_tower');
const context = { directory: packageRoot, instruction: 'Insert a peg.' };
const words = { goal: 'the peg is in the hole', baseline: 'the peg is far from the hole' };

/** Frames of noise, each with its own seed. */
function noise(seed: number, side = 64): Frame {
  const rng = new PhiloxStream(seed);
  return makeFrame('front', {
    width: side,
    height: side,
    rgb: Uint8Array.from({ length: 3 * side * side }, () => rng.integer(256)),
  });
}

const scratch = mkdtempSync(join(tmpdir(), 'vernier-clip-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A copy of the model's folder to break. */
function copy(name: string): string {
  const folder = join(scratch, name);
  cpSync(model, folder, { recursive: true });
  return folder;
}

const make = (settings: Record<string, unknown> = {}): Promise<ClipScorer> =>
  makeClipScorer(clipSchema.parse({ model, ...words, ...settings }), context);

describe.skipIf(onnxScoresMissing)(
  `clip${onnxScoresMissing ? ` (skipped: ${onnxScoresMissing})` : ''}`,
  () => {
    const moments: Moment[] = Array.from({ length: 37 }, (_, i) => ({ views: [noise(i), noise(100 + i)] }));
    const request = (some: readonly Moment[]) => [{ moments: some, instruction: '' }];
    let clip: ClipScorer;
    beforeAll(async () => {
      clip = await make();
    });
    afterAll(() => clip.close());

    it('gives a picture the same score whatever stands beside it', async () => {
      const [all] = await clip.score(request(moments));
      for (const i of [0, 5, 16, 36]) {
        const [alone] = await clip.score(request([moments[i]!]));
        expect(alone!.phi[0], `moment ${i}`).toBe(all!.phi[i]);
      }
      const [again] = await clip.score(request([...moments].reverse()));
      expect([...again!.phi].reverse()).toEqual([...all!.phi]);
      expect(new Set(all!.phi).size).toBeGreaterThan(10);
    });

    it('averages over the views', async () => {
      const [both] = await clip.raw([moments[0]!]);
      const each = await clip.raw(moments[0]!.views.map((view) => ({ views: [view] })));
      expect(both).toBeCloseTo((each[0]! + each[1]!) / 2, 12);
    });

    it('names its question: words and settings in the prompt, files in the model', async () => {
      const same = await make();
      expect([same.model, same.prompt]).toEqual([clip.model, clip.prompt]);
      const others = [
        { alpha: 0.2 },
        { goal: 'the peg is near the hole' },
        { calibrate: { low: 0, high: 0.9 } },
      ];
      for (const settings of others) {
        const other = await make(settings);
        expect(other.model).toBe(clip.model);
        expect(other.prompt).not.toBe(clip.prompt);
        await other.close();
      }
      const changed = copy('changed');
      const config = JSON.parse(readFileSync(join(changed, 'preprocessor_config.json'), 'utf8'));
      writeFileSync(
        join(changed, 'preprocessor_config.json'),
        JSON.stringify({ ...config, image_mean: [0.4, 0.4, 0.4] }),
      );
      const other = await make({ model: changed });
      expect(other.model).not.toBe(clip.model);
      await Promise.all([same.close(), other.close()]);
    });

    it('takes the goal from the instruction where none is given', async () => {
      const scorer = await makeClipScorer(clipSchema.parse({ model }), context);
      const plain = await makeClipScorer(clipSchema.parse({ model, goal: context.instruction }), context);
      expect(await scorer.raw(moments)).toEqual(await plain.raw(moments));
      await Promise.all([scorer.close(), plain.close()]);
      const speechless = { ...context, instruction: '' };
      await expect(makeClipScorer(clipSchema.parse({ model }), speechless)).rejects.toThrow(/no words/);
    });

    it('fits pictures of any size to the model', async () => {
      const [large] = await clip.raw([{ views: [noise(1, 200)] }]);
      expect(large).toBeGreaterThan(-1);
      expect(large).toBeLessThan(1);
    });

    it('finds networks in a folder onnx and under other names', async () => {
      const folder = copy('quantised');
      mkdirSync(join(folder, 'onnx'));
      for (const name of ['vision_model', 'text_model'])
        renameSync(join(folder, `${name}.onnx`), join(folder, 'onnx', `${name}_quantized.onnx`));
      for (const settings of [{}, { variant: 'quantized' }]) {
        const scorer = await make({ model: folder, ...settings });
        expect(await scorer.raw(moments)).toEqual(await clip.raw(moments));
        await scorer.close();
      }
      await expect(make({ model: folder, variant: 'fp16' })).rejects.toThrow(/no vision_model_fp16\.onnx/);
    });

    it.each<[string, (folder: string) => void, RegExp]>([
      ['no folder', (folder) => rmSync(folder, { recursive: true }), /no such folder of a model/],
      ['no text network', (folder) => rmSync(join(folder, 'text_model.onnx')), /no text_model\.onnx/],
      ['no tokenizer', (folder) => rmSync(join(folder, 'tokenizer.json')), /no tokenizer\.json/],
      [
        'a torn network',
        (folder) => writeFileSync(join(folder, 'vision_model.onnx'), 'torn'),
        /vision_model\.onnx: /,
      ],
      [
        'another size of picture',
        (folder) => {
          const file = join(folder, 'preprocessor_config.json');
          const config = JSON.parse(readFileSync(file, 'utf8'));
          writeFileSync(file, JSON.stringify({ ...config, size: 32, crop_size: 32 }));
        },
        /its input is float32 \[batch, 3, 64, 64\]/,
      ],
      [
        'towers that are swapped',
        (folder) => cpSync(join(folder, 'text_model.onnx'), join(folder, 'vision_model.onnx')),
        /its input is int64/,
      ],
      [
        'a preprocessor that says nothing',
        (folder) => writeFileSync(join(folder, 'preprocessor_config.json'), '{"do_center_crop": true}'),
        /do_center_crop without crop_size/,
      ],
    ])('%s is one message', async (name, spoil, expected) => {
      const folder = copy(name.replaceAll(' ', '_'));
      spoil(folder);
      await expect(make({ model: folder })).rejects.toThrow(expected);
    });

    it('embeds a text that is too long, or unknown', async () => {
      const loaded = await ImageTextModel.load(model, { threads: 1 });
      const [long, unknown] = await loaded.embedTexts(['peg '.repeat(100), 'zwirn']);
      for (const vector of [long!, unknown!]) {
        expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
      }
      await loaded.close();
    });
  },
);
