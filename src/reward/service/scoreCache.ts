import { createHash } from 'node:crypto';
import type { Moment, ScoreRequest, Scorer } from '#reward/score';
import { ScoreLog } from '#reward/service/scoreLog';

/** What a model said of the moments of a question. @shape phi, confidence [moments] */
export interface Answer {
  readonly phi: Float64Array;
  readonly confidence: Float64Array;
}

/** Answers by the hash of their question: the latest in memory, all of them in a log, if there is a file for one. */
export class ScoreCache {
  readonly #entries: number;
  readonly #recent = new Map<string, Answer>();
  readonly #onLogFailure: (error: unknown) => void;
  #log: ScoreLog | undefined;

  /** @param entries kept in memory, the least recently used go first
   * @param onLogFailure told when the log cannot be written; memory alone serves from then on */
  constructor(file: string | undefined, onLogFailure: (error: unknown) => void, entries = 50_000) {
    this.#entries = entries;
    this.#onLogFailure = onLogFailure;
    this.#log = file === undefined ? undefined : new ScoreLog(file);
  }

  get(key: string): Answer | undefined {
    const answer = this.#recent.get(key) ?? this.#log?.get(key);
    if (answer) this.#remember(key, answer);
    return answer;
  }

  put(key: string, answer: Answer): void {
    this.#remember(key, answer);
    try {
      this.#log?.put(key, answer);
    } catch (error) {
      this.close();
      this.#onLogFailure(error);
    }
  }

  close(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  #remember(key: string, answer: Answer): void {
    this.#recent.delete(key);
    this.#recent.set(key, answer);
    if (this.#recent.size <= this.#entries) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
  }
}

/** Key of what a scorer of scope `moment` says of one. */
export function momentKey({ model, prompt }: Identity, moment: Moment): string {
  return digest([model, prompt, hashesOf(moment)]);
}

/** Key of what a scorer of scope `episode` says of a whole request. */
export function requestKey({ model, prompt }: Identity, request: ScoreRequest): string {
  const { moments, instruction, start, goal } = request;
  const reference = [start, goal].map((moment) => (moment ? hashesOf(moment) : ''));
  return digest([model, prompt, instruction, ...reference, ...moments.map(hashesOf)]);
}

type Identity = Pick<Scorer, 'model' | 'prompt'>;

function hashesOf({ views }: Moment): string {
  return views.map(({ hash }) => hash).join(' ');
}

/** Of the parts with their lengths, so that none can be taken for another. */
function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}
