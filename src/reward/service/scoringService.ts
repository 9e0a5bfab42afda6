import { Worker } from 'node:worker_threads';
import { type ErrorCode, VernierError } from '#core/errors';
import type {
  EpisodeScore,
  PosedEpisode,
  ScoringCommand,
  ScoringEvent,
  ScoringSetup,
  Spent,
} from '#reward/service/messages';

export interface ServiceOptions extends ScoringSetup {
  /** Episodes that wait on this side, at most. */
  readonly queue: number;
  /** Episodes that the scoring thread has at a time. */
  readonly inFlight: number;
}

export interface ServiceHandlers {
  onScore(score: EpisodeScore): void;
  /** The scores of a model that has changed are of another kind than those before. */
  onVersion(score: string, version: number): void;
  /** What a person should read: a breaker that opened or closed, a thread that ended. */
  onNote(text: string): void;
  /** Whether nobody needs the scores of an episode any more. */
  isStale(id: number): boolean;
}

/** What became of episodes since the start. */
export interface ServiceCounts {
  /** Episodes of which all scores came back, missing or not. */
  readonly scored: number;
  /** Episodes that a full queue had no place for. */
  readonly dropped: number;
  /** Episodes whose scores nobody needed any more when their turn came. */
  readonly stale: number;
  /** Moments that were scored, those that the cache knew, and those without a score. */
  readonly moments: number;
  readonly hits: number;
  readonly missing: number;
  /** Milliseconds from an episode's end to its last score, summed over the scored ones. */
  readonly waitedMs: number;
}

/** How long the thread may take to end when asked, ms. */
const CLOSE_MS = 5000;

interface Waiting {
  readonly episode: PosedEpisode;
  readonly since: number;
}

/** The trainer's end of the scoring thread. Nothing here waits: what finds no place is dropped and counted. A full queue
 * gives up the episode that has waited longest, since the newer ones are of the policy that learns now and stay longer
 * in the replay.
 * @source Zheng et al. 2024, arXiv:2410.23022 (ONI), sec. 4: an asynchronous annotator that prefers what is new; differs:
 * a bounded queue in order of time, whole episodes */
export class ScoringService {
  readonly counts = { scored: 0, dropped: 0, stale: 0, moments: 0, hits: 0, missing: 0, waitedMs: 0 };
  /** By the name of the score. */
  readonly spent = new Map<string, Spent>();
  /** Scores whose breaker is open. */
  readonly broken = new Set<string>();
  readonly #worker: Worker;
  readonly #options: ServiceOptions;
  readonly #handlers: ServiceHandlers;
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<number, Waiting & { left: number }>();
  #idle: (() => void)[] = [];
  #ended = false;

  private constructor(worker: Worker, options: ServiceOptions, handlers: ServiceHandlers) {
    this.#worker = worker;
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Starts the thread; resolves when its scorers are there.
   * @throws what it could not do: BACKEND without a renderer or a package, IO, SPEC or DATA of a scorer */
  static async start(options: ServiceOptions, handlers: ServiceHandlers): Promise<ScoringService> {
    const { task, scores, reference, log, deadlineMs } = options;
    const workerData: ScoringSetup = {
      task: { model: { xml: task.model.xml, files: task.model.files }, cameras: task.cameras },
      ...{ scores, reference, deadlineMs },
      ...(log === undefined ? {} : { log }),
    };
    const worker = new Worker(workerFile(), { workerData });
    const service = new ScoringService(worker, options, handlers);
    await new Promise<void>((resolve, reject) => {
      let started = false;
      const die = (error: Error): void => (started ? service.#die(error) : reject(error));
      worker.on('error', die);
      worker.on('exit', (code) => die(new Error(`the scoring thread ended with ${code}`)));
      worker.on('message', (event: ScoringEvent) => {
        if (event.kind === 'failed') die(failure(event));
        else if (event.kind === 'ready') {
          started = true;
          resolve();
        } else service.#hear(event);
      });
    });
    // A run that is over need not wait for it.
    worker.unref();
    return service;
  }

  /** Episodes that wait or are being scored. */
  get pending(): number {
    return this.#queue.length + this.#running.size;
  }

  /** Whether the thread is gone, and with it all scores. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Asks for the scores of an episode; they come one by one to onScore, or never. */
  post(episode: PosedEpisode): void {
    if (this.#ended) {
      this.counts.dropped++;
      return;
    }
    this.#queue.push({ episode, since: performance.now() });
    this.#advance();
    if (this.#queue.length > this.#options.queue) {
      this.#queue.shift();
      this.counts.dropped++;
    }
  }

  /** Resolves when nothing waits and nothing is being scored. */
  async idle(): Promise<void> {
    if (this.pending === 0) return;
    this.#worker.ref();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#worker.unref();
  }

  /** Ends the thread; what is pending is lost. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#send({ kind: 'close' });
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.ref();
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await exited;
    clearTimeout(timer);
  }

  #advance(): void {
    while (!this.#ended && this.#running.size < this.#options.inFlight) {
      const next = this.#queue.shift();
      if (!next) break;
      if (this.#handlers.isStale(next.episode.id)) {
        this.counts.stale++;
        continue;
      }
      this.#running.set(next.episode.id, { ...next, left: this.#options.scores.length });
      this.#send({ kind: 'score', episode: next.episode });
    }
    if (this.pending > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  #hear(event: Exclude<ScoringEvent, { kind: 'ready' | 'failed' }>): void {
    if (event.kind === 'scored') this.#count(event);
    else if (event.kind === 'version') this.#handlers.onVersion(event.score, event.version);
    else if (event.kind === 'breaker') this.#tellBreaker(event);
    else this.#handlers.onNote(event.text);
  }

  #count(scored: Extract<ScoringEvent, { kind: 'scored' }>): void {
    const { counts } = this;
    counts.moments += scored.phi.length;
    counts.hits += scored.hits;
    counts.missing += scored.phi.filter(Number.isNaN).length;
    this.spent.set(scored.score, scored.spent);
    this.#handlers.onScore(scored);
    const running = this.#running.get(scored.id);
    if (!running || --running.left > 0) return;
    this.#running.delete(scored.id);
    counts.scored++;
    counts.waitedMs += performance.now() - running.since;
    this.#advance();
  }

  #tellBreaker({ score, opened, why }: Extract<ScoringEvent, { kind: 'breaker' }>): void {
    if (opened) this.broken.add(score);
    else this.broken.delete(score);
    this.#handlers.onNote(
      opened
        ? `score ${score}: its model fails, so training goes on without it until it answers again: ${why}`
        : `score ${score}: its model answers again`,
    );
  }

  #die(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.counts.dropped += this.pending;
    this.#queue.length = 0;
    this.#running.clear();
    this.#advance();
    this.#handlers.onNote(`scores end here, training goes on without them: ${error.message}`);
    void this.#worker.terminate();
  }

  #send(command: ScoringCommand): void {
    this.#worker.postMessage(command);
  }
}

function workerFile(): URL {
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./scoringWorker.${suffix}`, import.meta.url);
}

function failure({ code, message, hint }: Extract<ScoringEvent, { kind: 'failed' }>): Error {
  if (code === 'DEFECT') return new Error(message);
  return new VernierError(code as ErrorCode, message, hint === undefined ? {} : { hint });
}
