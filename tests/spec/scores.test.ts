import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
beforeEach(() => space.write('tasks/put.yaml', taskYaml));
afterAll(() => space.remove());

const CAMERAS = 'cameras:\n  top: {width: 32, height: 32, free: {lookat: [0, 0, 0], distance: 1}}\n';
const SCORES = 'scores:\n  progress: {goal-image: {}, every: 2}\n';

/** The task with cameras, scores, and other entries under `reward`. */
function withScores(scores: string, entries: readonly string[] = [], cameras = CAMERAS): void {
  const reward = `reward:\n${(entries.length > 0 ? entries : ['{term: -lateral}']).map((entry) => `  - ${entry}\n`).join('')}expert:`;
  space.write(
    'tasks/put.yaml',
    taskYaml.replace(/reward:\n[\s\S]*?expert:/, () => cameras + scores + reward),
  );
}

describe('`scores`', () => {
  it('are resolved with their cameras, and leave the task as it is', async () => {
    withScores('');
    const plain = await space.load();
    expect(plain.scores).toEqual([]);
    withScores(SCORES);
    const { hash, scores, reward, spec } = await space.load();
    expect(hash).toBe(plain.hash);
    expect(reward).toBeUndefined();
    expect(scores).toEqual([
      {
        name: 'progress',
        backend: { kind: 'goal-image', settings: { features: 'pixels' } },
        cameras: ['top'],
        every: 2,
        batch: 16,
        pause: 10,
        instruction: spec.description,
        directory: expect.stringMatching(/tasks$/),
      },
    ]);
  });

  it('stand in reward entries where those take a number', async () => {
    withScores(SCORES, [
      '{potential: {score: progress}, weight: 0.5, gate: success}',
      '{name: both, potential: [1 - lateral, {score: progress, confidence: 0.5}], veto: 0.2}',
      '{process: {score: progress}}',
      '{name: near, bonus: lateral}',
    ]);
    const { reward, program } = await space.load();
    const names = program.signalNames.slice(2).map(({ name }) => name);
    expect(names).toEqual(['reward.both.1', 'reward.near']);
    expect(reward!.entries).toMatchObject([{ name: 'near', offset: 5 }]);
    const sure = { score: 'progress', confidence: 0 };
    expect(reward!.scored).toMatchObject([
      { name: 'potential', weight: 0.5, gate: 'success', invariant: false, sources: [sure] },
      { name: 'both', invariant: true, sources: [{ signal: 4 }, { score: 'progress', confidence: 0.5 }] },
      { name: 'process', method: { kind: 'process', form: 'delta' }, sources: [sure] },
    ]);
  });

  it.each([
    [
      SCORES,
      ['{potential: {score: progres}}'],
      /put\.yaml:\d+:\d+: reward\[0\]\.potential\.score: the task has no score "progres"; nearest is "progress"/,
    ],
    [SCORES, ['{stages: [{score: progress}]}'], /stages\[0\]: expected an expression: a score stands under/],
    [SCORES, ['{novelty: {score: progress}, cell: 1}'], /novelty: expected an expression: a score stands/],
    [
      'scores: {progress: {goal-image: {}, cameras: [front]}}\n',
      [],
      /cameras\[0\]: the task has no camera "front"/,
    ],
    [
      'scores: {progress: {goal-imag: {}}}\n',
      [],
      /progress\.goal-imag: unknown key, .*; nearest is "goal-image"/,
    ],
    ['scores: {progress: {}}\n', [], /scores\.progress: expected exactly one of clip, goal-image/],
    ['scores: {progress: {goal-image: {features: foo}}}\n', [], /features: expected "pixels"/],
  ])('%s%s is one message with its place', async (scores, entries, expected) => {
    withScores(scores, entries);
    expect(await space.mistake()).toMatch(expected);
  });

  it('need a camera', async () => {
    withScores(SCORES, [], '');
    expect(await space.mistake()).toMatch(/scores\.progress: the task has no cameras/);
  });
});
