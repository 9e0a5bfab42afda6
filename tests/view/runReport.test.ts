import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEvents, scalarsOf } from '#view/runEvents';
import { readRunReport, writeRunReport } from '#view/runReport';

const score = (successes: number, episodes = 50) => ({
  successes,
  episodes,
  rate: successes / episodes,
  low: Math.max(0, successes / episodes - 0.1),
  high: Math.min(1, successes / episodes + 0.1),
  meanLength: 60,
});

/** A run that was killed in its online phase and resumed there. */
const events = [
  { seconds: 0, kind: 'phase', phase: 'demos', environmentSteps: 0 },
  { seconds: 3, kind: 'demos', kept: 20, wanted: 20, tried: 24 },
  { seconds: 3, kind: 'phase', phase: 'base', environmentSteps: 0 },
  { seconds: 8, kind: 'bc', step: 4000, total: 4000, loss: 0.02, validation: 0.05 },
  { seconds: 9, kind: 'evaluation', what: 'base', environmentSteps: 0, score: score(20) },
  { seconds: 9, kind: 'phase', phase: 'online', environmentSteps: 1000 },
  {
    seconds: 19,
    kind: 'progress',
    phase: 'online',
    environmentSteps: 5000,
    total: 10000,
    updates: 8000,
    stepsPerSecond: 400,
    updatesPerSecond: 800,
    eta: 12,
    losses: { criticLoss: 0.01, actorLoss: null },
  },
  { seconds: 20, kind: 'evaluation', what: 'policy', environmentSteps: 5000, score: score(35) },
  { seconds: 20, kind: 'checkpoint', environmentSteps: 5000, path: 'c' },
  { seconds: 0.5, kind: 'note', text: 'resumed at 5000 environment steps' },
  { seconds: 0.5, kind: 'phase', phase: 'online', environmentSteps: 5000 },
  { seconds: 10.5, kind: 'evaluation', what: 'policy', environmentSteps: 10000, score: score(49) },
  { seconds: 10.5, kind: 'phase', phase: 'final evaluation', environmentSteps: 10000 },
];
const final = {
  seconds: 14.5,
  kind: 'evaluation',
  what: 'final',
  environmentSteps: 10000,
  score: score(196, 200),
  base: score(84, 200),
  paired: { both: 83, onlyFirst: 1, onlySecond: 113, neither: 3, pValue: 1e-30 },
};
const origin = { title: 'peg_insertion', command: 'npx vernier train tasks/peg_insertion.yaml' };

describe('the report of a run folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vernier-run-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (lines: readonly object[], tail = ''): void =>
    writeFileSync(
      join(folder, 'metrics.jsonl'),
      lines.map((line) => `${JSON.stringify(line)}\n`).join('') + tail,
    );

  it('tells the result, the curve and where the time went, over a resumption', () => {
    write([...events, final, { seconds: 15, kind: 'phase', phase: 'done', environmentSteps: 10000 }]);
    writeFileSync(join(folder, 'config.json'), '{"residual": {"algorithm": "residual", "seed": 3}}\n');
    const report = readRunReport(folder, { ...origin, facts: [['engine', 'native']] });
    expect(report.facts).toEqual([
      ['environment steps', '10,000'],
      ['wall clock', '0.6 min'],
      ['algorithm', 'residual'],
      ['seed', '3'],
      ['engine', 'native'],
    ]);
    expect(report.phases).toEqual([
      { name: 'demos', seconds: 3 },
      { name: 'base', seconds: 6 },
      { name: 'online', seconds: expect.closeTo(21.5) },
      { name: 'final evaluation', seconds: 4.5 },
    ]);
    expect(report.scores).toMatchObject([
      { name: 'base', score: { successes: 84, episodes: 200 } },
      { name: 'base + residual', score: { successes: 196, episodes: 200 } },
    ]);
    expect(report.pairing).toEqual({ both: 83, onlyBase: 1, onlyPolicy: 113, neither: 3, pValue: 1e-30 });
    expect(report.verdict).toBe('The run ships base + residual.');
    expect(report.curve).toMatchObject({
      base: { success: 0.4 },
      series: [
        {
          points: [
            { environmentSteps: 5000, success: 0.7, low: expect.closeTo(0.6) },
            { environmentSteps: 10000, success: 0.98, high: 1 },
          ],
        },
      ],
    });
    expect(report.notes).toEqual(['resumed at 5000 environment steps']);
    const criticLoss = report.scalars.find(({ title }) => title === 'criticLoss');
    expect(criticLoss?.series[0]?.points).toEqual([{ environmentSteps: 5000, value: 0.01 }]);
  });

  it('says when learning did not pay', () => {
    write([...events, { ...final, score: score(80, 200) }]);
    expect(readRunReport(folder, origin).verdict).toMatch(/ships its base/);
  });

  it('of an unfinished run shows how far it got, without its torn last line', () => {
    write(events, '{"seconds": 12, "kind": "progr');
    const report = readRunReport(folder, origin);
    expect(report.scores.map(({ score: { successes } }) => successes)).toEqual([20, 49]);
    expect(report.verdict).toBeUndefined();
  });

  it('of a run that has only begun is a page all the same', async () => {
    write(events.slice(0, 2));
    const path = await writeRunReport(folder, origin);
    expect(readFileSync(path, 'utf8')).toContain('demos');
    expect(existsSync(join(folder, 'curve.png'))).toBe(false);
  });

  it('takes in the pictures of episodes, and leaves the curve beside it', async () => {
    write([...events, final]);
    mkdirSync(join(folder, 'episodes'));
    for (const name of ['base_and_residual_e0_n1_success', 'base_e0_n1_failure']) {
      const png = PNG.sync.write(new PNG({ width: 2, height: 2 }));
      writeFileSync(join(folder, 'episodes', `${name}.png`), png);
    }
    writeFileSync(join(folder, 'episodes', 'base_e0_n1_failure.mp4'), '');
    const html = readFileSync(await writeRunReport(folder, origin), 'utf8');
    const captions = [...html.matchAll(/<figcaption>(.*?)<\/figcaption>/g)].map(([, caption]) => caption);
    expect(captions).toEqual([
      'base: environment 0, episode 1, failure',
      'base and residual: environment 0, episode 1, success',
    ]);
    expect(html).toContain('data:image/png;base64,iVBOR');
    expect(readFileSync(join(folder, 'curve.svg'), 'utf8')).toMatch(/^<svg/);
    expect(PNG.sync.read(readFileSync(join(folder, 'curve.png'))).width).toBeGreaterThan(1000);
  });

  it('points at a line that is no event, and names a file that is not there', () => {
    write([events[0]!, { seconds: 1, kind: 'phase', phase: 3, environmentSteps: 0 }]);
    const file = join(folder, 'metrics.jsonl');
    expect(() => readRunReport(folder, origin)).toThrow(
      expect.objectContaining({ code: 'DATA', at: { file, line: 2, column: 1 } }),
    );
    expect(() => readEvents(join(folder, 'none.jsonl'))).toThrow(expect.objectContaining({ code: 'IO' }));
  });
});

describe('what TensorBoard is shown', () => {
  it('is every number of an event that is known', () => {
    expect(scalarsOf({ kind: 'bc', step: 7, total: 9, loss: 0.5, validation: undefined })).toEqual({
      step: 7,
      values: { 'base/loss': 0.5 },
    });
    expect(
      scalarsOf({
        kind: 'progress',
        environmentSteps: 32,
        stepsPerSecond: 4,
        updatesPerSecond: 8,
        success: undefined,
        losses: { criticLoss: 0.25 },
      }),
    ).toEqual({
      step: 32,
      values: { 'speed/steps_per_second': 4, 'speed/updates_per_second': 8, 'update/criticLoss': 0.25 },
    });
    expect(scalarsOf({ kind: 'evaluation', what: 'policy', environmentSteps: 5, score: score(25) })).toEqual({
      step: 5,
      values: { 'evaluation/policy': 0.5 },
    });
    expect(scalarsOf({ kind: 'note', text: 'x' })).toBeUndefined();
  });
});
