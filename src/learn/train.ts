import { type Demos, loadDemos, saveDemos } from '#data/demos';
import { mirrorDemos } from '#data/mirror';
import type { Replay } from '#data/replay';
import { fitToDemos, loadBase, prepareBase } from '#learn/baseStage';
import { type LoadedCheckpoint, loadLatestCheckpoint } from '#learn/checkpoint';
import { collectDemos, labelDemos } from '#learn/collect';
import { demoStates } from '#learn/demoStates';
import { type Evaluation, evaluate, SELECTION_SEED, unlessStopped } from '#learn/evaluate';
import { type PhaseName, scoreOf, type TrainEvent } from '#learn/events';
import { DemoSupport, Patcher } from '#learn/patching';
import type { LearnEnv, Problem } from '#learn/problem';
import { Progress } from '#learn/progress';
import { claimFolder, type RunConfig } from '#learn/runConfig';
import type { RunDirectory } from '#learn/runDirectory';
import { checkTask, restoreRun, saveRun } from '#learn/runState';
import type { ScoredRewards } from '#learn/scoredRewards';
import { ship, type TrainResult } from '#learn/shipping';
import { actingValues, type Best, type Stage } from '#learn/stage';
import { StartCurriculum } from '#learn/startCurriculum';
import { startScoring } from '#learn/startScoring';
import { taskProblem } from '#learn/taskProblem';
import { Trainer } from '#learn/trainer';
import type { CompileOptions } from '#nn/compile';
import { type BaseModel, makeBase } from '#policy/bundle';
import { actionsUnscaled, type Normaliser } from '#policy/normaliser';
import { ResidualPolicy } from '#policy/residualPolicy';
import { describeWarning } from '#reward/hackAlarm';
import type { ResolvedTask } from '#spec/resolved';

/** A whole training run: demonstrations, base, online learning, evaluation, bundle. It resumes from whatever its
 * folder holds, and a resumed run ends with the same bits as one that was never stopped. */

export { type RunConfig, runConfig } from '#learn/runConfig';
export type { TrainResult } from '#learn/shipping';

export type Report = (event: TrainEvent) => void;

/** Trains a task in a run folder, going on where the folder's last run stopped.
 * @throws VernierError: every expected trouble, with its cause and what to do */
export async function train(
  task: ResolvedTask,
  config: RunConfig,
  run: RunDirectory,
  report: Report,
  signal: AbortSignal,
): Promise<TrainResult> {
  return trainProblem(taskProblem(task), config, run, report, signal);
}

/** The same for anything that offers environments and an expert. */
export async function trainProblem(
  problem: Problem,
  config: RunConfig,
  run: RunDirectory,
  report: Report,
  signal: AbortSignal,
): Promise<TrainResult> {
  const unlock = run.lock();
  const training = new TrainingRun(problem, config, run, report, signal);
  try {
    return await training.go();
  } finally {
    await training.close();
    unlock();
  }
}

const YIELD_MS = 50;

class TrainingRun {
  readonly #problem: Problem;
  readonly #config: RunConfig;
  readonly #run: RunDirectory;
  readonly #report: Report;
  readonly #signal: AbortSignal;
  readonly #compile: CompileOptions;
  readonly #started = performance.now();
  readonly #closers: (() => void | Promise<void>)[] = [];
  #best: Best | undefined;

  constructor(problem: Problem, config: RunConfig, run: RunDirectory, report: Report, signal: AbortSignal) {
    this.#problem = problem;
    this.#config = config;
    this.#run = run;
    this.#report = report;
    this.#signal = signal;
    this.#compile = config.backend === undefined ? {} : { backend: config.backend };
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
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

  #interrupted(environmentSteps: number): TrainResult {
    return { finished: false, environmentSteps, seconds: this.#seconds };
  }

  async go(): Promise<TrainResult> {
    claimFolder(this.#run, this.#problem.taskHash, this.#config);
    const checkpoint = loadLatestCheckpoint(this.#run.path);
    if (checkpoint) this.#checkCheckpoint(checkpoint);
    const { base: cloned, residual } = this.#config;
    if (cloned.mirror || residual.mirror) await this.#problem.mirror?.check();
    const demos = await this.#demos();
    if (!demos) return this.#interrupted(0);
    const base = await this.#base(demos);
    if (!base) return this.#interrupted(0);
    return this.#learn(demos, base, checkpoint);
  }

  #checkCheckpoint(checkpoint: LoadedCheckpoint): void {
    this.#run.truncateMetrics(checkpoint.meta['metricsBytes'] as number);
    for (const text of checkpoint.skipped)
      this.#tell({ kind: 'note', text: `skipped a checkpoint: ${text}` });
    checkTask(checkpoint, this.#problem.taskHash);
  }

  async #demos(): Promise<Demos | undefined> {
    const { taskHash, O, A } = this.#problem;
    const { settings, expectation } = { settings: this.#config.demos, expectation: { taskHash, O, A } };
    if (settings.file !== undefined) return loadDemos(settings.file, expectation);
    const file = this.#run.file('demos.vrn');
    if (this.#run.has('demos.vrn')) return loadDemos(file, expectation);
    this.#phase('demos');
    const wanted = settings.episodes;
    const collected = await collectDemos(this.#problem, {
      settings,
      ...this.#threads,
      report: (kept, tried) => this.#tell({ kind: 'demos', kept, wanted, tried }),
      stop: () => this.#signal.aborted,
    });
    if (!collected) return undefined;
    saveDemos(file, collected.demos);
    return collected.demos;
  }

  async #base(demos: Demos): Promise<BaseModel | undefined> {
    const settings = this.#config.base;
    const file = this.#run.file('base.vrn');
    if (settings.kind === 'chunk' && this.#run.has('base.vrn'))
      return loadBase(file, settings, this.#problem.O, this.#problem.A);
    this.#phase('base');
    return prepareBase({
      settings,
      demos,
      mirror: this.#problem.mirror,
      file,
      compile: this.#compile,
      report: ({ step, steps: total, loss, validation }) =>
        this.#tell({ kind: 'bc', step, total, loss, validation }),
      note: (text) => this.#tell({ kind: 'note', text }),
      stop: () => this.#signal.aborted,
    });
  }

  get #threads(): { threads?: number } {
    const { threads } = this.#config.residual;
    return threads === undefined ? {} : { threads };
  }

  #normaliser(demos: Demos): Normaliser {
    const { base, residual } = this.#config;
    const { mirror } = this.#problem;
    const mirrored = residual.mirror && mirror ? mirrorDemos(demos, mirror) : undefined;
    const fitted = fitToDemos(demos, mirrored, {
      scale: residual.scale,
      rangeFloor: base.action_range_floor,
      stdFloor: base.state_std_floor,
    });
    // Only a residual is measured by what the demonstrations did; whole actions use the task's full range.
    return residual.algorithm === 'residual' ? fitted : actionsUnscaled(fitted);
  }

  async #makeEnv(environments: number, seed: number): Promise<LearnEnv> {
    const env = await this.#problem.makeEnv({ environments, seed, ...this.#threads });
    this.#closers.push(() => env.close());
    return env;
  }

  async #learn(
    demos: Demos,
    base: BaseModel,
    checkpoint: LoadedCheckpoint | undefined,
  ): Promise<TrainResult> {
    const { residual: settings, evaluation, reward } = this.#config;
    // The baseline without a base starts from rest.
    const used: BaseModel = settings.algorithm === 'rlpd' ? { kind: 'zero' } : base;
    const normaliser = this.#normaliser(demos);
    const env = await this.#makeEnv(settings.environments, settings.seed);
    const evaluationRows = Math.min(evaluation.environments, evaluation.episodes);
    const evaluationEnv = await this.#makeEnv(evaluationRows, evaluation.seed);
    const policies = await this.#policies(used, base, env.B, evaluationRows);
    const labelled = await this.#labelled(demos, used);
    const scored = await this.#scored(demos, labelled, env);
    const trainer = new Trainer({
      env,
      base: policies.acting,
      normaliser,
      demos: labelled,
      aids: reward && { reward, horizon: this.#problem.horizon },
      scored,
      starts: await this.#starts(demos, env.B),
      patches: this.#patches(demos, env, normaliser),
      mirror: settings.mirror ? this.#problem.mirror : undefined,
      settings,
      compile: this.#compile,
    });
    const learned = new ResidualPolicy(
      policies.corrected,
      trainer.agent.trained(),
      normaliser,
      settings.scale,
      this.#compile,
    );
    this.#closers.push(
      () => trainer.close(),
      () => learned.close(),
    );
    const stage: Stage = {
      trainer,
      learned,
      alone: policies.alone,
      env: evaluationEnv,
      base,
      used,
      normaliser,
      scored,
    };
    if (checkpoint) this.#restore(stage, checkpoint);
    else {
      await this.#evaluateBase(stage);
      if (this.#signal.aborted) return this.#interrupted(0);
      await trainer.begin();
    }
    if (!(await this.#online(stage))) return this.#interrupted(trainer.counters.environmentSteps);
    return this.#finish(stage);
  }

  async #starts(demos: Demos, B: number): Promise<StartCurriculum | undefined> {
    const { starts, seed } = this.#config.residual;
    return starts && new StartCurriculum(await demoStates(this.#problem, demos), starts, B, seed);
  }

  #patches(demos: Demos, env: LearnEnv, normaliser: Normaliser): Patcher | undefined {
    const { patches, seed } = this.#config.residual;
    const expert = patches?.by === 'expert' ? this.#problem.makeExpert(env, seed) : undefined;
    return patches && new Patcher(new DemoSupport(demos, normaliser), patches, expert, env);
  }

  async #policies(used: BaseModel, base: BaseModel, B: number, rows: number) {
    const { O, A } = this.#problem;
    const make = async (model: BaseModel, n: number) => {
      const policy = await makeBase(model, { B: n, O, A }, this.#compile);
      this.#closers.push(() => policy.close());
      return policy;
    };
    return { acting: await make(used, B), corrected: await make(used, rows), alone: await make(base, rows) };
  }

  async #labelled(demos: Demos, base: BaseModel): Promise<Replay | undefined> {
    const { n_step: nStep, gamma, demo_fraction } = this.#config.residual;
    if (demo_fraction === 0) return undefined;
    const { O, A } = this.#problem;
    const policy = await makeBase(base, { B: 1, O, A }, this.#compile);
    try {
      return await labelDemos(demos, policy, { nStep, gamma }, this.#config.reward);
    } finally {
      policy.close();
    }
  }

  /** The service that scores episodes, the demonstrations done; undefined where no aid looks at scores. */
  async #scored(
    demos: Demos,
    labelled: Replay | undefined,
    env: LearnEnv,
  ): Promise<ScoredRewards | undefined> {
    const { reward, residual } = this.#config;
    if (!reward?.scored) return undefined;
    this.#phase('scores');
    const { scored, close } = await startScoring({
      ...{ problem: this.#problem, reward, gamma: residual.gamma, env, demos, labelled },
      ...{ folder: this.#run.path, seed: residual.seed, compile: this.#compile },
      tell: (event) => this.#tell(event),
    });
    this.#closers.push(close);
    return scored;
  }

  /** Steps and updates to the end, or until the run is stopped: then false. */
  async #online(stage: Stage): Promise<boolean> {
    const { trainer, scored } = stage;
    const { residual: settings } = this.#config;
    const { counters } = trainer;
    const due = (every: number): number => (Math.floor(counters.environmentSteps / every) + 1) * every;
    let nextEvaluation = due(settings.evaluate_every);
    let nextCheckpoint = due(settings.checkpoint_every);
    let phase: PhaseName | undefined;
    const progress = new Progress(trainer, settings.steps);
    let yielded = performance.now();
    while (!trainer.finished) {
      if (trainer.phase !== phase) {
        phase = trainer.phase;
        this.#phase(phase, counters.environmentSteps);
      }
      await trainer.advance();
      const now = performance.now();
      if (now - yielded > YIELD_MS) {
        await new Promise((resume) => setImmediate(resume));
        yielded = now;
      }
      if (progress.due(now)) {
        this.#tell(progress.event(now, phase));
        if (scored) this.#tell(scored.event(counters.environmentSteps));
      }
      for (const warning of trainer.takeWarnings())
        this.#tell({ kind: 'note', text: describeWarning(warning) });
      if (this.#signal.aborted) {
        this.#checkpoint(stage);
        return false;
      }
      if (counters.environmentSteps >= nextEvaluation) {
        nextEvaluation = due(settings.evaluate_every);
        progress.pause(performance.now());
        const evaluation = await this.#evaluateLearned(stage);
        if (evaluation === undefined) {
          this.#checkpoint(stage);
          return false;
        }
        progress.resume(performance.now());
        if (settings.stop_at !== undefined && evaluation.rate >= settings.stop_at) {
          this.#tell({ kind: 'note', text: `stopped early: the evaluation reached ${evaluation.rate}` });
          break;
        }
      }
      if (counters.environmentSteps >= nextCheckpoint) {
        nextCheckpoint = due(settings.checkpoint_every);
        this.#checkpoint(stage);
      }
    }
    this.#tell(progress.event(performance.now(), phase ?? 'online'));
    if (scored) this.#tell(scored.event(counters.environmentSteps));
    this.#checkpoint(stage);
    return true;
  }

  get #selection(): { episodes: number; seed: number; signal: AbortSignal } {
    const { residual, evaluation } = this.#config;
    return {
      episodes: residual.evaluate_episodes,
      seed: evaluation.seed + SELECTION_SEED,
      signal: this.#signal,
    };
  }

  async #evaluateBase({ env, alone }: Stage): Promise<void> {
    const result = await unlessStopped(evaluate(env, alone, this.#selection), this.#signal);
    if (result) this.#tell({ kind: 'evaluation', what: 'base', environmentSteps: 0, score: scoreOf(result) });
  }

  async #evaluateLearned({ env, learned, trainer }: Stage): Promise<Evaluation | undefined> {
    learned.scale = trainer.scale;
    const result = await unlessStopped(evaluate(env, learned, this.#selection), this.#signal);
    if (!result) return undefined;
    const { environmentSteps } = trainer.counters;
    this.#tell({ kind: 'evaluation', what: 'policy', environmentSteps, score: scoreOf(result) });
    if (this.#best === undefined || result.successes >= this.#best.successes)
      this.#best = { successes: result.successes, scale: trainer.scale, values: actingValues(trainer) };
    return result;
  }

  /** The reported evaluation and what follows from it. */
  async #finish(stage: Stage): Promise<TrainResult> {
    const { environmentSteps } = stage.trainer.counters;
    this.#phase('final evaluation', environmentSteps);
    const result = await ship(stage, this.#best, {
      problem: this.#problem,
      config: this.#config,
      run: this.#run,
      signal: this.#signal,
      seconds: () => this.#seconds,
      tell: (event) => this.#tell(event),
    });
    if (!result) return this.#interrupted(environmentSteps);
    this.#phase('done', environmentSteps);
    return result;
  }

  #checkpoint(stage: Stage): void {
    const { environmentSteps } = stage.trainer.counters;
    const path = saveRun(this.#run, this.#problem.taskHash, stage, this.#best);
    this.#tell({ kind: 'checkpoint', environmentSteps, path });
  }

  #restore(stage: Stage, checkpoint: LoadedCheckpoint): void {
    this.#best = restoreRun(stage, checkpoint);
    const { environmentSteps } = stage.trainer.counters;
    this.#tell({
      kind: 'note',
      text: `resumed at ${environmentSteps} environment steps from ${checkpoint.path}`,
    });
  }
}
