/** Of the time between two looks so much counts as silence at most, ms: a thread that stood still for longer is not the only
 * one that did. */
const MOST_UNSEEN = 200;

/** Listens whether a count that another thread raises still goes up. */
export class Heartbeat {
  readonly #most: number;
  #beat = Number.NaN;
  #lookedAt = 0;
  #silence = 0;

  /** @param most milliseconds of silence that are normal */
  constructor(most: number) {
    this.#most = most;
  }

  /** How long it has been silent for too long, ms; 0 where it is well. To be asked every 100 ms or so.
   * @param beat the count as it stands @param now milliseconds, monotonic */
  silence(beat: number, now: number): number {
    const passed = Math.min(now - this.#lookedAt, MOST_UNSEEN);
    this.#silence = beat === this.#beat ? this.#silence + passed : 0;
    this.#beat = beat;
    this.#lookedAt = now;
    return this.#silence > this.#most ? this.#silence : 0;
  }
}
