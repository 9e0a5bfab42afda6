export interface BreakerOptions {
  /** Failures in a row after which it opens. */
  readonly failures: number;
  /** How long it stays open before one call may try again. */
  readonly pauseMs: number;
}

/** closed: calls go through. open: none does. half-open: one does, and what becomes of it decides. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** Keeps a model that fails from being asked again and again. Times are milliseconds of one clock.
 * @source Nygard 2007, Release It!, ch. 5 (circuit breaker); differs: none */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #openedAt: number | undefined;
  #probing = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  state(now: number): BreakerState {
    if (this.#openedAt === undefined) return 'closed';
    return this.#probing || now - this.#openedAt >= this.#options.pauseMs ? 'half-open' : 'open';
  }

  /** Whether a call may be made now; one that may must be followed by succeeded() or failed(). */
  allows(now: number): boolean {
    const state = this.state(now);
    if (state === 'open' || this.#probing) return false;
    this.#probing = state === 'half-open';
    return true;
  }

  /** @returns whether it closes with this */
  succeeded(): boolean {
    const closes = this.#openedAt !== undefined;
    this.#failures = 0;
    this.#openedAt = undefined;
    this.#probing = false;
    return closes;
  }

  /** @returns whether it opens with this, having been closed */
  failed(now: number): boolean {
    this.#failures++;
    const opens = this.#openedAt === undefined && this.#failures >= this.#options.failures;
    if (opens || this.#probing) this.#openedAt = now;
    this.#probing = false;
    return opens;
  }
}
