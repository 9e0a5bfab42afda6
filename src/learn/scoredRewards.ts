import type { Replay } from '#data/replay';
import type { ScenePose } from '#env/renderer';
import type { ScoringEvent } from '#learn/events';
import type { DistilledScores } from '#reward/distilled/distilledScores';
import type { HackWarning } from '#reward/hackAlarm';
import { LabelBook } from '#reward/labelBook';
import { type ScoredEpisode, ScoredShaper } from '#reward/scoredShaper';
import type { EpisodeScore, Spent } from '#reward/service/messages';
import { ScoringService, type ServiceOptions } from '#reward/service/scoringService';
import type { ResolvedReward } from '#spec/resolvedReward';

export interface ScoredRewardsOptions {
  readonly reward: ResolvedReward;
  /** The learner's discount. */
  readonly gamma: number;
  /** Environments. */
  readonly rows: number;
  /** Left out where no model looks at pictures. */
  readonly service?: ServiceOptions;
  readonly distilled?: DistilledScores;
  /** Where everything is in an environment now. */
  readonly poseOf: (row: number) => ScenePose;
  readonly note: (text: string) => void;
}

interface Running {
  readonly columns: Float64Array[];
  readonly rewards: number[];
  readonly observations: Float32Array[];
  readonly samples: number[];
  readonly poses: ScenePose[];
}

/** What was seen of an episode. */
export interface SeenEpisode extends Pick<ScoredEpisode, 'columns' | 'rewards'> {
  /** Samples with a pose. @shape samples, poses [n] */
  readonly samples: readonly number[];
  readonly poses: readonly ScenePose[];
  /** Of all samples, where networks look at them. @shape [T + 1,O] */
  readonly observation: Float32Array;
}

/** How an episode in a replay ended. */
export interface StoredEnd {
  readonly replay: Replay;
  /** What Replay.takeEpisode gave. */
  readonly steps: Int32Array;
  readonly success: boolean;
  readonly terminated: boolean;
}

/** Aids that look at scores of models, beside a trainer: keeps the poses of running episodes, has finished ones scored, and
 * credits their steps in the replay when the scores come. Nothing waits for it. */
export class ScoredRewards {
  readonly #options: ScoredRewardsOptions;
  readonly #shaper: ScoredShaper;
  readonly #book: LabelBook;
  readonly #service: ScoringService | undefined;
  readonly #running: (Running | undefined)[];
  #next = 0;
  #wasShaped = false;
  /** Episodes that a checkpoint could not keep. */
  #lost = 0;

  private constructor(
    options: ScoredRewardsOptions,
    shaper: ScoredShaper,
    book: LabelBook,
    service: ScoringService | undefined,
  ) {
    this.#options = options;
    this.#shaper = shaper;
    this.#book = book;
    this.#service = service;
    this.#running = Array.from({ length: options.rows });
  }

  /** @throws as ScoringService.start */
  static async start(options: ScoredRewardsOptions): Promise<ScoredRewards> {
    const shaper = new ScoredShaper(options.reward, options.gamma);
    const book = new LabelBook(shaper);
    let rewards: ScoredRewards | undefined;
    const service =
      options.service &&
      (await ScoringService.start(options.service, {
        onScore: (score) => {
          book.arrive(score);
          if (rewards) rewards.#hear(score);
        },
        onVersion: (score, version) => {
          book.renew(score, version);
          if (rewards) rewards.#scoreAgain();
        },
        onNote: options.note,
        onDrop: (id) => book.drop(id),
        onEnd: () => book.end(),
        isStale: (id) => book.isStale(id),
      }));
    rewards = new ScoredRewards(options, shaper, book, service);
    return rewards;
  }

  /** A new episode of a row. @param signals, observation at its first sample */
  begin(row: number, signals: Float64Array, observation: Float32Array): void {
    const running: Running = { columns: [], rewards: [], observations: [], samples: [], poses: [] };
    this.#running[row] = running;
    this.#keep(running, signals, observation);
    this.#keepPose(row, running);
  }

  /** A step of a row. @param signals, observation at the sample after it, before any reset @param reward the task's own
   * @param done the episode is over, and its last pose gone with the reset: the last score holds */
  step(row: number, signals: Float64Array, observation: Float32Array, reward: number, done: boolean): void {
    const running = this.#running[row];
    if (!running) return;
    this.#keep(running, signals, observation);
    running.rewards.push(reward);
    if (!done) this.#keepPose(row, running);
  }

  /** The episode of a row is over and in the replay. */
  finish(row: number, end: StoredEnd): void {
    const running = this.#running[row];
    this.#running[row] = undefined;
    if (running) this.add(end, { ...running, observation: joined(running.observations) });
    else this.#lost++;
  }

  /** The episode of a row broke off. */
  discard(row: number): void {
    this.#running[row] = undefined;
  }

  /** Has an episode in a replay scored. */
  add(end: StoredEnd, { columns, rewards, samples, poses, observation }: SeenEpisode): void {
    const posed = { id: this.#next++, samples, poses };
    const seen = this.#options.distilled ? { observation } : {};
    this.#book.add({ ...end, columns, rewards, posed, ...seen });
    this.#service?.post(posed);
    for (const score of this.#options.distilled?.score(posed.id, observation) ?? []) this.#book.arrive(score);
    this.#tellShaped();
  }

  /** Says it once when learning turns to steps without scores, or back. */
  #tellShaped(): void {
    const { isShaped } = this.#book;
    if (isShaped === this.#wasShaped) return;
    this.#wasShaped = isShaped;
    this.#options.note(
      isShaped
        ? 'most episodes have scores: learning goes on with them'
        : 'too few episodes have scores: learning goes on without any; where the model is too slow, raise `every`, or use fewer cameras or smaller pictures',
    );
  }

  /** What has to be kept of a sample's signals. */
  columnsOf(signals: Float64Array): Float64Array {
    return this.#shaper.columnsOf(signals);
  }

  /** Whether a sample of an episode is looked at by any score. */
  looksAt(sample: number): boolean {
    return (this.#options.service?.scores ?? []).some(({ every }) => sample % every === 0);
  }

  /** Resolves when all that was posted has been scored or dropped. */
  async idle(): Promise<void> {
    await this.#service?.idle();
  }

  takeWarnings(): readonly HackWarning[] {
    return this.#book.takeWarnings();
  }

  /** How it goes, for the log and the view. */
  event(environmentSteps: number): ScoringEvent {
    const { counts, spent, broken, pending } = this.#service ?? NO_SERVICE;
    const models = [...spent.values()];
    const total = (of: (model: (typeof models)[number]) => number): number =>
      models.reduce((sum, model) => sum + of(model), 0);
    return {
      kind: 'scoring',
      environmentSteps,
      scored: counts.scored,
      pending: pending + this.#book.outdated,
      dropped: counts.dropped,
      stale: counts.stale,
      lost: this.#lost,
      missing: counts.moments === 0 ? 0 : counts.missing / counts.moments,
      hits: counts.moments === 0 ? 0 : counts.hits / counts.moments,
      calls: total(({ calls }) => calls),
      momentMs:
        total(({ latencyMs }) => latencyMs) /
        Math.max(
          1,
          total(({ moments }) => moments),
        ),
      waitedMs: counts.waitedMs / Math.max(1, counts.scored),
      broken: [...broken],
    };
  }

  /** JSON of what a continuation can have; episodes that run or wait are lost to it: they stay held back. */
  save(): unknown {
    const { counts, pending } = this.#service ?? NO_SERVICE;
    const lost = this.#lost + pending;
    const saved: Saved = { alarm: this.#shaper.save(), lost, counts: { ...counts } };
    return saved;
  }

  /** Takes over what `save` gave. */
  restore(state: unknown): void {
    const { alarm, lost, counts } = state as Saved;
    this.#shaper.restore(alarm);
    this.#lost += lost;
    // The demonstrations have been scored in this session by now.
    const now = this.#service?.counts;
    if (!now) return;
    for (const [key, value] of Object.entries(counts)) now[key as keyof Saved['counts']] += value;
  }

  async close(): Promise<void> {
    await this.#service?.close();
    this.#options.distilled?.close();
  }

  /** Episodes of an older model, and those given up, have their turn when there is nothing newer. */
  #scoreAgain(): void {
    const { service } = this.#options;
    if (!this.#service || !service) return;
    while (this.#service.pending < service.inFlight) {
      const episode = this.#book.nextOutdated();
      if (!episode) return;
      this.#service.post(episode);
    }
  }

  /** A score has come: networks learn of it, and when they are newer all that lies in a replay is scored by them. */
  #hear(score: EpisodeScore): void {
    this.#scoreAgain();
    this.#tellShaped();
    const { distilled } = this.#options;
    const { observation, success } = this.#book.get(score.id) ?? {};
    if (!distilled || !observation || success === undefined) return;
    if (!distilled.learn(score, observation, success)) return;
    for (const { posed, observation: seen } of this.#book.episodes())
      for (const newer of distilled.score(posed.id, seen!)) this.#book.arrive(newer);
  }

  #keep({ columns, observations }: Running, signals: Float64Array, observation: Float32Array): void {
    columns.push(this.#shaper.columnsOf(signals));
    if (this.#options.distilled) observations.push(observation.slice());
  }

  #keepPose(row: number, { columns, samples, poses }: Running): void {
    const sample = columns.length - 1;
    if (!this.looksAt(sample)) return;
    samples.push(sample);
    poses.push(sharing(poses.at(-1), this.#options.poseOf(row)));
  }
}

const NO_SERVICE = {
  counts: { scored: 0, dropped: 0, stale: 0, moments: 0, hits: 0, missing: 0, waitedMs: 0 },
  spent: new Map<string, Spent>(),
  broken: new Set<string>(),
  pending: 0,
};

function joined(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const all = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) all.set(row, i * width);
  return all;
}

interface Saved {
  readonly alarm: unknown;
  readonly lost: number;
  readonly counts: ScoringService['counts'];
}

/** The pose with the arrays of the one before where they say the same: most bodies stay where the model has them. */
function sharing(before: ScenePose | undefined, { qpos, ...rest }: ScenePose): ScenePose {
  const parts = ['mocapPos', 'mocapQuat', 'bodyPos', 'bodyQuat'] as const;
  const shared: { -readonly [P in keyof ScenePose]: ScenePose[P] } = { qpos };
  for (const part of parts) {
    const values = rest[part];
    if (!values) continue;
    const known = before?.[part];
    shared[part] = known?.every((value, i) => value === values[i]) ? known : values;
  }
  return shared;
}
