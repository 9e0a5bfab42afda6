import type { ContainerData } from '#core/container';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import {
  type LoadedCheckpoint,
  loadLatestCheckpoint,
  partOf,
  restoreInto,
  StateCollector,
  writeCheckpoint,
} from '#learn/checkpoint';
import { type Evaluation, evaluate, SELECTION_SEED, unlessStopped } from '#learn/evaluate';
import { type PhaseName, type Score, scoreOf, type TrainEvent } from '#learn/events';
import { Progress } from '#learn/progress';
import { agreesWith } from '#learn/runConfig';
import type { RunDirectory } from '#learn/runDirectory';
import { checkTask } from '#learn/runState';
import { formulaBundle, saveFormulaBundle } from '#learn/tgpo/formulaBundle';
import { distanceOf, FormulaLearner } from '#learn/tgpo/formulaLearner';
import type { FormulaTrainer } from '#learn/tgpo/formulaTrainer';
import type { Report, TrainResult } from '#learn/train';
import type { CompileOptions } from '#nn/compile';
import type { Policy } from '#policy/policy';
import type { EvaluationSpec } from '#spec/learningSchema';
import type { ResolvedTask } from '#spec/resolved';
import type { TgpoSpec } from '#spec/tgpoSchema';

/** A whole run on a formula: PPO, evaluations that pick the best parameters, the final evaluation, the bundle. It resumes
 * from its folder, and a resumed run ends with the same bits as one that was never stopped. */

export interface FormulaResult extends TrainResult {
  /** Following the critic's best plan, without rehearsals; undefined where there are none anyway. */
  readonly unrehearsed?: Score;
  /** Seconds of acting and learning alone, evaluations left out. */
  readonly learningSeconds: number;
  /** First weights that were tried. */
  readonly attempts?: number;
}

/** Settings that may differ between a run and its continuation. */
const FREE = ['steps', 'threads', 'evaluate_every', 'evaluate_episodes', 'checkpoint_every', 'stop_at'];
const YIELD_MS = 50;

/** A run folder belongs to one task and one set of settings. Changes nothing.
 * @throws VernierError CHECKPOINT naming the first setting that differs */
export function checkFormulaFolder(
  run: RunDirectory,
  task: ResolvedTask,
  settings: TgpoSpec | undefined = task.spec.tgpo,
): void {
  const fixed = Object.entries(settings ?? {}).filter(([key]) => !FREE.includes(key));
  agreesWith(run, { task: task.hash, tgpo: Object.fromEntries(fixed) });
}

/** Learns the formula of a task in a run folder, going on where the folder's last run stopped.
 * @throws VernierError: every expected trouble, with its cause and what to do */
export async function trainFormula(
  task: ResolvedTask,
  settings: TgpoSpec,
  run: RunDirectory,
  report: Report,
  signal: AbortSignal,
): Promise<FormulaResult> {
  const unlock = run.lock();
  const training = new FormulaRun(task, settings, run, report, signal);
  try {
    return await training.go();
  } finally {
    training.close();
    unlock();
  }
}

/** The task with episodes that end as soon as the monitor's verdict is known: the verdict is the same. */
export function endingEarly(task: ResolvedTask): ResolvedTask {
  const { monitors } = task;
  return monitors
    ? { ...task, monitors: { ...monitors, native: { ...monitors.native, terminates: true } } }
    : task;
}

interface Best {
  readonly successes: number;
  readonly values: Readonly<Record<string, ContainerData>>;
}

class FormulaRun {
  readonly #task: ResolvedTask;
  readonly #settings: TgpoSpec;
  readonly #evaluation: EvaluationSpec;
  readonly #run: RunDirectory;
  readonly #report: Report;
  readonly #signal: AbortSignal;
  readonly #compile: CompileOptions;
  readonly #started = performance.now();
  readonly #closers: (() => void)[] = [];
  #learningMs = 0;
  #best: Best | undefined;

  constructor(
    task: ResolvedTask,
    settings: TgpoSpec,
    run: RunDirectory,
    report: Report,
    signal: AbortSignal,
  ) {
    this.#task = task;
    this.#settings = settings;
    this.#evaluation = task.spec.evaluation;
    this.#run = run;
    this.#report = report;
    this.#signal = signal;
    this.#compile = this.#threads;
  }

  close(): void {
    for (const close of this.#closers.reverse()) close();
  }

  get #threads(): { threads?: number } {
    const { threads } = this.#settings;
    return threads === undefined ? {} : { threads };
  }

  get #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  #tell(event: TrainEvent): void {
    this.#run.log(event, Math.round(this.#seconds * 1000) / 1000);
    this.#report(event);
  }

  #phase(phase: PhaseName, environmentSteps = 0): void {
    this.#tell({ kind: 'phase', phase, environmentSteps });
  }

  #interrupted(environmentSteps: number): FormulaResult {
    const learningSeconds = this.#learningMs / 1000;
    return { finished: false, environmentSteps, seconds: this.#seconds, learningSeconds };
  }

  async go(): Promise<FormulaResult> {
    const settings = this.#settings;
    const evaluation = this.#evaluation;
    checkFormulaFolder(this.#run, this.#task, settings);
    this.#run.writeJson('config.json', { task: this.#task.hash, tgpo: settings, evaluation });
    const checkpoint = loadLatestCheckpoint(this.#run.path);
    if (checkpoint) this.#checkCheckpoint(checkpoint);
    const env = await this.#makeEnv(settings.environments, settings.seed, true);
    const learner = new FormulaLearner(this.#task, settings, distanceOf(env, settings));
    const trainer = learner.makeTrainer(env, this.#compile);
    this.#closers.push(() => trainer.close());
    for (const line of learner.conservative)
      this.#tell({ kind: 'note', text: `planned more strictly: ${line}` });
    const rows = Math.min(evaluation.environments, evaluation.episodes);
    const judge = new Judge(
      await this.#makeEnv(rows, evaluation.seed, true),
      await this.#makeEnv(rows, evaluation.seed, false),
      learner,
      trainer,
      this.#compile,
    );
    if (checkpoint) this.#restore(trainer, checkpoint);
    else trainer.begin();
    if (!(await this.#learn(learner, trainer, judge)))
      return this.#interrupted(trainer.counters.environmentSteps);
    return this.#finish(learner, trainer, judge);
  }

  async #makeEnv(environments: number, seed: number, autoReset: boolean): Promise<VectorEnv> {
    const env = await makeEnv(endingEarly(this.#task), { environments, seed, autoReset, ...this.#threads });
    this.#closers.push(() => env.close());
    return env;
  }

  #checkCheckpoint(checkpoint: LoadedCheckpoint): void {
    this.#run.truncateMetrics(checkpoint.meta['metricsBytes'] as number);
    for (const text of checkpoint.skipped)
      this.#tell({ kind: 'note', text: `skipped a checkpoint: ${text}` });
    checkTask(checkpoint, this.#task.hash);
  }

  /** Rounds to the end, or until the run is stopped: then false. */
  async #learn(learner: FormulaLearner, trainer: FormulaTrainer, judge: Judge): Promise<boolean> {
    const { counters } = trainer;
    const { evaluate_every, checkpoint_every, stop_at } = this.#settings;
    const due = (every: number): number => (Math.floor(counters.environmentSteps / every) + 1) * every;
    let nextEvaluation = due(evaluate_every);
    let nextCheckpoint = due(checkpoint_every);
    const progress = new Progress(trainer, this.#settings.steps);
    this.#phase('online', counters.environmentSteps);
    let yielded = performance.now();
    while (!trainer.finished) {
      const before = performance.now();
      trainer.iterate();
      const now = performance.now();
      this.#learningMs += now - before;
      if (now - yielded > YIELD_MS) {
        await new Promise((resume) => setImmediate(resume));
        yielded = now;
      }
      if (progress.due(now)) this.#tell(progress.event(now, 'online'));
      const isEvaluated = counters.environmentSteps >= nextEvaluation;
      if (isEvaluated) {
        nextEvaluation = due(evaluate_every);
        progress.pause(performance.now());
        const evaluation = await this.#select(trainer, judge);
        if (evaluation) await this.#changeIfStuck(learner, trainer, evaluation.rate);
        progress.resume(performance.now());
        if (evaluation && stop_at !== undefined && evaluation.rate >= stop_at) {
          this.#tell({ kind: 'note', text: `stopped early: the evaluation reached ${evaluation.rate}` });
          break;
        }
      }
      if (this.#signal.aborted || counters.environmentSteps >= nextCheckpoint) {
        nextCheckpoint = due(checkpoint_every);
        this.#checkpoint(learner, trainer);
        if (this.#signal.aborted) return false;
      }
    }
    this.#tell(progress.event(performance.now(), 'online'));
    this.#checkpoint(learner, trainer);
    return true;
  }

  /** Evaluates what has been learned so far, and keeps it where it is the best. */
  async #select(trainer: FormulaTrainer, judge: Judge): Promise<Evaluation | undefined> {
    const options = {
      episodes: this.#settings.evaluate_episodes,
      seed: this.#evaluation.seed + SELECTION_SEED,
      signal: this.#signal,
    };
    const result = await unlessStopped(judge.evaluate(options, false), this.#signal);
    if (!result) return undefined;
    const { environmentSteps } = trainer.counters;
    this.#tell({ kind: 'evaluation', what: 'policy', environmentSteps, score: scoreOf(result) });
    if (this.#best === undefined || result.successes >= this.#best.successes)
      this.#best = { successes: result.successes, values: copied(actingBlocks(trainer)) };
    return result;
  }

  /** Weights that have led nowhere in their time rarely do later: other ones do better than more steps, and better still with
   * a way to follow, which is looked for once. */
  async #changeIfStuck(learner: FormulaLearner, trainer: FormulaTrainer, rate: number): Promise<void> {
    const { algorithm, explore, explore_after, restart_below } = this.#settings;
    const { patience, counters } = trainer;
    if (trainer.attemptSteps < patience || rate >= restart_below || trainer.finished) return;
    const isDue = counters.attempt + 1 >= explore_after && counters.explored === 0;
    if (algorithm === 'tgpo' && explore > 0 && isDue) await this.#explore(learner, trainer);
    trainer.restart();
    this.#tell({
      kind: 'note',
      text: `success ${rate} after ${patience} steps: starts again with other weights`,
    });
  }

  async #explore(learner: FormulaLearner, trainer: FormulaTrainer): Promise<void> {
    const { environments, explore, seed, steps } = this.#settings;
    const most = Math.min(explore, steps - trainer.counters.environmentSteps);
    const env = await makeEnv(endingEarly(this.#task), {
      ...{ environments, seed, autoReset: false },
      ...this.#threads,
    });
    const before = performance.now();
    try {
      const { environmentSteps, foundAt, cells, guide } = learner.explore(env, most);
      trainer.follow(guide, environmentSteps);
      const found = foundAt === undefined ? 'no way found' : `a way found after ${foundAt}`;
      this.#tell({ kind: 'note', text: `explored ${cells} cells in ${environmentSteps} steps: ${found}` });
    } finally {
      env.close();
      this.#learningMs += performance.now() - before;
    }
  }

  async #finish(learner: FormulaLearner, trainer: FormulaTrainer, judge: Judge): Promise<FormulaResult> {
    const { environmentSteps } = trainer.counters;
    this.#phase('final evaluation', environmentSteps);
    // The live blocks keep the run's own last values, for a continuation; the best ones go in for the evaluation.
    const last = copied(actingBlocks(trainer));
    restoreInto(actingBlocks(trainer), this.#best?.values ?? last, 'best');
    const { episodes, seed } = this.#evaluation;
    const options = { episodes, seed, signal: this.#signal };
    const rehearses = this.#settings.algorithm === 'tgpo' && this.#settings.rehearse > 0;
    const alone = rehearses ? await unlessStopped(judge.evaluate(options, false), this.#signal) : undefined;
    const evaluation = await unlessStopped(judge.evaluate(options, true), this.#signal);
    if (!evaluation) {
      restoreInto(actingBlocks(trainer), last, 'best');
      return this.#interrupted(environmentSteps);
    }
    const score = scoreOf(evaluation);
    this.#tell({ kind: 'evaluation', what: 'final', environmentSteps, score });
    const result: FormulaResult = {
      finished: true,
      environmentSteps,
      policy: score,
      ...(alone ? { unrehearsed: scoreOf(alone) } : {}),
      bundle: this.#run.file('policy.vrn'),
      seconds: this.#seconds,
      learningSeconds: this.#learningMs / 1000,
      attempts: trainer.counters.attempt + 1,
    };
    this.#saveBundle(learner, trainer, result);
    this.#run.writeJson('result.json', result);
    restoreInto(actingBlocks(trainer), last, 'best');
    this.#phase('done', environmentSteps);
    return result;
  }

  #saveBundle(learner: FormulaLearner, trainer: FormulaTrainer, result: FormulaResult): void {
    const { algorithm } = this.#settings;
    const bundle = formulaBundle(this.#task, {
      settings: this.#settings,
      distance: learner.distance,
      networks: trainer.agent.networks,
      made: { algorithm, environmentSteps: result.environmentSteps, policy: result.policy },
    });
    saveFormulaBundle(this.#run.file('policy.vrn'), bundle);
  }

  #checkpoint({ distance }: FormulaLearner, trainer: FormulaTrainer): void {
    const { environmentSteps } = trainer.counters;
    const collector = new StateCollector();
    const state = trainer.save(collector);
    if (this.#best) collector.add('best', this.#best.values);
    const best = this.#best && { successes: this.#best.successes };
    const meta = {
      taskHash: this.#task.hash,
      ...state,
      best,
      distance,
      inputs: trainer.view.width,
      learningMs: this.#learningMs,
      metricsBytes: this.#run.metricsBytes,
    };
    const path = writeCheckpoint(this.#run.path, environmentSteps, { meta, arrays: collector.arrays });
    this.#tell({ kind: 'checkpoint', environmentSteps, path });
  }

  #restore(trainer: FormulaTrainer, checkpoint: LoadedCheckpoint): void {
    trainer.restore(checkpoint);
    const best = checkpoint.meta['best'] as { successes: number } | undefined;
    if (best) this.#best = { ...best, values: partOf(checkpoint, 'best') };
    this.#learningMs = (checkpoint.meta['learningMs'] as number | undefined) ?? 0;
    const { environmentSteps } = trainer.counters;
    this.#tell({
      kind: 'note',
      text: `resumed at ${environmentSteps} environment steps from ${checkpoint.path}`,
    });
  }
}

/** Evaluates the present parameters on environments of their own. */
class Judge {
  readonly #env: VectorEnv;
  readonly #simulation: VectorEnv;
  readonly #learner: FormulaLearner;
  readonly #trainer: FormulaTrainer;
  readonly #compile: CompileOptions;

  constructor(
    env: VectorEnv,
    simulation: VectorEnv,
    learner: FormulaLearner,
    trainer: FormulaTrainer,
    compile: CompileOptions,
  ) {
    this.#env = env;
    this.#simulation = simulation;
    this.#learner = learner;
    this.#trainer = trainer;
    this.#compile = compile;
  }

  async evaluate(options: Parameters<typeof evaluate>[2], rehearses: boolean): Promise<Evaluation> {
    const policy: Policy = this.#learner.makePolicy(this.#env, this.#trainer.agent.networks, {
      seed: options.seed,
      compile: this.#compile,
      ...(rehearses ? { simulation: this.#simulation } : {}),
    });
    try {
      return await evaluate(this.#env, policy, options);
    } finally {
      policy.close();
    }
  }
}

/** The live parameters that acting reads. */
function actingBlocks(trainer: FormulaTrainer): Record<string, ContainerData> {
  const { policy, value } = trainer.agent.networks;
  return { policy: policy.values, value: value.values };
}

function copied(blocks: Readonly<Record<string, ContainerData>>): Record<string, ContainerData> {
  return Object.fromEntries(Object.entries(blocks).map(([name, values]) => [name, values.slice()]));
}
