import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import { type Checkpoint, partOf, restoreInto, type StateCollector } from '#learn/checkpoint';
import { type ActorCritic, PpoAgent, type PpoReport, Rollout } from '#learn/ppo';
import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import { Guide } from '#learn/tgpo/guide';
import type { PlanSource } from '#learn/tgpo/planSource';
import type { CompileOptions } from '#nn/compile';
import type { TgpoSpec } from '#spec/tgpoSchema';

/** PPO on a formula: B environments act for a stretch of steps, then the policy is updated. What a step is worth and what
 * the policy sees is the view's affair; success is the environment's exact monitor's. */

export interface FormulaTrainerOptions {
  readonly env: FormulaEnv;
  readonly settings: TgpoSpec;
  readonly compile: CompileOptions;
  /** The view of the environments. The networks exist by the time of the first episode. */
  readonly makeView: (networks: () => ActorCritic) => EpisodeView;
  /** Where the view takes its plans from: a checkpoint keeps it. */
  readonly plans?: PlanSource;
  /** Called when the trainer is closed. */
  readonly onClose?: () => void;
}

export interface FormulaCounters {
  environmentSteps: number;
  updates: number;
  episodes: number;
  successes: number;
  faults: number;
  /** Which set of first weights is in use, and the environment step it began at. */
  attempt: number;
  /** Environment steps of the search for a way. */
  explored: number;
  attemptStart: number;
}

/** Streams of random numbers; each has its own key, so that none shifts another. 5 and 6 are the plans'. */
const STREAMS = { initial: 1, explore: 2, shuffle: 3 } as const;
const RECENT = 200;
const GUIDED_PATIENCE = 3;

export class FormulaTrainer {
  readonly agent: PpoAgent;
  readonly view: EpisodeView;
  readonly counters: FormulaCounters = {
    environmentSteps: 0,
    updates: 0,
    episodes: 0,
    successes: 0,
    faults: 0,
    attempt: 0,
    explored: 0,
    attemptStart: 0,
  };
  /** Outcome of the last episodes, oldest first: 1 = success. */
  readonly recent: number[] = [];
  readonly #options: FormulaTrainerOptions;
  readonly #draws: { readonly explore: Draws; readonly shuffle: Draws };
  readonly #rollout: Rollout;
  readonly #observation: Float32Array;
  readonly #ended: Int32Array;
  #reports: PpoReport[] = [];

  constructor(options: FormulaTrainerOptions) {
    const { env, settings } = options;
    this.#options = options;
    this.view = options.makeView(() => this.agent.networks);
    const shape = { O: this.view.width, A: env.A, B: env.B };
    const rng = new PhiloxStream(settings.seed, STREAMS.initial);
    this.agent = new PpoAgent(shape, settings, rng, options.compile);
    this.#rollout = new Rollout(settings.rollout, shape);
    this.#observation = new Float32Array(env.B * this.view.width);
    this.#ended = new Int32Array(env.B);
    this.#draws = {
      explore: new Draws(settings.seed, STREAMS.explore),
      shuffle: new Draws(settings.seed, STREAMS.shuffle),
    };
  }

  /** Starts the first episodes. Not for a trainer that takes over a checkpoint. */
  begin(): void {
    const { env, settings } = this.#options;
    env.reset({ seed: settings.seed });
    this.view.begin(Int32Array.from({ length: env.B }, (_, row) => row));
  }

  get finished(): boolean {
    return this.counters.environmentSteps >= this.#options.settings.steps;
  }

  /** One stretch of steps and the update it makes possible. @throws NUMERIC, PHYSICS */
  iterate(): void {
    const rollout = this.#rollout;
    for (let t = 0; t < rollout.T; t++) this.#step(t);
    this.view.observe(this.#observation);
    rollout.lastValue.set(this.agent.values(this.#observation));
    this.#learn();
  }

  #step(t: number): void {
    const { env } = this.#options;
    const { agent, view } = this;
    const rollout = this.#rollout;
    const { B, A, O } = rollout;
    view.observe(this.#observation);
    agent.act(this.#observation, this.#draws.explore);
    rollout.observation.set(this.#observation, t * B * O);
    rollout.action.set(agent.action, t * B * A);
    rollout.logProbability.set(agent.logProbability, t * B);
    rollout.value.set(agent.value, t * B);
    for (let i = 0; i < agent.action.length; i++) env.action[i] = Math.max(-1, Math.min(1, agent.action[i]!));
    for (let row = 0; row < B; row++) rollout.counts[t * B + row] = view.isOver(row) ? 0 : 1;
    env.step();
    let ended = 0;
    for (let row = 0; row < B; row++) if (this.#score(t * B + row, row)) this.#ended[ended++] = row;
    if (ended > 0) view.begin(this.#ended.subarray(0, ended));
    this.counters.environmentSteps += B;
  }

  /** Time is part of what the policy sees, so an episode's end is an end, its horizon included.
   * @returns whether the row's episode ended */
  #score(at: number, row: number): boolean {
    const { env, settings } = this.#options;
    const rollout = this.#rollout;
    const ended = env.terminated[row] === 1 || env.truncated[row] === 1;
    if (!ended) {
      rollout.reward[at] = this.view.advance(row);
      rollout.terminated[at] = this.view.isOver(row) ? 1 : 0;
      rollout.truncated[at] = 0;
      return false;
    }
    if (this.view.isPractice(row)) {
      const wasOver = this.view.isOver(row);
      rollout.reward[at] = this.view.finish(row);
      const isOver = this.view.isOver(row);
      rollout.terminated[at] = isOver ? 1 : 0;
      // The environment ends an episode whose beginning was skipped when it likes: what follows is worth what the last
      // step was worth before it.
      rollout.truncated[at] = isOver ? 0 : 1;
      rollout.following[at] = rollout.value[at]!;
      if (wasOver) rollout.counts[at] = 0;
      return true;
    }
    rollout.terminated[at] = 1;
    rollout.truncated[at] = 0;
    if (env.faults.some((fault) => fault.environment === row)) {
      this.counters.faults++;
      rollout.counts[at] = 0;
      rollout.reward[at] = 0;
      return true;
    }
    const success = env.success[row]!;
    const reward = this.view.finish(row);
    // A plan that failed has paid already.
    const failed = success === 0 && !this.view.isOver(row);
    const penalty = failed && !this.view.guide ? settings.failure : 0;
    rollout.reward[at] = reward + success * settings.success - penalty;
    if (!this.view.isWhole(row)) return true;
    this.counters.episodes++;
    this.counters.successes += success;
    this.recent.push(success);
    if (this.recent.length > RECENT) this.recent.shift();
    return true;
  }

  #learn(): void {
    try {
      this.#reports.push(this.agent.update(this.#rollout, this.#draws.shuffle, this.#rateScale()));
    } catch (cause) {
      if (!(cause instanceof VernierError) || cause.code !== 'NUMERIC') throw cause;
      throw new VernierError('NUMERIC', `update ${this.counters.updates + 1}: ${cause.message}`, {
        hint: 'lower tgpo.learning_rate, or look at the observations for outliers',
        cause,
      });
    }
    this.counters.updates++;
  }

  /** Environment steps of the present attempt. */
  get attemptSteps(): number {
    return this.counters.environmentSteps - this.counters.attemptStart;
  }

  /** Takes over what exploration found, and counts its environment steps. */
  follow(guide: Guide | undefined, steps: number): void {
    this.counters.environmentSteps += steps;
    this.counters.explored += steps;
    if (guide) this.view.guide = guide;
  }

  /** Forgets what was learned and starts with other weights; the environments go on as they are. */
  restart(): void {
    this.counters.attempt++;
    this.counters.attemptStart = this.counters.environmentSteps;
    const { seed } = this.#options.settings;
    this.agent.restart(new PhiloxStream(seed, STREAMS.initial, this.counters.attempt));
  }

  /** Environment steps after which weights that lead nowhere are given up. A way is longer than what a plan guesses. */
  get patience(): number {
    const { restart_after } = this.#options.settings;
    return this.view.guide ? GUIDED_PATIENCE * restart_after : restart_after;
  }

  /** Down to a tenth over an attempt. */
  #rateScale(): number {
    const { steps } = this.#options.settings;
    return 1 - 0.9 * Math.min(1, this.attemptSteps / Math.min(steps, this.patience));
  }

  /** Averages of what the updates reported since the last call. */
  takeAverages(): Record<string, number> {
    const reports = this.#reports;
    this.#reports = [];
    if (reports.length === 0) return {};
    const names = Object.keys(reports[0]!) as (keyof PpoReport)[];
    return Object.fromEntries(
      names.map((name) => [name, reports.reduce((sum, report) => sum + report[name]!, 0) / reports.length]),
    );
  }

  /** Adds everything that a bit-exact continuation needs. */
  save(collector: StateCollector): Record<string, unknown> {
    const { env, plans } = this.#options;
    collector.add('agent', this.agent.state());
    collector.add('view', this.view.arrays());
    if (plans) collector.add('plans', plans.arrays());
    const { guide } = this.view;
    if (guide) collector.add('guide', guide.arrays());
    collector.add('env', {
      state: env.getState(),
      observation: env.observation,
      predicates: env.predicates,
      robustness: env.robustness,
    });
    const { explore, shuffle } = this.#draws;
    return {
      counters: { ...this.counters },
      recent: [...this.recent],
      draws: { explore: explore.position, shuffle: shuffle.position },
      plans: plans?.positions,
      isGuided: guide !== undefined,
    };
  }

  /** Takes over what `save` wrote. */
  restore(checkpoint: Checkpoint): void {
    const { env, plans } = this.#options;
    restoreInto(this.agent.state(), partOf(checkpoint, 'agent'), 'agent');
    restoreInto(this.view.arrays(), partOf(checkpoint, 'view'), 'view');
    const { state, ...buffers } = partOf(checkpoint, 'env');
    env.setState(state as Uint8Array);
    const { observation, predicates, robustness } = env;
    restoreInto({ observation, predicates, robustness }, buffers, 'env');
    const meta = checkpoint.meta as {
      counters: FormulaCounters;
      recent: number[];
      draws: { explore: number; shuffle: number };
      plans?: PlanSource['positions'];
      isGuided: boolean;
    };
    if (meta.isGuided) this.view.guide = Guide.from(partOf(checkpoint, 'guide'));
    if (plans && meta.plans) {
      restoreInto(plans.arrays(), partOf(checkpoint, 'plans'), 'plans');
      plans.positions = meta.plans;
    }
    Object.assign(this.counters, meta.counters);
    this.recent.splice(0, this.recent.length, ...meta.recent);
    this.#draws.explore.position = meta.draws.explore;
    this.#draws.shuffle.position = meta.draws.shuffle;
  }

  close(): void {
    this.agent.close();
    this.#options.onClose?.();
  }
}
