import type { Moment, ScoreRequest, Scorer, Scores } from '#reward/score';
import { type BreakerOptions, CircuitBreaker } from '#reward/service/circuitBreaker';
import { type Answer, momentKey, requestKey, type ScoreCache } from '#reward/service/scoreCache';

export interface BatchingOptions {
  /** Moments of one call, at most; a request of a scorer of episodes is never divided. */
  readonly batch: number;
  /** How long the first of a batch waits for others. */
  readonly deadlineMs: number;
  readonly breaker: BreakerOptions;
}

/** What became of a request. @shape phi, confidence [moments]; NaN is missing */
export interface ScoredRequest extends Answer {
  /** Moments that the cache knew. */
  readonly hits: number;
  /** Moments of which nothing is known, since the model was not asked or failed. */
  readonly unanswered: number;
}

export type BreakerChange = { readonly opened: true; readonly why: string } | { readonly opened: false };

/** One question to the model: a moment, or a whole episode, by the scorer's scope. */
interface Question {
  readonly key: string;
  readonly request: ScoreRequest;
  readonly waiting: ((answer: Answer | undefined) => void)[];
}

/** A scorer behind its cache and its circuit breaker, asked in batches over episodes, one call at a time. */
export class BatchingScorer {
  /** Milliseconds that the model took, and moments that it was shown, since the start. */
  readonly spent = { calls: 0, moments: 0, latencyMs: 0 };
  readonly #scorer: Scorer;
  readonly #cache: ScoreCache;
  readonly #options: BatchingOptions;
  readonly #breaker: CircuitBreaker;
  readonly #onChange: (change: BreakerChange) => void;
  /** Questions in the order they came, those of the running call no longer among them. */
  readonly #open = new Map<string, Question>();
  readonly #asked = new Map<string, Question>();
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(
    scorer: Scorer,
    cache: ScoreCache,
    options: BatchingOptions,
    onChange: (change: BreakerChange) => void,
  ) {
    this.#scorer = scorer;
    this.#cache = cache;
    this.#options = options;
    this.#breaker = new CircuitBreaker(options.breaker);
    this.#onChange = onChange;
  }

  get model(): string {
    return this.#scorer.model;
  }

  get prompt(): string {
    return this.#scorer.prompt;
  }

  /** Whether asking is of use now: false while the breaker is open. */
  get available(): boolean {
    return this.#breaker.state(performance.now()) !== 'open';
  }

  /** Never fails: what the model does not answer is missing. */
  async score(request: ScoreRequest): Promise<ScoredRequest> {
    const n = request.moments.length;
    if (this.#scorer.scope === 'episode') {
      const { answer, hit } = await this.#ask(request);
      const empty = new Float64Array(n).fill(Number.NaN);
      return {
        ...(answer ?? { phi: empty, confidence: empty }),
        hits: hit ? n : 0,
        unanswered: answer ? 0 : n,
      };
    }
    const asked = await Promise.all(
      request.moments.map((moment) => this.#ask({ ...request, moments: [moment] })),
    );
    return {
      phi: Float64Array.from(asked, ({ answer }) => answer?.phi[0] ?? Number.NaN),
      confidence: Float64Array.from(asked, ({ answer }) => answer?.confidence[0] ?? Number.NaN),
      hits: asked.filter(({ hit }) => hit).length,
      unanswered: asked.filter(({ answer }) => !answer).length,
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#scorer.close();
  }

  async #ask(request: ScoreRequest): Promise<{ answer: Answer | undefined; hit: boolean }> {
    const key = this.#keyOf(request);
    const known = this.#cache.get(key);
    if (known) return { answer: known, hit: true };
    const answer = new Promise<Answer | undefined>((resolve) => {
      const question = this.#open.get(key) ?? this.#asked.get(key) ?? { key, request, waiting: [] };
      question.waiting.push(resolve);
      if (!this.#asked.has(key)) this.#open.set(key, question);
    });
    this.#plan();
    return { answer: await answer, hit: false };
  }

  #keyOf(request: ScoreRequest): string {
    const scorer = this.#scorer;
    return scorer.scope === 'episode' ? requestKey(scorer, request) : momentKey(scorer, request.moments[0]!);
  }

  /** Calls now when the batch is full, else when its first has waited long enough. */
  #plan(): void {
    if (this.#busy || this.#open.size === 0) return;
    if (this.#nextBatch(true).length > 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#call();
    } else this.#timer ??= setTimeout(() => void this.#call(), this.#options.deadlineMs);
  }

  /** @param full nothing where less than a whole batch waits */
  #nextBatch(full: boolean): Question[] {
    const batch: Question[] = [];
    let moments = 0;
    for (const question of this.#open.values()) {
      const n = question.request.moments.length;
      if (batch.length > 0 && moments + n > this.#options.batch) return batch;
      batch.push(question);
      moments += n;
    }
    return full && moments < this.#options.batch ? [] : batch;
  }

  async #call(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    const questions = this.#nextBatch(false);
    for (const question of questions) {
      this.#open.delete(question.key);
      this.#asked.set(question.key, question);
    }
    const answers = await this.#answers(questions);
    for (const [i, question] of questions.entries()) {
      this.#asked.delete(question.key);
      const answer = answers?.[i];
      // By the model that answered, which may be a newer one than was there when the question came.
      if (answer && !answer.phi.every(Number.isNaN)) this.#cache.put(this.#keyOf(question.request), answer);
      for (const resolve of question.waiting) resolve(answer);
    }
    this.#busy = false;
    this.#plan();
  }

  /** Undefined where the model was not asked or failed. */
  async #answers(questions: readonly Question[]): Promise<readonly Answer[] | undefined> {
    if (!this.#breaker.allows(performance.now())) return undefined;
    try {
      const answers = await this.#query(questions.map(({ request }) => request));
      if (this.#breaker.succeeded()) this.#onChange({ opened: false });
      return answers;
    } catch (error) {
      const why = (error as Error).message;
      if (this.#breaker.failed(performance.now())) this.#onChange({ opened: true, why });
      return undefined;
    }
  }

  /** Moments of many episodes go into one request, which the scorer may then work through at once. */
  async #query(requests: readonly ScoreRequest[]): Promise<readonly Answer[]> {
    const moments: Moment[] = requests.flatMap((request) => request.moments);
    this.spent.calls++;
    this.spent.moments += moments.length;
    if (this.#scorer.scope === 'episode') {
      const scores = await this.#scorer.score(requests);
      for (const [i, { phi }] of scores.entries()) requireLength(phi, requests[i]!.moments.length);
      this.spent.latencyMs += scores.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
      return scores;
    }
    const [scores] = await this.#scorer.score([{ ...requests[0]!, moments }]);
    const { phi, confidence, latencyMs } = scores as Scores;
    requireLength(phi, moments.length);
    this.spent.latencyMs += latencyMs;
    return requests.map((_, i) => ({ phi: phi.slice(i, i + 1), confidence: confidence.slice(i, i + 1) }));
  }
}

function requireLength(phi: Float64Array, moments: number): void {
  if (phi.length !== moments) throw new Error(`a scorer gave ${phi.length} scores for ${moments} moments`);
}
