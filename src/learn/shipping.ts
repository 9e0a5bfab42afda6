import { evaluatePair, type PairedEvaluation, unlessStopped } from '#learn/evaluate';
import { type Score, scoreOf, type TrainEvent } from '#learn/events';
import type { Problem } from '#learn/problem';
import type { RunConfig } from '#learn/runConfig';
import type { RunDirectory } from '#learn/runDirectory';
import { actingValues, type Best, type Stage, setActingValues } from '#learn/stage';
import type { PairedComparison } from '#learn/statistics';
import { saveBundle } from '#policy/bundle';

/** The end of a run: base and policy on the reported episodes, the gate between them, the bundle. */

export interface TrainResult {
  /** false where the run was interrupted: run again to go on. */
  readonly finished: boolean;
  readonly environmentSteps: number;
  readonly base?: Score;
  /** The shipped policy; the base's own score where the gate fell back. */
  readonly policy?: Score;
  /** Base against what was learned, first = base, also where the gate fell back. */
  readonly paired?: PairedComparison;
  readonly shipped?: 'base' | 'policy';
  readonly bundle?: string;
  /** Seconds of this call. */
  readonly seconds: number;
}

export interface ShippingOptions {
  readonly problem: Problem;
  readonly config: RunConfig;
  readonly run: RunDirectory;
  readonly signal: AbortSignal;
  /** Since the call began. */
  seconds(): number;
  tell(event: TrainEvent): void;
}

/** Ships the best evaluated policy, unless the base does better on the reported episodes: then the base. Undefined
 * where the evaluation gave way to an interruption. */
export async function ship(
  stage: Stage,
  best: Best | undefined,
  options: ShippingOptions,
): Promise<TrainResult | undefined> {
  const { trainer, learned, alone, env } = stage;
  const { config, run, signal, tell } = options;
  // The live blocks keep the run's own last values, for a continuation; the best ones go in for the evaluation.
  const last = actingValues(trainer);
  const scale = best?.scale ?? trainer.scale;
  setActingValues(trainer, best?.values ?? last);
  learned.scale = scale;
  try {
    const { episodes, seed } = config.evaluation;
    const pair = await unlessStopped(evaluatePair(env, alone, learned, { episodes, seed, signal }), signal);
    if (!pair) return undefined;
    const result = resultOf(stage, pair, options);
    tellScores(pair, result, tell);
    writeBundle(stage, result.shipped === 'policy' ? scale : 0, result, options);
    run.writeJson('result.json', result);
    return result;
  } finally {
    setActingValues(trainer, last);
  }
}

function resultOf({ trainer }: Stage, pair: PairedEvaluation, { run, seconds }: ShippingOptions) {
  const base = scoreOf(pair.base);
  const shipped = pair.policy.successes >= pair.base.successes ? 'policy' : 'base';
  return {
    finished: true,
    environmentSteps: trainer.counters.environmentSteps,
    base,
    policy: shipped === 'policy' ? scoreOf(pair.policy) : base,
    paired: pair.paired,
    shipped,
    bundle: run.file('policy.vrn'),
    seconds: seconds(),
  } as const satisfies TrainResult;
}

function tellScores(pair: PairedEvaluation, result: TrainResult, tell: ShippingOptions['tell']): void {
  const { environmentSteps } = result;
  const [score, base] = [scoreOf(pair.policy), scoreOf(pair.base)];
  tell({ kind: 'evaluation', what: 'final', environmentSteps, score, base, paired: pair.paired });
  if (result.shipped === 'policy') return;
  tell({
    kind: 'note',
    text:
      `the evaluation gate fell back to the base: learned ${score.successes} of ${score.episodes}, ` +
      `base ${base.successes}; the bundle has residual scale 0`,
  });
}

function writeBundle(
  { trainer, base, used, normaliser }: Stage,
  scale: number,
  result: TrainResult,
  { problem, config, run }: ShippingOptions,
): void {
  const { task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control, O, A } = problem;
  saveBundle(run.file('policy.vrn'), {
    ...{ task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control, O, A, scale },
    base: scale === 0 ? base : used,
    normaliser,
    trained: scale === 0 ? undefined : trainer.agent.trained(),
    made: {
      algorithm: config.residual.algorithm,
      environmentSteps: result.environmentSteps,
      base: result.base,
      policy: result.policy,
      shipped: result.shipped,
    },
  });
}
