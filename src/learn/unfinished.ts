import { join } from 'node:path';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import { agentNetworks, CRITIC_TARGET } from '#learn/agent';
import { algorithmOf } from '#learn/algorithms';
import { runBase } from '#learn/baseStage';
import { type Checkpoint, loadLatestCheckpoint, partOf, restoreInto } from '#learn/checkpoint';
import type { Problem } from '#learn/problem';
import type { RunConfig } from '#learn/runConfig';
import { checkTask } from '#learn/runState';
import { scaleAt } from '#learn/trainer';
import type { PolicyBundle } from '#policy/bundle';
import type { TrainedActor } from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';

/** The policy of a run that has not finished: what its newest checkpoint would act with. */
export interface UnfinishedPolicy {
  /** The checkpoint's file. */
  readonly path: string;
  readonly environmentSteps: number;
  readonly policy: PolicyBundle;
}

/** Undefined where the run has no checkpoint yet.
 * @throws VernierError CHECKPOINT: torn, of another version of the task or of other settings */
export function unfinishedPolicy(
  problem: Problem,
  config: RunConfig,
  folder: string,
): UnfinishedPolicy | undefined {
  const checkpoint = loadLatestCheckpoint(folder);
  if (!checkpoint) return undefined;
  checkTask(checkpoint, problem.taskHash);
  const { environmentSteps } = checkpoint.meta['counters'] as { environmentSteps: number };
  const { task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control, O, A } = problem;
  const { residual: settings } = config;
  const policy: PolicyBundle = {
    ...{ task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control, O, A },
    scale: scaleAt(settings, environmentSteps),
    base:
      settings.algorithm === 'rlpd'
        ? { kind: 'zero' }
        : runBase(config.base, join(folder, 'base.vrn'), problem),
    normaliser: normaliserOf(checkpoint, checkpoint.path),
    trained: trainedActor(problem, config, checkpoint),
    made: { algorithm: settings.algorithm, environmentSteps },
  };
  return { path: checkpoint.path, environmentSteps, policy };
}

function normaliserOf(checkpoint: Checkpoint, path: string): Normaliser {
  const saved = partOf(checkpoint, 'normaliser');
  if (saved['observationMean'] instanceof Float32Array) return saved as unknown as Normaliser;
  throw new VernierError('CHECKPOINT', `${path}: has no normaliser: no checkpoint of a residual run`);
}

function trainedActor(
  { O, A }: Problem,
  { residual: settings }: RunConfig,
  checkpoint: Checkpoint,
): TrainedActor {
  const rng = new PhiloxStream(0);
  const { kind } = algorithmOf(settings, A, rng);
  const { actor, critic } = agentNetworks({ O, A, settings, rng }, kind);
  const saved = partOf(checkpoint, 'agent');
  restoreInto({ [actor.block.name]: actor.block.values }, saved, 'agent');
  if (kind !== 'choose') return { actor };
  const block = critic.block.clone(CRITIC_TARGET);
  restoreInto({ [CRITIC_TARGET]: block.values }, saved, 'agent');
  return { actor, judge: { critic, block } };
}
