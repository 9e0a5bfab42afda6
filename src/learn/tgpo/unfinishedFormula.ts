import { loadLatestCheckpoint, partOf } from '#learn/checkpoint';
import { checkTask } from '#learn/runState';
import { type FormulaBundle, formulaBundle, learnedNetworks } from '#learn/tgpo/formulaBundle';
import type { ResolvedTask } from '#spec/resolved';
import type { TgpoSpec } from '#spec/tgpoSchema';

/** What a run on a formula that has not finished would act with. */
export interface UnfinishedFormula {
  /** The checkpoint's file. */
  readonly path: string;
  readonly environmentSteps: number;
  readonly policy: FormulaBundle;
}

/** The best parameters of its newest checkpoint, or the last where none were evaluated; undefined without a checkpoint.
 * @throws VernierError CHECKPOINT: torn, of another version of the task or of other settings */
export function unfinishedFormula(
  task: ResolvedTask,
  settings: TgpoSpec,
  folder: string,
): UnfinishedFormula | undefined {
  const checkpoint = loadLatestCheckpoint(folder);
  if (!checkpoint) return undefined;
  checkTask(checkpoint, task.hash);
  const { path, meta } = checkpoint;
  const { environmentSteps } = meta['counters'] as { environmentSteps: number };
  const values = partOf(checkpoint, meta['best'] === undefined ? 'agent' : 'best');
  const shape = { O: meta['inputs'] as number, A: task.actionNames.length };
  const networks = learnedNetworks(
    shape,
    settings,
    values as Readonly<Record<'policy' | 'value', Float32Array>>,
    path,
  );
  const policy = formulaBundle(task, {
    settings,
    distance: meta['distance'] as number,
    networks,
    made: { algorithm: settings.algorithm, environmentSteps },
  });
  return { path, environmentSteps, policy };
}
