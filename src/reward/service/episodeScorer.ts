import { type Moment, throughCameras } from '#core/frame';
import type { ScenePose } from '#env/renderer';
import { TaskCameras } from '#env/taskCameras';
import type { Scorer } from '#reward/score';
import { makeScorer } from '#reward/scorers';
import { BatchingScorer } from '#reward/service/batchingScorer';
import type { PosedEpisode, ScoringEvent, ScoringSetup } from '#reward/service/messages';
import { ScoreCache } from '#reward/service/scoreCache';
import type { ResolvedScore } from '#spec/resolved';

/** In a row, after which a model is left alone. */
const FAILURES = 3;

interface Judge {
  readonly score: ResolvedScore;
  readonly scorer: BatchingScorer;
  identity: string;
  version: number;
}

/** Draws episodes and has them judged: what the scoring thread does, with one renderer and one cache for all scores. */
export class EpisodeScorer {
  readonly #cameras: TaskCameras;
  readonly #reference: { readonly start?: Moment; readonly goal?: Moment };
  readonly #cache: ScoreCache;
  readonly #judges: readonly Judge[];
  readonly #tell: (event: ScoringEvent) => void;

  private constructor(
    cameras: TaskCameras,
    reference: { readonly start?: Moment; readonly goal?: Moment },
    cache: ScoreCache,
    judges: readonly Judge[],
    tell: (event: ScoringEvent) => void,
  ) {
    this.#cameras = cameras;
    this.#reference = reference;
    this.#cache = cache;
    this.#judges = judges;
    this.#tell = tell;
  }

  /** @throws BACKEND where nothing can be drawn, and what makeScorer throws */
  static async open(setup: ScoringSetup, tell: (event: ScoringEvent) => void): Promise<EpisodeScorer> {
    const { task, scores, reference, log, deadlineMs } = setup;
    const cameras = TaskCameras.open(task, [...new Set(scores.flatMap((score) => score.cameras))]);
    const drawn = {
      ...(reference.start ? { start: cameras.draw(reference.start) } : {}),
      ...(reference.goal ? { goal: cameras.draw(reference.goal) } : {}),
    };
    const cache = new ScoreCache(log, (error) =>
      tell({ kind: 'note', text: `scores are no longer kept on disk: ${(error as Error).message}` }),
    );
    const judges: Judge[] = [];
    for (const score of scores) {
      const scorer = await makeScorer(score, seenBy(score, drawn));
      const { batch, pause } = score;
      const breaker = { failures: FAILURES, pauseMs: 1000 * pause };
      const batched = new BatchingScorer(scorer, cache, { batch, deadlineMs, breaker }, (change) =>
        tell({ kind: 'breaker', score: score.name, ...change }),
      );
      judges.push({ score, scorer: batched, identity: identityOf(scorer), version: 1 });
    }
    return new EpisodeScorer(cameras, drawn, cache, judges, tell);
  }

  /** Tells of each score as soon as it is known. */
  async score(episode: PosedEpisode): Promise<void> {
    const drawn = new Map<number, Moment>();
    await Promise.all(this.#judges.map((judge) => this.#judge(judge, episode, drawn)));
  }

  async close(): Promise<void> {
    for (const { scorer } of this.#judges) await scorer.close();
    this.#cache.close();
    this.#cameras.close();
  }

  async #judge(judge: Judge, episode: PosedEpisode, drawn: Map<number, Moment>): Promise<void> {
    const { score, scorer } = judge;
    const chosen = episode.samples.flatMap((sample, i) => (sample % score.every === 0 ? [i] : []));
    const samples = chosen.map((i) => episode.samples[i]!);
    const scored = scorer.available
      ? await scorer.score({
          moments: await this.#moments(score, chosen, episode.poses, drawn),
          instruction: score.instruction,
          ...seenBy(score, this.#reference),
        })
      : nothing(samples.length);
    this.#watchVersion(judge);
    const { id } = episode;
    const { version } = judge;
    this.#tell({
      kind: 'scored',
      id,
      score: score.name,
      samples,
      ...scored,
      version,
      spent: { ...scorer.spent },
    });
  }

  /** Draws, with room for answers to come in between. */
  async #moments(
    { cameras }: ResolvedScore,
    chosen: readonly number[],
    poses: readonly ScenePose[],
    drawn: Map<number, Moment>,
  ): Promise<Moment[]> {
    const moments: Moment[] = [];
    for (const i of chosen) {
      const moment = drawn.get(i) ?? this.#cameras.draw(poses[i]!);
      drawn.set(i, moment);
      moments.push(throughCameras(cameras, moment));
      await new Promise((resume) => setImmediate(resume));
    }
    return moments;
  }

  #watchVersion(judge: Judge): void {
    const identity = identityOf(judge.scorer);
    if (identity === judge.identity) return;
    judge.identity = identity;
    judge.version++;
    this.#tell({ kind: 'version', score: judge.score.name, version: judge.version });
  }
}

function identityOf({ model, prompt }: Pick<Scorer, 'model' | 'prompt'>): string {
  return `${model} ${prompt}`;
}

function nothing(n: number) {
  const phi = new Float64Array(n).fill(Number.NaN);
  return { phi, confidence: phi, hits: 0, unanswered: n };
}

function seenBy<T extends { readonly start?: Moment; readonly goal?: Moment }>(
  { cameras }: ResolvedScore,
  { start, goal }: T,
): { start?: Moment; goal?: Moment } {
  return {
    ...(start ? { start: throughCameras(cameras, start) } : {}),
    ...(goal ? { goal: throughCameras(cameras, goal) } : {}),
  };
}
