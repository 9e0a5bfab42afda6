/** A stamp that goes back by more than this is a clock that was set, not a message that came late. */
const JUMP = 1000;
/** By which clocks drift apart, as a share of the time that passes. */
const DRIFT = 2e-4;
/** A least delay counts for as long at least, and twice as long at most: a clock that was set a little, or a stamp of the
 * future, is forgotten then. Until then what comes counts as old; a stop on it deactivates long before. */
const WINDOW = 10_000;

/** How old samples of one source are, by the time they came and by their stamps. The two clocks need not agree: the least
 * delay seen is taken as theirs, and what a sample took beyond that is added to its age. Milliseconds. */
export class SampleClock {
  /** Samples left out because a newer one had come, or the same. */
  outOfOrder = 0;
  /** Times that the sender's clock was set back. */
  jumps = 0;
  #lastStamp = Number.NEGATIVE_INFINITY;
  #lastReceived = 0;
  /** The least delay in this window, and in the one before. */
  #offset = Number.POSITIVE_INFINITY;
  #before = Number.POSITIVE_INFINITY;
  #windowEnd = Number.NEGATIVE_INFINITY;

  /** When the sample was taken, on the clock of `received`; undefined where a newer one was there before.
   * @param stamp of the sample by its sender's clock; undefined where it has none
   * @param received when it came, monotonic */
  taken(stamp: number | undefined, received: number): number | undefined {
    if (stamp === undefined) return received;
    if (stamp <= this.#lastStamp) {
      if (this.#lastStamp - stamp < JUMP) {
        this.outOfOrder++;
        return undefined;
      }
      this.jumps++;
      this.#offset = this.#before = Number.POSITIVE_INFINITY;
    }
    const passed = received - this.#lastReceived;
    if (received > this.#windowEnd) {
      this.#before = this.#offset;
      this.#offset = Number.POSITIVE_INFINITY;
      this.#windowEnd = received + WINDOW;
    }
    const drift = (offset: number): number => (Number.isFinite(offset) ? offset + DRIFT * passed : offset);
    this.#before = drift(this.#before);
    this.#offset = Math.min(drift(this.#offset), received - stamp);
    this.#lastStamp = stamp;
    this.#lastReceived = received;
    return stamp + Math.min(this.#offset, this.#before);
  }
}
