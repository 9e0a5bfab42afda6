import type { Replay } from '#data/replay';
import type { HackWarning } from '#reward/hackAlarm';
import { heldBetween, type ScoredEpisode, type ScoredShaper, type ScoreTrace } from '#reward/scoredShaper';
import type { EpisodeScore, PosedEpisode } from '#reward/service/messages';

/** An episode in a replay, with what it takes to score it again. */
export interface StoredEpisode extends ScoredEpisode {
  readonly replay: Replay;
  /** What Replay.takeEpisode gave. @shape [T] */
  readonly steps: Int32Array;
  readonly posed: PosedEpisode;
  /** Of all samples, where networks look at them. @shape [T + 1,O] */
  readonly observation?: Float32Array;
}

interface Entry {
  readonly episode: StoredEpisode;
  /** Those that were answered. */
  readonly scores: Map<string, ScoreTrace & { readonly version: number }>;
  /** Whether it was posted and nothing has come back yet. */
  waits: boolean;
  /** What its scores are worth to its steps, and what has been settled. @shape [T] */
  earned: Float64Array;
  credits: Float64Array;
  watched: boolean;
}

/** Episodes without an answer, one after the other, after which a model is taken to be away. */
const AWAY = 3;
/** Share of a replay's episodes with all scores below which learning goes on without scores, and above which with them again:
 * a model that is too slow must not leave the learner with a few episodes. */
const TOO_FEW = 1 / 3;
const ENOUGH = 2 / 3;

/** Which episodes still lie in a replay, and what their steps have been credited with for the scores they have. A score that
 * comes, for the first time or from a newer model, settles the difference.
 *
 * What is learned from is of one kind at any time: steps with all their scores, while the models answer, and steps without any,
 * before their first answers, while one is away, and where they are too slow. A mixture teaches to stay away from the goal:
 * where P is high, values are less by P, and steps without a score do not make up for it. So an episode that waits is held back
 * from its replay's draws. */
export class LabelBook {
  readonly #shaper: ScoredShaper;
  /** In the order the episodes ended. */
  readonly #entries = new Map<number, Entry>();
  /** The newest version of each score. */
  readonly #versions = new Map<string, number>();
  /** Episodes to be scored, or to be scored again by a newer model. */
  readonly #outdated = new Set<number>();
  /** Scores that have been answered once, and how many episodes in a row have not. */
  readonly #known = new Set<string>();
  readonly #unanswered = new Map<string, number>();
  #ended = false;
  #isShaped = false;
  #warnings: HackWarning[] = [];

  constructor(shaper: ScoredShaper) {
    this.#shaper = shaper;
  }

  /** Episodes that are still in a replay. */
  get size(): number {
    return this.#entries.size;
  }

  add(episode: StoredEpisode): void {
    // Demonstrations stay: what is stale need not stand first.
    for (const id of this.#entries.keys()) {
      if (!this.isStale(id)) continue;
      this.#entries.delete(id);
      this.#outdated.delete(id);
    }
    const nothing = new Float64Array(episode.steps.length);
    const entry = {
      episode,
      scores: new Map(),
      waits: true,
      earned: nothing,
      credits: nothing,
      watched: false,
    };
    this.#entries.set(episode.posed.id, entry);
    this.#settle(entry);
    this.#choose();
  }

  /** Whether all of an episode has left its replay. */
  isStale(id: number): boolean {
    const entry = this.#entries.get(id);
    return entry === undefined || !entry.episode.replay.holds(entry.episode.steps.at(-1)!);
  }

  /** Episodes that are still in a replay, oldest first. */
  *episodes(): Iterable<StoredEpisode> {
    for (const [id, { episode }] of this.#entries) if (!this.isStale(id)) yield episode;
  }

  get(id: number): StoredEpisode | undefined {
    return this.#entries.get(id)?.episode;
  }

  /** Takes a score of an episode, and settles what its steps get when it has all of them. */
  arrive({ id, score, samples, phi, confidence, unanswered, version }: EpisodeScore): void {
    const isAnswered = unanswered < phi.length;
    this.#unanswered.set(score, isAnswered ? 0 : (this.#unanswered.get(score) ?? 0) + 1);
    if (isAnswered) this.#known.add(score);
    const entry = this.#entries.get(id);
    if (entry) {
      entry.waits = false;
      // What a model did not answer leaves in place what an older one said.
      if (isAnswered) this.#answered(entry, score, version, samples, { phi, confidence });
    }
    this.#choose();
  }

  /** An episode was given up: it is scored when there is nothing newer. */
  drop(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.waits = false;
    this.#outdated.add(id);
  }

  /** No score will come any more. */
  end(): void {
    this.#ended = true;
    this.#choose();
  }

  #answered(
    entry: Entry,
    score: string,
    version: number,
    samples: readonly number[],
    trace: ScoreTrace,
  ): void {
    const { episode, scores } = entry;
    scores.set(score, { ...heldBetween(samples, trace, episode.rewards.length + 1), version });
    if (!this.#isOutdated(entry)) this.#outdated.delete(episode.posed.id);
    if (!this.#isComplete(entry)) return;
    const { credits, added } = this.#shaper.credit(episode, scores);
    entry.earned = credits;
    this.#settle(entry);
    if (entry.watched) return;
    entry.watched = true;
    const warning = this.#shaper.watch(added, episode.success);
    if (warning) this.#warnings.push(warning);
  }

  /** Whether steps are learned from with their scores. */
  get isShaped(): boolean {
    return this.#isShaped;
  }

  /** With scores, or without: all that lies in a replay is settled anew where that changes. */
  #choose(): void {
    const entries = [...this.#entries.values()];
    const complete = entries.filter((entry) => this.#isComplete(entry)).length;
    const isShaped =
      !this.#ended &&
      complete >= (this.#isShaped ? TOO_FEW : ENOUGH) * entries.length &&
      this.#shaper.scores.every((name) => this.#known.has(name) && (this.#unanswered.get(name) ?? 0) < AWAY);
    if (isShaped === this.#isShaped) return;
    this.#isShaped = isShaped;
    for (const [id, entry] of this.#entries) {
      this.#settle(entry);
      if (isShaped && !entry.waits && !this.#isComplete(entry)) this.#outdated.add(id);
    }
  }

  #settle(entry: Entry): void {
    const { replay, steps } = entry.episode;
    const isComplete = this.#isComplete(entry);
    const credits = this.#isShaped && isComplete ? entry.earned : new Float64Array(steps.length);
    const before = entry.credits;
    entry.credits = credits;
    replay.settle(
      steps,
      credits.map((credit, t) => credit - before[t]!),
    );
    replay.release(steps, !this.#isShaped || isComplete);
  }

  #isComplete({ scores }: Entry): boolean {
    return this.#shaper.scores.every((name) => scores.has(name));
  }

  /** A score has another model from now on. */
  renew(score: string, version: number): void {
    this.#versions.set(score, version);
    for (const [id, entry] of this.#entries) if (this.#isOutdated(entry)) this.#outdated.add(id);
  }

  /** Episodes whose scores are of an older model and that nextOutdated() has not given yet. */
  get outdated(): number {
    return this.#outdated.size;
  }

  /** The newest episode to be scored again. */
  nextOutdated(): PosedEpisode | undefined {
    const id = [...this.#outdated].at(-1);
    if (id === undefined) return undefined;
    this.#outdated.delete(id);
    const entry = this.#entries.get(id);
    if (entry) entry.waits = true;
    return entry?.episode.posed;
  }

  takeWarnings(): readonly HackWarning[] {
    const warnings = this.#warnings;
    this.#warnings = [];
    return warnings;
  }

  #isOutdated({ scores }: Entry): boolean {
    return [...scores].some(([name, { version }]) => version < (this.#versions.get(name) ?? 1));
  }
}
