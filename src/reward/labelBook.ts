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
  readonly scores: Map<string, ScoreTrace & { readonly version: number }>;
  /** What has been settled. @shape [T] */
  credits: Float64Array;
  watched: boolean;
}

/** Which episodes still lie in a replay, and what their steps have been credited with for the scores they have. A score that
 * comes, for the first time or from a newer model, settles the difference. */
export class LabelBook {
  readonly #shaper: ScoredShaper;
  /** In the order the episodes ended. */
  readonly #entries = new Map<number, Entry>();
  /** The newest version of each score. */
  readonly #versions = new Map<string, number>();
  /** Episodes whose scores are of an older model. */
  readonly #outdated = new Set<number>();
  #warnings: HackWarning[] = [];

  constructor(shaper: ScoredShaper) {
    this.#shaper = shaper;
  }

  /** Episodes that are still in a replay. */
  get size(): number {
    return this.#entries.size;
  }

  add(episode: StoredEpisode): void {
    for (const id of this.#entries.keys()) {
      if (!this.isStale(id)) break;
      this.#entries.delete(id);
      this.#outdated.delete(id);
    }
    const credits = new Float64Array(episode.steps.length);
    this.#entries.set(episode.posed.id, { episode, scores: new Map(), credits, watched: false });
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

  /** Settles what the steps of an episode get for a score of it. */
  arrive({ id, score, samples, phi, confidence, unanswered, version }: EpisodeScore): void {
    const entry = this.#entries.get(id);
    // What a model did not answer leaves in place what an older one said.
    if (!entry || (unanswered === phi.length && entry.scores.has(score))) return;
    const { episode, scores } = entry;
    const length = episode.rewards.length + 1;
    scores.set(score, { ...heldBetween(samples, { phi, confidence }, length), version });
    const { credits, added } = this.#shaper.credit(episode, scores);
    episode.replay.settle(
      episode.steps,
      credits.map((credit, t) => credit - entry.credits[t]!),
    );
    entry.credits = credits;
    if (!this.#isOutdated(entry)) this.#outdated.delete(id);
    if (entry.watched || this.#shaper.scores.some((name) => !scores.has(name))) return;
    entry.watched = true;
    const warning = this.#shaper.watch(added, episode.success);
    if (warning) this.#warnings.push(warning);
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
    return this.#entries.get(id)?.episode.posed;
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
