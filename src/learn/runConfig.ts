import { dirname, resolve } from 'node:path';
import { VernierError } from '#core/errors';
import type { RunDirectory } from '#learn/runDirectory';
import type { Backend } from '#nn/compile';
import type { BaseSpec, DemosSpec, EvaluationSpec, ResidualSpec } from '#spec/learningSchema';
import type { ResolvedTask } from '#spec/resolved';
import type { ResolvedReward } from '#spec/resolvedReward';

/** What a run is made with. */
export interface RunConfig {
  readonly demos: DemosSpec;
  readonly base: BaseSpec;
  readonly residual: ResidualSpec;
  readonly evaluation: EvaluationSpec;
  /** Aids on the way to the task's reward. */
  readonly reward?: ResolvedReward | undefined;
  /** Training engine; native where it is built, when left out. */
  readonly backend?: Backend;
}

/** The settings a task file gives; files it names are relative to it. */
export function runConfig(task: ResolvedTask): RunConfig {
  const { demos, base, residual, evaluation } = task.spec;
  const beside = (file: string | undefined): { file?: string } =>
    file === undefined ? {} : { file: resolve(dirname(task.file), file) };
  const keyFile = (key: 'server_key' | 'client_keys'): Partial<BaseSpec> => {
    const file = base[key];
    return file === undefined ? {} : { [key]: resolve(dirname(task.file), file) };
  };
  return {
    demos: { ...demos, ...beside(demos.file) },
    base: {
      ...base,
      ...beside(base.file),
      ...keyFile('server_key'),
      ...keyFile('client_keys'),
    },
    residual,
    evaluation,
    reward: task.reward,
  };
}

/** Settings that may differ between a run and its continuation. */
const FREE = [
  'steps',
  'threads',
  'learner_thread',
  'evaluate_every',
  'evaluate_episodes',
  'checkpoint_every',
  'stop_at',
];

/** The same of the base: where a remote one is found. */
const FREE_OF_BASE = ['endpoint', 'timeout_ms', 'reconnect_ms', 'server_key', 'client_keys', 'encoding'];

/** Writes the settings into a run folder that is new or was started with the same ones.
 * @throws VernierError CHECKPOINT as `checkFolder` */
export function claimFolder(run: RunDirectory, taskHash: string, config: RunConfig): void {
  checkFolder(run, taskHash, config);
  const { residual, reward = 'none', ...rest } = config;
  run.writeJson('config.json', { task: taskHash, ...rest, residual, reward });
}

/** A run folder belongs to one task and one set of settings. Changes nothing.
 * @throws VernierError CHECKPOINT naming the first setting that differs */
export function checkFolder(run: RunDirectory, taskHash: string, config: RunConfig): void {
  const { residual, base, reward = 'none', ...rest } = config;
  const fixed = (settings: object, free: readonly string[]) =>
    Object.fromEntries(Object.entries(settings).filter(([key]) => !free.includes(key)));
  agreesWith(run, {
    task: taskHash,
    ...rest,
    base: fixed(base, FREE_OF_BASE),
    evaluation: undefined,
    residual: fixed(residual, FREE),
    reward,
  });
}

/** That the run folder is new, or that its config.json says the same as `wanted` wherever that is not undefined.
 * @throws VernierError CHECKPOINT naming the first setting that differs */
export function agreesWith(run: RunDirectory, wanted: Readonly<Record<string, unknown>>): void {
  if (!run.has('config.json')) return;
  const differing = firstDifference(wanted, run.readJson('config.json'), '');
  if (differing === undefined) return;
  throw new VernierError(
    'CHECKPOINT',
    `${run.path}: the run there was started with other settings: ${differing}`,
    { hint: 'name another run folder, or delete this one to start afresh' },
  );
}

/** The path of the first key whose values differ, with both; keys that are undefined in `wanted` are not compared. */
function firstDifference(wanted: unknown, found: unknown, path: string): string | undefined {
  if (typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)) {
    for (const [key, value] of Object.entries(wanted)) {
      if (value === undefined) continue;
      const inner =
        typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined;
      const difference = firstDifference(value, inner, path === '' ? key : `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  const [a, b] = [JSON.stringify(wanted), JSON.stringify(found)];
  return a === b ? undefined : `${path} was ${b}, now it is ${a}`;
}
