import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { renderingMissing } from '../env/rendering.js';
import { vernier } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'vernier-score-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cameras = 'cameras={front: {width: 48, height: 48, of: overview}, side: {width: 32, height: 32}}';
const scores = 'scores={progress: {goal-image: {}, every: 2}, aside: {goal-image: {}, cameras: [side]}}';

describe.skipIf(renderingMissing)(
  `vernier score${renderingMissing ? ` (skipped: ${renderingMissing})` : ''}`,
  () => {
    it('draws and judges rollouts, and says what the scores are worth', () => {
      const args = ['score', 'lift', '--set', cameras, '--set', scores, '--episodes', '3', '--out', folder];
      const { status, stdout, stderr } = vernier([...args, '--json']);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const told = JSON.parse(stdout);
      expect(told).toMatchObject({ task: 'lift', policies: ['expert', 'random'] });
      expect(told.scores.map(({ score }: { score: string }) => score)).toEqual(['progress', 'aside']);
      for (const { episodes, successes, valueOrder, area, missing, modelMs, drawMs, files } of told.scores) {
        expect(episodes).toBe(6);
        expect(successes).toBe(3); // the expert's
        expect(missing).toBe(0);
        // Pictures of a hand that nears the cube look more and more like the one in which it holds it.
        expect(valueOrder.mean).toBeGreaterThan(0.3);
        expect(area).toBe(1);
        expect(modelMs).toBeGreaterThan(0);
        expect(drawMs).toBeGreaterThan(0);
        for (const file of files) expect(statSync(file).size).toBeGreaterThan(1000);
      }
    }, 240_000);

    it('judges one score of one policy, as a table', () => {
      const args = ['score', 'lift', '--set', cameras, '--set', scores, '--episodes', '1', '--out', folder];
      const { status, stdout } = vernier([...args, '--score', 'aside', '--policy', 'expert']);
      expect(status).toBe(0);
      expect(stdout).toMatch(/lift: aside \(goal-image\), every 5 steps, through side/);
      expect(stdout).toMatch(/expert {2,}1 of 1 /);
      expect(stdout).not.toContain('random');
      expect(stdout).not.toContain('progress');
    }, 240_000);
  },
);

it('says what is missing in the task, or which score was meant', () => {
  const none = vernier(['score', 'lift']);
  expect(none.stderr).toContain('lift has no scores');
  expect(none.status).toBe(2);
  const wrong = vernier(['score', 'lift', '--set', cameras, '--set', scores, '--score', 'progres']);
  expect(wrong.stderr).toMatch(/no score 'progres'[\s\S]*did you mean progress/);
  expect(wrong.status).toBe(2);
});
