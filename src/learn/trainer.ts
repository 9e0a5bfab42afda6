import type { ContainerData } from '#core/container';
import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import type { Mirror } from '#data/mirror';
import { Replay, type StepBatch } from '#data/replay';
import { Agent } from '#learn/agent';
import { algorithmOf } from '#learn/algorithms';
import { type Checkpoint, partOf, restoreInto, type StateCollector } from '#learn/checkpoint';
import type { Patcher } from '#learn/patching';
import type { LearnEnv } from '#learn/problem';
import type { ScoredRewards } from '#learn/scoredRewards';
import type { StartCurriculum } from '#learn/startCurriculum';
import type { CompileOptions } from '#nn/compile';
import { compose } from '#policy/compose';
import type { Normaliser } from '#policy/normaliser';
import type { BasePolicy } from '#policy/policy';
import type { HackWarning } from '#reward/hackAlarm';
import { RewardShaper } from '#reward/rewardShaper';
import type { ResidualSpec } from '#spec/learningSchema';
import type { ResolvedReward } from '#spec/resolvedReward';

/** The online loop: acting, storing, updating, over B environments at once.
 *
 * In one round every environment takes one step. The round's updates use the steps stored before it, so they can
 * run beside the physics; with or without that overlap the result is the same, bit for bit. */

export interface TrainerOptions {
  readonly env: LearnEnv;
  /** B rows, as many as the environment */
  readonly base: BasePolicy;
  readonly normaliser: Normaliser;
  readonly demos: Replay | undefined;
  /** Aids on the way to the task's reward, and the steps of the longest episode; none when left out. */
  readonly aids?: { readonly reward: ResolvedReward; readonly horizon: number } | undefined;
  /** The same for aids that look at scores of models; whose it is closes it. */
  readonly scored?: ScoredRewards | undefined;
  /** Puts episodes onto demonstrations. */
  readonly starts?: StartCurriculum | undefined;
  /** Puts steps of somebody who knows better in the place of explored ones. */
  readonly patches?: Patcher | undefined;
  /** A random half of each batch is seen in it; none when left out. */
  readonly mirror?: Mirror | undefined;
  readonly settings: ResidualSpec;
  readonly compile: CompileOptions;
}

export interface Counters {
  environmentSteps: number;
  /** Updates of the phase before the actor moves. */
  criticOnlyUpdates: number;
  criticUpdates: number;
  actorUpdates: number;
  /** Fraction of an update that is due. */
  owed: number;
  episodes: number;
  successes: number;
  faults: number;
}

/** Streams of random numbers; each has its own key, so that none shifts another. */
const STREAMS = { initial: 1, explore: 2, sample: 3, warmup: 4 } as const;

export class Trainer {
  readonly agent: Agent;
  readonly replay: Replay;
  readonly counters: Counters = {
    environmentSteps: 0,
    criticOnlyUpdates: 0,
    criticUpdates: 0,
    actorUpdates: 0,
    owed: 0,
    episodes: 0,
    successes: 0,
    faults: 0,
  };
  /** Outcome of the last episodes, oldest first: 1 = success. */
  readonly recent: number[] = [];
  #warnings: HackWarning[] = [];
  readonly #options: TrainerOptions;
  readonly #shaper: RewardShaper | undefined;
  readonly #draws: { readonly explore: Draws; readonly sample: Draws; readonly warmup: Draws };
  readonly #step: StepBatch & {
    readonly observation: Float32Array;
    readonly phase: Float32Array;
  };
  readonly #done: Uint8Array;
  readonly #baseAction: Float32Array;
  readonly #phase: Float32Array;
  #sums = new Map<string, { sum: number; count: number }>();

  constructor(options: TrainerOptions) {
    const { env, normaliser, settings, aids } = options;
    const { B, O, A } = env;
    this.#options = options;
    this.#shaper = aids && new RewardShaper(aids.reward, B, settings.gamma);
    const rng = new PhiloxStream(settings.seed, STREAMS.initial);
    this.agent = new Agent(
      { O, A, environments: B, normaliser, settings, rng, mirror: options.mirror, compile: options.compile },
      algorithmOf(settings, A, rng),
    );
    const { n_step: nStep, gamma, replay: capacity } = settings;
    this.replay = new Replay({
      ...{ O, A, environments: B, capacity, nStep, gamma, priorities: settings.priorities },
      ...(aids && (this.#shaper?.credits || options.scored) ? { horizon: aids.horizon } : {}),
    });
    this.#draws = {
      explore: new Draws(settings.seed, STREAMS.explore),
      sample: new Draws(settings.seed, STREAMS.sample),
      warmup: new Draws(settings.seed, STREAMS.warmup),
    };
    this.#done = new Uint8Array(B);
    this.#baseAction = new Float32Array(B * A);
    this.#phase = new Float32Array(B);
    this.#step = {
      observation: new Float32Array(B * O),
      phase: new Float32Array(B),
      base: new Float32Array(B * A),
      action: new Float32Array(B * A),
      reward: this.#shaper ? new Float32Array(B) : env.reward,
      nextObservation: env.finalObservation,
      nextPhase: this.#phase,
      nextBase: this.#baseAction,
      terminated: env.terminated,
      truncated: env.truncated,
    };
  }

  /** Starts the first episodes. Not for a trainer that takes over a checkpoint. */
  async begin(): Promise<void> {
    const { env, base, settings, starts } = this.#options;
    env.reset({ seed: settings.seed });
    for (let row = 0; row < env.B; row++) {
      starts?.begin(env, row);
      this.#beginEpisode(row);
    }
    this.#options.patches?.begin();
    base.reset();
    await this.#askBase(env.observation);
  }

  /** Whether the run has done all its environment steps. */
  get finished(): boolean {
    return this.counters.environmentSteps >= this.#options.settings.steps;
  }

  get phase(): 'warm-up' | 'critic only' | 'online' {
    const { warmup_steps, critic_only_updates } = this.#options.settings;
    // A warm-up too short to fill one n-step window goes on until there is something to learn from.
    if (this.counters.environmentSteps < warmup_steps || this.replay.size === 0) return 'warm-up';
    return this.counters.criticOnlyUpdates < critic_only_updates ? 'critic only' : 'online';
  }

  /** The residual's scale now: it grows over `scale_warmup` steps once the agent acts. */
  get scale(): number {
    return scaleAt(this.#options.settings, this.counters.environmentSteps);
  }

  /** One update of the critic-only phase, or one round of steps with its updates. */
  async advance(): Promise<void> {
    if (this.phase === 'critic only') {
      this.#update(false);
      this.counters.criticOnlyUpdates++;
      return;
    }
    await this.#round();
  }

  async #round(): Promise<void> {
    const { env, settings } = this.#options;
    const warmingUp = this.phase === 'warm-up';
    this.#chooseActions(warmingUp);
    if (!warmingUp) this.counters.owed += settings.utd * env.B;
    if (settings.learner_thread) {
      const stepping = env.stepAsync();
      // A failed update must not leave the physics running unobserved.
      try {
        await this.#payOwedAsync();
      } finally {
        await stepping;
      }
    } else {
      this.#payOwed();
      env.step();
    }
    await this.#store();
  }

  #chooseActions(warmingUp: boolean): void {
    const { env, normaliser, settings } = this.#options;
    const { agent } = this;
    const step = this.#step;
    step.observation.set(env.observation);
    step.base.set(this.#baseAction);
    step.phase.set(this.#phase);
    if (warmingUp && agent.algorithm.kind !== 'gaussian')
      this.#draws.warmup.uniforms(agent.residual, -settings.warmup_noise, settings.warmup_noise);
    else agent.explore(step.observation, step.phase, step.base, this.#draws.explore, this.scale);
    compose(step.base, agent.residual, normaliser.actionHalf, step.action);
    this.#options.patches?.patch(env, step, this.counters.environmentSteps);
    env.action.set(step.action);
  }

  /** Stores the round's steps. The base's next action continues its chunk on the final observation; only then does
   * it start afresh where an episode ended, by termination or truncation alike. */
  async #store(): Promise<void> {
    const { env, base, starts } = this.#options;
    await this.#askBase(env.finalObservation);
    let ended = false;
    for (let row = 0; row < env.B; row++) {
      const done = env.terminated[row] === 1 || env.truncated[row] === 1;
      this.#done[row] = done ? 1 : 0;
      ended ||= done;
      if (env.faults.some((fault) => fault.environment === row)) {
        this.replay.discardPending(row);
        this.#options.scored?.discard(row);
        this.counters.faults++;
      } else {
        this.#addStep(row, done);
        if (done) this.#countEpisode(env.success[row]!);
      }
      if (done) {
        // What the row's buffers said of the step is stored by now: a start on a demonstration takes them over.
        starts?.finish(row, env.success[row] === 1);
        starts?.begin(env, row);
        this.#beginEpisode(row);
      }
    }
    this.counters.environmentSteps += env.B;
    if (!ended) return;
    this.#options.patches?.begin(this.#done);
    base.reset(this.#done);
    await this.#askBase(env.observation, this.#done);
  }

  #beginEpisode(row: number): void {
    const { env, scored } = this.#options;
    const signals = signalsOf(env.signals, row, env.B);
    this.#shaper?.begin(row, signals);
    scored?.begin(row, signals, rowOf(env.observation, row, env.B));
  }

  /** Stores a row's step with what the aids make of it. */
  #addStep(row: number, done: boolean): void {
    const { env, scored } = this.#options;
    const shaper = this.#shaper;
    if (shaper) {
      const own = env.reward[row]!;
      const values = signalsOf(env.finalSignals, row, env.B);
      this.#step.reward[row] = own + shaper.step(row, values, own, env.terminated[row] === 1);
      scored?.step(row, values, rowOf(env.finalObservation, row, env.B), own, done);
    }
    this.replay.add(row, this.#step, row);
    if (shaper && done) this.#creditEpisode(row, shaper);
  }

  /** Credits what is known only when the episode is over; scores of models come later. */
  #creditEpisode(row: number, shaper: RewardShaper): void {
    const { env, scored } = this.#options;
    const success = env.success[row] === 1;
    const { credits, warning } = shaper.finish(row, success);
    if (warning) this.#warnings.push(warning);
    if (!shaper.credits && !scored) return;
    const { replay } = this;
    const steps = replay.takeEpisode(row);
    if (shaper.credits) replay.settle(steps, credits);
    scored?.finish(row, { replay, steps, success, terminated: env.terminated[row] === 1 });
  }

  async #askBase(observation: Float32Array, mask?: Uint8Array): Promise<void> {
    const { base } = this.#options;
    const acted = base.act(observation, this.#baseAction, mask);
    if (acted) await acted;
    this.#phase.set(base.phase);
  }

  #countEpisode(success: number): void {
    this.counters.episodes++;
    this.counters.successes += success;
    this.recent.push(success);
    if (this.recent.length > 100) this.recent.shift();
  }

  #payOwed(): void {
    while (this.counters.owed >= 1) {
      this.counters.owed--;
      this.#update(this.#withActor());
    }
  }

  async #payOwedAsync(): Promise<void> {
    while (this.counters.owed >= 1) {
      this.counters.owed--;
      const withActor = this.#withActor();
      this.#sample(withActor);
      await this.agent.updateAsync(withActor).catch((cause) => this.#updateFailed(cause));
      this.#count(withActor);
    }
  }

  #withActor(): boolean {
    return (this.counters.criticUpdates + 1) % this.#options.settings.actor_every === 0;
  }

  #update(withActor: boolean): void {
    this.#sample(withActor);
    try {
      this.agent.update(withActor);
    } catch (cause) {
      this.#updateFailed(cause);
    }
    this.#count(withActor);
  }

  #updateFailed(cause: unknown): never {
    if (!(cause instanceof VernierError) || cause.code !== 'NUMERIC') throw cause;
    throw new VernierError('NUMERIC', `update ${this.counters.criticUpdates + 1}: ${cause.message}`, {
      hint: 'lower residual.critic_lr, or look at the observations for outliers',
      cause,
    });
  }

  #sample(withActor: boolean): void {
    this.agent.sample(withActor, this.replay, this.#options.demos, this.#draws.sample, {
      scale: this.scale,
      imitation: imitationAt(this.#options.settings, this.counters.environmentSteps),
    });
  }

  #count(withActor: boolean): void {
    this.counters.criticUpdates++;
    if (withActor) this.counters.actorUpdates++;
    for (const [name, values] of Object.entries(this.agent.report(withActor))) {
      if (values.length > 1) continue;
      const entry = this.#sums.get(name);
      if (entry) {
        entry.sum += values[0]!;
        entry.count++;
      } else this.#sums.set(name, { sum: values[0]!, count: 1 });
    }
  }

  /** What the reward's aids did that looks wrong, since the last call. */
  takeWarnings(): readonly HackWarning[] {
    const warnings = [...this.#warnings, ...(this.#options.scored?.takeWarnings() ?? [])];
    this.#warnings = [];
    return warnings;
  }

  /** Averages of what the updates reported since the last call. */
  takeAverages(): Record<string, number> {
    const averages = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.#sums = new Map();
    const patched = this.#options.patches?.takeShare();
    return patched === undefined ? averages : { ...averages, patched };
  }

  /** Adds everything that a bit-exact continuation needs. */
  save(collector: StateCollector): Record<string, unknown> {
    const { env, base, scored } = this.#options;
    collector.add('agent', this.agent.state());
    collector.add('replay', this.replay.state());
    collector.add('base', base.state);
    if (this.#options.patches) collector.add('patches', this.#options.patches.state);
    collector.add('env', { state: env.getState(), observation: env.observation });
    collector.add('loop', { baseAction: this.#baseAction, phase: this.#phase });
    const { explore, sample, warmup } = this.#draws;
    return {
      counters: { ...this.counters },
      recent: [...this.recent],
      ...(this.#shaper ? { reward: this.#shaper.save() } : {}),
      ...(scored ? { scored: scored.save() } : {}),
      ...(this.#options.starts ? { starts: this.#options.starts.save() } : {}),
      draws: { explore: explore.position, sample: sample.position, warmup: warmup.position },
    };
  }

  /** Takes over what `save` wrote. */
  restore(checkpoint: Checkpoint): void {
    const { env, base } = this.#options;
    restoreInto(this.agent.state(), partOf(checkpoint, 'agent'), 'agent');
    this.replay.restore(partOf(checkpoint, 'replay') as Record<string, Float32Array>);
    restoreInto(base.state, partOf(checkpoint, 'base'), 'base');
    const patches = this.#options.patches?.state;
    if (patches) restoreInto(patches, partOf(checkpoint, 'patches'), 'patches');
    const saved = partOf(checkpoint, 'env');
    env.setState(saved['state'] as Uint8Array);
    restoreInto({ observation: env.observation }, saved, 'env');
    const loop: Record<string, ContainerData> = { baseAction: this.#baseAction, phase: this.#phase };
    restoreInto(loop, partOf(checkpoint, 'loop'), 'loop');
    const meta = checkpoint.meta as {
      counters: Counters;
      recent: number[];
      reward?: unknown;
      scored?: unknown;
      starts?: unknown;
      draws: { explore: number; sample: number; warmup: number };
    };
    Object.assign(this.counters, meta.counters);
    this.#shaper?.restore(meta.reward);
    this.#options.scored?.restore(meta.scored);
    this.#options.starts?.restore(meta.starts);
    this.recent.splice(0, this.recent.length, ...meta.recent);
    this.#draws.explore.position = meta.draws.explore;
    this.#draws.sample.position = meta.draws.sample;
    this.#draws.warmup.position = meta.draws.warmup;
  }

  close(): void {
    this.agent.close();
  }
}

function signalsOf(signals: Float64Array, row: number, B: number): Float64Array {
  const width = signals.length / B;
  return signals.subarray(row * width, (row + 1) * width);
}

/** The weight of imitation after so many environment steps. */
export function imitationAt({ imitation }: ResidualSpec, environmentSteps: number): number {
  return imitation ? imitation.weight * Math.max(0, 1 - environmentSteps / imitation.decay) : 0;
}

function rowOf(values: Float32Array, row: number, B: number): Float32Array {
  const width = values.length / B;
  return values.subarray(row * width, (row + 1) * width);
}

/** The residual's scale after so many environment steps. */
export function scaleAt(settings: ResidualSpec, environmentSteps: number): number {
  const { scale, scale_warmup, warmup_steps } = settings;
  if (scale_warmup === 0) return scale;
  const since = environmentSteps - warmup_steps;
  return scale * Math.min(1, Math.max(0, since / scale_warmup));
}
