import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ContainerData } from '#core/container';
import { VernierError } from '#core/errors';
import { listCheckpoints, loadLatestCheckpoint } from '#learn/checkpoint';
import type { TrainEvent } from '#learn/events';
import { RunDirectory } from '#learn/runDirectory';
import { type TrainResult, trainProblem } from '#learn/train';
import { packageRoot } from '#native/addon';
import type { MethodSpec, ResolvedReward, RewardEntry } from '#spec/resolvedReward';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

const QUICK = {
  environments: 4,
  hidden: [16, 16],
  batch: 16,
  warmup_steps: 100,
  critic_only_updates: 20,
  utd: 0.5,
  evaluate_every: 100,
  evaluate_episodes: 10,
  checkpoint_every: 60,
  n_step: 3,
};
const REST = {
  base: { steps: 60, hidden: [16, 16] },
  demos: { episodes: 4 },
  evaluation: { episodes: 20, environments: 20 },
  backend: 'reference',
} as const;

/** Over the signals of the kinematic peg: nearness, centred. */
const everyAid: ResolvedReward = {
  entries: [
    aid({ kind: 'potential', veto: undefined }, { weight: 0.5 }),
    aid({ kind: 'bonus' }, { gate: 'success', weight: 0.01 }),
    aid({ kind: 'stages' }, { offset: 1 }),
    aid({ kind: 'partial', inaction: 0.1 }, { offset: 1, gate: 1 }),
    aid({ kind: 'process', form: 'delta', margin: 0 }),
    aid({ kind: 'novelty', cell: 0.1, exponent: 0.5 }, { length: 2, weight: 0.1 }),
    aid({ kind: 'coverage', cell: 0.1 }, { weight: 0.02 }),
    aid({ kind: 'attribution', ridge: 1 }, { length: 2, cap: undefined }),
  ],
  factors: [0],
};

function aid(method: MethodSpec, rest: Partial<RewardEntry> = {}): RewardEntry {
  const common = { weight: 1, offset: 0, length: 1, cap: 0.9, gate: undefined, invariant: false };
  return { ...common, name: method.kind, method, ...rest };
}

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'vernier-resume-'));

async function runIn(
  folder: string,
  residual: Record<string, unknown>,
  signal = new AbortController().signal,
  onEvent: (event: TrainEvent) => void = () => {},
  reward?: ResolvedReward,
): Promise<TrainResult> {
  const config = { ...smallRun({ ...QUICK, ...residual }, REST), reward };
  return trainProblem(kinematicPeg(), config, new RunDirectory(folder), onEvent, signal);
}

/** Everything a checkpoint holds but the size of the log, which has times in it. */
function contents(folder: string): { meta: Record<string, unknown>; arrays: Map<string, ContainerData> } {
  const { meta, arrays } = loadLatestCheckpoint(folder)!;
  return { meta: { ...meta, metricsBytes: 0 }, arrays: new Map(arrays) };
}

function expectSame(folder: string, reference: string): void {
  const [a, b] = [contents(folder), contents(reference)];
  expect(a.meta).toEqual(b.meta);
  expect([...a.arrays.keys()]).toEqual([...b.arrays.keys()]);
  for (const [name, values] of a.arrays) expect(values, name).toEqual(b.arrays.get(name));
}

/** The events of metrics.jsonl that do not depend on the clock. */
function story(folder: string): unknown[] {
  return readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainEvent)
    .filter((event) => event.kind === 'evaluation' && event.what === 'policy')
    .map((event) => ({ ...event, seconds: 0 }));
}

async function uninterrupted(steps: number, residual: Record<string, unknown> = {}): Promise<string> {
  const folder = newFolder();
  await runIn(folder, { ...residual, steps });
  return folder;
}

describe('resuming', { timeout: 240_000 }, () => {
  it('N and N more steps are 2N steps, bit for bit', async () => {
    const reference = await uninterrupted(400);
    const folder = newFolder();
    await runIn(folder, { steps: 200 });
    await runIn(folder, { steps: 400 });
    expectSame(folder, reference);
    expect(story(folder)).toEqual(story(reference));
  });

  it('holds for the baselines and for the learner beside the stepping', async () => {
    for (const residual of [
      { algorithm: 'rlpd' },
      { algorithm: 'ibrl' },
      { learner_thread: true },
      { mirror: true },
      { starts: { kind: 'backward', memory: 2, advance: 0.5 } },
      { starts: { kind: 'medium' } },
      { priorities: {} },
      { patches: { beyond: 0.5, until: 200 }, imitation: { decay: 200 } },
    ]) {
      const reference = await uninterrupted(240, residual);
      const folder = newFolder();
      await runIn(folder, { ...residual, steps: 140 });
      await runIn(folder, { ...residual, steps: 240 });
      expectSame(folder, reference);
    }
    // The overlap changes when things happen, not what.
    expectSame(await uninterrupted(240, { learner_thread: true }), await uninterrupted(240));
  });

  it('holds with aids of every kind in the reward, whose settings belong to the folder', async () => {
    const runs = async (steps: number[], reward: ResolvedReward): Promise<string> => {
      const folder = newFolder();
      for (const n of steps) await runIn(folder, { steps: n }, undefined, undefined, reward);
      return folder;
    };
    const reference = await runs([300], everyAid);
    const folder = await runs([170, 300], everyAid);
    expectSame(folder, reference);
    expect(contents(folder).arrays).not.toEqual(contents(await uninterrupted(300)).arrays);
    const other = { ...everyAid, factors: [] };
    await expect(runIn(folder, { steps: 400 }, undefined, undefined, other)).rejects.toThrow(/reward/);
  });

  it('holds after an interruption at any moment, which saves and ends cleanly', async () => {
    const reference = await uninterrupted(300);
    const folder = newFolder();
    for (const kind of ['bc', 'phase', 'evaluation', 'checkpoint', 'progress'] as const) {
      const controller = new AbortController();
      let seen = 0;
      const result = await runIn(folder, { steps: 300 }, controller.signal, (event) => {
        if (event.kind === kind && ++seen === 2) controller.abort();
      });
      if (controller.signal.aborted && result.finished === false) expect(result.bundle).toBeUndefined();
    }
    expect((await runIn(folder, { steps: 300 })).finished).toBe(true);
    expectSame(folder, reference);
  });

  it('holds after kill -9 at random moments', async () => {
    const reference = await uninterrupted(400);
    const folder = newFolder();
    let kills = 0;
    for (let attempt = 0; attempt < 2; attempt++) {
      const child = startChild(folder, { ...QUICK, steps: 400 });
      // While the process tells what it does: a clock would miss a fast machine's run, or hit a slow one's start.
      await events(child, 1 + Math.floor(Math.random() * 8));
      if (child.kill('SIGKILL')) kills++;
      await exited(child);
    }
    expect(kills).toBeGreaterThan(0);
    expect((await runIn(folder, { steps: 400 })).finished).toBe(true);
    expectSame(folder, reference);
    expect(story(folder)).toEqual(story(reference));
  });

  it('uses the previous checkpoint where the newest is torn, and says so', async () => {
    const reference = await uninterrupted(400);
    const folder = newFolder();
    await runIn(folder, { steps: 300 });
    const [newest, previous] = listCheckpoints(folder);
    expect(previous).toBeDefined();
    const bytes = readFileSync(newest!);
    writeFileSync(newest!, bytes.subarray(0, Math.floor(bytes.length / 2)));
    const notes: string[] = [];
    await runIn(folder, { steps: 400 }, undefined, (event) => {
      if (event.kind === 'note') notes.push(event.text);
    });
    expect(notes[0]).toContain(newest!);
    expect(notes[0]).toMatch(/checksum/);
    expect(notes[1]).toContain(previous!);
    expectSame(folder, reference);
  });

  it('refuses a folder of another task or other settings, naming the difference', async () => {
    const folder = newFolder();
    await runIn(folder, { steps: 140 });
    await expect(runIn(folder, { steps: 140, gamma: 0.9 })).rejects.toThrow(
      /residual\.gamma was 0\.98, now it is 0\.9/,
    );
    const config = smallRun({ ...QUICK, steps: 140 }, REST);
    const other = trainProblem(
      kinematicPeg({ horizon: 30 }),
      config,
      new RunDirectory(folder),
      () => {},
      new AbortController().signal,
    );
    await expect(other).rejects.toThrow(/task was/);
  });

  it('fails with one error where every checkpoint is torn', async () => {
    const folder = newFolder();
    await runIn(folder, { steps: 140 });
    for (const path of listCheckpoints(folder)) writeFileSync(path, 'torn');
    const error = await runIn(folder, { steps: 400 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(VernierError);
    expect((error as VernierError).code).toBe('CHECKPOINT');
  });
});

function startChild(folder: string, residual: Record<string, unknown>): ChildProcess {
  const script = join(packageRoot, 'tests', 'learn', 'trainChild.ts');
  const loader = join(packageRoot, 'tests', 'tools', 'typescript.mjs');
  const settings = [JSON.stringify(residual), JSON.stringify(REST)];
  return spawn(
    process.execPath,
    ['--conditions=vernier-src', '--import', loader, script, folder, ...settings],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
}

/** Waits until the process has told `count` events, a line each, or has ended. */
async function events(child: ChildProcess, count: number): Promise<void> {
  let lines = 0;
  await new Promise<void>((resume) => {
    child.stdout!.on('data', (bytes: Buffer) => {
      lines += bytes.toString().split('\n').length - 1;
      if (lines >= count) resume();
    });
    child.once('exit', () => resume());
  });
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resume) => child.once('exit', resume));
}
