import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ContainerData } from '#core/container';
import { Draws } from '#core/draws';
import { makeEnv } from '#env/makeEnv';
import { loadLatestCheckpoint } from '#learn/checkpoint';
import type { TrainEvent } from '#learn/events';
import { RunDirectory } from '#learn/runDirectory';
import { Archive } from '#learn/tgpo/archive';
import { distanceOf, FormulaLearner } from '#learn/tgpo/formulaLearner';
import { endingEarly, trainFormula } from '#learn/tgpo/formulaRun';
import { Guide } from '#learn/tgpo/guide';
import { StageTracker } from '#learn/tgpo/stages';
import { packageRoot } from '#native/addon';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask } from '#spec/task';
import { decompose } from '#stl/decompose';

const maze = join(packageRoot, 'tasks', 'stl_maze.yaml');
const linear = join(packageRoot, 'tasks', 'stl_linear.yaml');

function hashOf({ buffer, byteOffset, byteLength }: ContainerData): string {
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
}

const bytesOf = (guide: Guide): string[][] =>
  guide.situations.map((group) => group.flatMap(({ state, plan }) => [hashOf(state), hashOf(plan)]));

describe('an archive', () => {
  /** Cells a to e in a row, a the start, with a branch d - x that leads nowhere. */
  const row = () => {
    const archive = new Archive<string>();
    const cells = [...'abcdex'].map((key, time) =>
      archive.enter(key, key < 'c' ? '0' : '1', time, () => key),
    );
    const [a, b, c, d, e, x] = cells as [number, number, number, number, number, number];
    for (const [from, to] of [
      [a, b],
      [b, c],
      [c, d],
      [d, e],
      [d, x],
      [b, a],
      [a, a],
    ] as const)
      archive.connect(from, to);
    archive.markStart(a);
    archive.markGoal(e);
    return archive;
  };

  it('counts the steps between cells to the goal, where there is a way', () => {
    const { costs, start } = row().costs();
    expect(Object.fromEntries(costs)).toEqual({ a: 4, b: 3, c: 2, d: 1, e: 0 });
    expect(start).toBe(4);
    expect(new Archive<string>().costs()).toEqual({ costs: new Map(), start: Number.NaN });
  });

  it('keeps the earliest situation of a cell', () => {
    const archive = row();
    archive.enter('c', '1', 7, () => 'later');
    archive.enter('d', '1', 1, () => 'earlier');
    const { costs } = archive.costs();
    expect(archive.size).toBe(6);
    expect(archive.situations(costs, 100, 10)).toEqual([
      ['a', 'b'],
      ['c', 'earlier', 'e'],
    ]);
  });

  it('keeps situations that can be in time, so many of each progress', () => {
    const archive = row();
    const { costs } = archive.costs();
    archive.enter('a', '0', -1, () => 'a');
    // a at -1 is 4 cells away, b at 1 is 3, c at 2 is 2.
    expect(archive.situations(costs, 3, 10)).toEqual([['a']]);
    expect(archive.situations(costs, 4, 1)).toEqual([['a'], ['c']]);
  });

  it('sets out from every progress, and from the least explored cells of it', () => {
    const archive = row();
    const draws = new Draws(1, 1);
    const counts = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      const { situation } = archive.choose(draws);
      counts.set(situation, (counts.get(situation) ?? 0) + 1);
    }
    const first = counts.get('a')! + counts.get('b')!;
    expect(first).toBeGreaterThan(150);
    expect(first).toBeLessThan(250);
    for (const pair of ['ab', 'cd', 'ex']) {
      const [p, q] = [...pair].map((key) => counts.get(key)!);
      expect(Math.abs(p! - q!)).toBeLessThanOrEqual(3);
    }
  });
});

describe('a plan that follows a way', () => {
  const { decomposition, plan } = (() => {
    const formula = 'eventually[0, 9] (a > 0) and always[0, 9] (b > 0)';
    return { decomposition: formula, plan: { choices: new Int32Array(0), times: Int32Array.of(9) } };
  })();

  it('is what a row of another tracker was', async () => {
    const task = await loadFormulaTask(linear, {
      signals: { a: '1 - norm(position - [2, 2])', b: 'position.x + 5' },
      formula: decomposition,
      horizon: 9,
    });
    const parts = decompose(task.monitors!.specification!.formula, { samples: 10 });
    const rewards = { progress: 2, failure: 1, distance: 1 };
    const one = new StageTracker(parts, 2, 2, rewards);
    const other = new StageTracker(parts, 3, 2, rewards);
    const trace = Float64Array.of(-2, 1, -1, 1, 1, 1, -1, 1);
    one.begin(1, plan, trace, 0);
    one.advance(1, trace, 2);
    other.setRow(2, one.getRow(1));
    expect(other.getRow(2)).toEqual(one.getRow(1));
    expect([one.advance(1, trace, 4), one.advance(1, trace, 6)]).toEqual([
      other.advance(2, trace, 4),
      other.advance(2, trace, 6),
    ]);
    expect(other.sample).toEqual(Int32Array.of(0, 0, 3));
  });
});

describe('exploration', { timeout: 240_000 }, () => {
  it('finds the way through keys and doors, and says how far it is from where', async () => {
    const task = await loadTask(maze, ['tgpo.threads=1']);
    const settings = task.spec.tgpo!;
    const env = await makeEnv(endingEarly(task), { environments: 64, seed: 3, threads: 1, autoReset: false });
    const learner = new FormulaLearner(task, settings, distanceOf(env, settings));
    const { guide, foundAt, environmentSteps } = learner.explore(env, settings.explore);
    expect(foundAt).toBeGreaterThan(0);
    expect(environmentSteps).toBeLessThanOrEqual(settings.explore);
    // No key, one, the other, both; all of them met, since the goal needs both.
    expect(guide!.situations.length).toBeGreaterThanOrEqual(3);
    const P = env.predicates.length / env.B;
    const formula = task.monitors!.specification!.formula;
    const decomposition = decompose(formula, { samples: task.horizon + 1 });
    const tracker = new StageTracker(decomposition, env.B, P, { progress: 5, failure: 2, distance: 1 });
    const again = Guide.from(guide!.arrays());
    expect(bytesOf(again)).toEqual(bytesOf(guide!));
    const byProgress = guide!.situations.map((group) => {
      const costs = group.map(({ state, plan }) => {
        env.setEnvironment(5, state);
        tracker.setRow(5, plan);
        const cost = guide!.costs.of(tracker, 5, env.predicates, 5 * P)!;
        expect(again.costs.of(tracker, 5, env.predicates, 5 * P)).toBe(cost);
        return cost;
      });
      const done = [...tracker.state.subarray(15, 18)].filter((state) => state === 2).length;
      return { done, mean: costs.reduce((a, b) => a + b, 0) / costs.length };
    });
    const mean = (done: number): number => {
      const some = byProgress.filter((group) => group.done === done);
      return some.reduce((sum, group) => sum + group.mean, 0) / some.length;
    };
    expect(mean(0)).toBeGreaterThan(0.5);
    expect(mean(1)).toBeLessThan(mean(0));
    expect(mean(2)).toBeLessThan(mean(1));
    env.close();
  });

  it('says when there is none', async () => {
    const problem = {
      signals: { a: '1 - norm(position - [50, 0])' },
      formula: 'eventually[0, 9] a > 0',
      horizon: 9,
    };
    const task = await loadFormulaTask(linear, problem, ['tgpo.threads=1']);
    const env = await makeEnv(endingEarly(task), { environments: 32, seed: 3, threads: 1, autoReset: false });
    const learner = new FormulaLearner(task, task.spec.tgpo!, 1);
    const explored = learner.explore(env, 4096);
    expect(explored).toMatchObject({ environmentSteps: 4096, foundAt: undefined, guide: undefined });
    expect(explored.cells).toBeGreaterThan(1);
    env.close();
  });
});

describe('a run that leads nowhere', { timeout: 240_000 }, () => {
  const learn = async (
    folder: string,
    file: string,
    overrides: readonly string[],
    watch: (event: TrainEvent, stop: AbortController) => void = () => {},
  ) => {
    const task = await loadTask(file, ['tgpo.threads=1', ...overrides]);
    const run = new RunDirectory(folder);
    const stop = new AbortController();
    const result = await trainFormula(task, task.spec.tgpo!, run, (event) => watch(event, stop), stop.signal);
    return { run, result };
  };
  const inFolder = async (test: (folder: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'vernier-explore-'));
    try {
      await test(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

  it('learns the maze with the settings of its task once it has explored', () =>
    inFolder(async (folder) => {
      const { result } = await learn(folder, maze, [
        'tgpo.seed=2',
        'tgpo.explore_after=1',
        'evaluation.episodes=100',
      ]);
      expect(result.policy!.rate).toBeGreaterThanOrEqual(0.95);
      expect(result.attempts).toBeGreaterThan(1);
    }));

  it('goes on with the same bits after it has explored', () =>
    inFolder(async (folder) => {
      const overrides = [
        'tgpo.hidden=[16, 16]',
        'tgpo.environments=32',
        'tgpo.rollout=16',
        'tgpo.minibatch=128',
        'tgpo.candidates=8',
        'tgpo.evaluate_episodes=16',
        'tgpo.evaluate_every=2048',
        'tgpo.restart_after=2048',
        'tgpo.explore_after=1',
        'tgpo.checkpoint_every=2048',
        'tgpo.steps=220000',
        'evaluation.episodes=16',
        'evaluation.environments=8',
      ];
      const notes: string[] = [];
      const whole = await learn(join(folder, 'whole'), maze, overrides, (event) => {
        if (event.kind === 'note') notes.push(event.text);
      });
      expect(notes.some((text) => text.includes('a way found'))).toBe(true);
      const isLate = (event: TrainEvent): boolean =>
        event.kind === 'checkpoint' && event.environmentSteps > 110_000;
      await learn(join(folder, 'parts'), maze, overrides, (event, stop) => {
        if (isLate(event)) stop.abort();
      });
      const parts = await learn(join(folder, 'parts'), maze, overrides);
      expect(parts.result.finished).toBe(true);
      const [a, b] = [whole, parts].map(({ run }) => loadLatestCheckpoint(run.path)!);
      expect(a!.meta).toMatchObject({ isGuided: true });
      expect(a!.meta['counters']).toEqual(b!.meta['counters']);
      expect([...a!.arrays.keys()]).toEqual([...b!.arrays.keys()]);
      for (const [name, data] of a!.arrays)
        expect({ name, same: hashOf(data) }).toEqual({ name, same: hashOf(b!.arrays.get(name)!) });
      expect(parts.result.policy).toEqual(whole.result.policy);
    }));
});
