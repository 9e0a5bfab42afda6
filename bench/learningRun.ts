import { rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Score, TrainEvent } from '#learn/events';
import { RunDirectory } from '#learn/runDirectory';
import { wilson } from '#learn/statistics';
import { runConfig, train } from '#learn/train';
import { packageRoot } from '#native/addon';
import { loadTask } from '#spec/task';
import { commit } from './commit.js';

/** One training run of a bench, and how its figures are told. */

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly load: number;
  readonly commit: string;
}

export interface LearningRun {
  readonly base: Score;
  /** What was learned, before the evaluation gate. */
  readonly learned: Score;
  readonly shipped: 'base' | 'policy';
  readonly pValue: number;
  readonly environmentSteps: number;
  readonly minutes: number;
  readonly curve: readonly { readonly environmentSteps: number; readonly score: Score }[];
  /** What the run told on its way. */
  readonly notes: readonly string[];
  readonly overrides: readonly string[];
  readonly machine: Machine;
}

/** Trains a task file in a fresh folder `runs/bench/<label>`. */
export async function learningRun(
  label: string,
  file: string,
  overrides: readonly string[],
): Promise<LearningRun> {
  const folder = join(packageRoot, 'runs', 'bench', label);
  rmSync(folder, { recursive: true, force: true });
  const task = await loadTask(file, overrides);
  const curve: LearningRun['curve'][number][] = [];
  const notes: string[] = [];
  let final: Extract<TrainEvent, { kind: 'evaluation' }> | undefined;
  const report = (event: TrainEvent): void => {
    if (event.kind === 'note') {
      notes.push(event.text);
      console.log(`  ${event.text}`);
    }
    if (event.kind !== 'evaluation') return;
    const { what, environmentSteps, score } = event;
    if (what === 'final') final = event;
    else curve.push({ environmentSteps, score });
    console.log(`  ${what} at ${environmentSteps} steps: ${percent(score.rate)}`);
  };
  const load = loadavg()[0]!;
  const signal = new AbortController().signal;
  const result = await train(task, runConfig(task), new RunDirectory(folder), report, signal);
  return {
    base: final!.base!,
    learned: final!.score,
    shipped: result.shipped!,
    pValue: result.paired!.pValue,
    environmentSteps: result.environmentSteps,
    minutes: result.seconds / 60,
    curve,
    notes,
    overrides,
    machine: machineAt(load),
  };
}

/** This machine. @param load before the run */
export function machineAt(load: number): Machine {
  return { cpu: cpus()[0]!.model.trim(), cores: cpus().length, load, commit: commit() };
}

/** First evaluation at or over a rate. */
export function stepsTo(rate: number, { curve }: Pick<LearningRun, 'curve'>): number | undefined {
  return curve.find((p) => p.environmentSteps > 0 && p.score.rate >= rate)?.environmentSteps;
}

export const percent = (rate: number): string => `${(100 * rate).toFixed(1)} %`;

export const interval = ({ rate, low, high }: Pick<Score, 'rate' | 'low' | 'high'>): string =>
  `${percent(rate)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;

/** All episodes of several runs together. */
export function pooled(scores: readonly Score[]): Pick<Score, 'rate' | 'low' | 'high'> {
  const successes = scores.reduce((sum, s) => sum + s.successes, 0);
  const episodes = scores.reduce((sum, s) => sum + s.episodes, 0);
  const [low, high] = wilson(successes, episodes);
  return { rate: successes / episodes, low, high };
}

/** Of a page of results: cells of a table, its head first. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head, ...rest] = rows;
  return [head!, head!.map(() => '---'), ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Where, under what load and of which commits the figures of a page are. */
export function measuredOn(machines: readonly Machine[]): string {
  const names = new Set(machines.map((m) => `${m.cores} x ${m.cpu}`));
  const commits = new Set(machines.map((m) => m.commit));
  const loads = machines.map((m) => m.load);
  const range = `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
  return `Measured on ${[...names].join('; ')}, load ${range}, commits ${[...commits].join(', ')}.`;
}
