import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Frame, type Moment, makeFrame } from '#core/frame';
import { encodePng } from '#core/png';
import { packageRoot } from '#native/addon';
import { makeGoalImageScorer } from '#reward/backends/goalImage';
import { goalImageSchema } from '#spec/scores/goalImageSchema';
import { onnxScoresMissing } from './optionalPackages.js';

const model = join(packageRoot, 'models', 'two_tower');
const scratch = mkdtempSync(join(tmpdir(), 'vernier-goal-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A red square on a checkered ground, its left upper corner at x. */
function frame(x: number, side = 64): Frame {
  const rgb = new Uint8Array(3 * side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const inside = column >= x && column < x + 12 && row >= 26 && row < 38;
      const ground = (row >> 3) % 2 === (column >> 3) % 2 ? 120 : 160;
      rgb.set(inside ? [220, 40, 30] : [ground, ground, ground], 3 * (row * side + column));
    }
  }
  return makeFrame('front', { width: side, height: side, rgb });
}
const at = (x: number): Moment => ({ views: [frame(x)] });
const path = [0, 8, 16, 24, 32, 40].map(at);
const context = { directory: scratch, instruction: '', start: path[0]!, goal: path.at(-1)! };
const ask = (moments: readonly Moment[]) => [{ moments, instruction: '' }];

describe('goal-image', () => {
  it('is 0 at the start, 1 at the goal, and higher the more of the goal is there', async () => {
    const scorer = await makeGoalImageScorer(goalImageSchema.parse({}), context);
    const { phi } = (await scorer.score(ask([...path, at(36)])))[0]!;
    expect(phi[0]).toBe(0);
    expect(phi[5]).toBe(1);
    expect(phi[6]).toBeGreaterThan(0.5);
    expect(phi[6]).toBeLessThan(1);
  });

  it('takes the goal from a PNG file, which changes the question', async () => {
    writeFileSync(join(scratch, 'goal.png'), encodePng(frame(40)));
    writeFileSync(join(scratch, 'other.png'), encodePng(frame(16)));
    const { goal: _, ...rest } = context;
    const scorer = await makeGoalImageScorer(goalImageSchema.parse({ goal: 'goal.png' }), rest);
    const other = await makeGoalImageScorer(goalImageSchema.parse({ goal: 'other.png' }), rest);
    expect((await scorer.score(ask(path)))[0]!.phi[5]).toBe(1);
    expect((await other.score(ask(path)))[0]!.phi[2]).toBe(1);
    expect(other.prompt).not.toBe(scorer.prompt);
  });

  it('has the calibration it is given', async () => {
    const settings = goalImageSchema.parse({ calibrate: { low: -1, high: 1 } });
    const { start: _, ...rest } = context;
    const scorer = await makeGoalImageScorer(settings, rest);
    const plain = await makeGoalImageScorer(goalImageSchema.parse({}), context);
    const [raw, phi] = [(await scorer.score(ask(path)))[0]!.phi, (await plain.score(ask(path)))[0]!.phi];
    for (const [i, value] of phi.entries()) {
      const least = 2 * raw[0]! - 1;
      expect(value).toBeCloseTo(Math.max(0, (2 * raw[i]! - 1 - least) / (1 - least)), 9);
    }
  });

  it.each([
    [{}, { directory: scratch, instruction: '' }, /no picture of the goal/],
    [{ goal: 'none.png' }, context, /none\.png: ENOENT/],
    [{ features: { model: 'nowhere' } }, context, /nowhere: no such folder/],
  ])('%j without what it needs is one message', async (settings, where, expected) => {
    await expect(makeGoalImageScorer(goalImageSchema.parse(settings), where)).rejects.toThrow(expected);
  });

  it('refuses a goal of another size, and moments with other views', async () => {
    const large = { ...context, start: { views: [frame(0, 32)] } };
    await expect(makeGoalImageScorer(goalImageSchema.parse({}), large)).rejects.toThrow(/different sizes/);
    const scorer = await makeGoalImageScorer(goalImageSchema.parse({}), context);
    await expect(scorer.score(ask([{ views: [frame(0), frame(0)] }]))).rejects.toThrow(/2 views against 1/);
  });
});

describe.skipIf(onnxScoresMissing)(
  `goal-image by a network${onnxScoresMissing ? ` (skipped: ${onnxScoresMissing})` : ''}`,
  () => {
    it('compares what the network sees place by place', async () => {
      const scorer = await makeGoalImageScorer(goalImageSchema.parse({ features: { model } }), context);
      const { phi } = (await scorer.score(ask(path)))[0]!;
      expect(phi[0]).toBe(0);
      expect(phi[5]).toBeCloseTo(1, 6);
      expect(phi[4]).toBeGreaterThan(phi[1]!);
      const [alone] = await scorer.score(ask([path[4]!]));
      expect(alone!.phi[0]).toBe(phi[4]);
      await scorer.close();
    });

    it('refuses an output without places', async () => {
      const settings = goalImageSchema.parse({ features: { model, output: 'image_embeds' } });
      await expect(makeGoalImageScorer(settings, context)).rejects.toThrow(/no output has a feature/);
    });
  },
);
