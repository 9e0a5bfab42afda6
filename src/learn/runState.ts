import { VernierError } from '#core/errors';
import { type LoadedCheckpoint, partOf, StateCollector, writeCheckpoint } from '#learn/checkpoint';
import type { RunDirectory } from '#learn/runDirectory';
import type { Best, Stage } from '#learn/stage';

/** A run's checkpoint: the trainer's state, the normaliser, the best policy so far and how long the log was. */

/** Returns the file's path. */
export function saveRun(
  run: RunDirectory,
  taskHash: string,
  { trainer, normaliser }: Stage,
  best: Best | undefined,
): string {
  const collector = new StateCollector();
  const state = trainer.save(collector);
  collector.add('normaliser', { ...normaliser });
  if (best) collector.add('best', best.values);
  const meta = {
    taskHash,
    ...state,
    best: best && { successes: best.successes, scale: best.scale },
    metricsBytes: run.metricsBytes,
  };
  return writeCheckpoint(run.path, trainer.counters.environmentSteps, { meta, arrays: collector.arrays });
}

/** Takes over what `saveRun` wrote; returns the best policy so far.
 * @throws VernierError CHECKPOINT where the demonstrations are others */
export function restoreRun({ trainer, normaliser }: Stage, checkpoint: LoadedCheckpoint): Best | undefined {
  const saved = partOf(checkpoint, 'normaliser');
  for (const [name, values] of Object.entries(normaliser) as [string, Float32Array][]) {
    if (values.every((v, i) => v === saved[name]?.[i])) continue;
    throw new VernierError(
      'CHECKPOINT',
      `${checkpoint.path}: made with other demonstrations (${name} differs)`,
      { hint: 'give the run its demonstrations back, or name another run folder' },
    );
  }
  trainer.restore(checkpoint);
  const best = checkpoint.meta['best'] as { successes: number; scale: number } | undefined;
  return best && { ...best, values: partOf(checkpoint, 'best') };
}

/** @throws VernierError CHECKPOINT when the checkpoint is of another version of the task */
export function checkTask(checkpoint: LoadedCheckpoint, taskHash: string): void {
  if (checkpoint.meta['taskHash'] === taskHash) return;
  throw new VernierError('CHECKPOINT', `${checkpoint.path}: made for another version of the task`, {
    hint: 'name another run folder',
  });
}
