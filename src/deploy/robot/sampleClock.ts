/** A stamp that goes back by more than this is a clock that was set, not a message that came late. */
const JUMP = 1000;
/** By which clocks drift apart, as a share of the time that passes. */
const DRIFT = 2e-4;

/** How old samples of one source are, by the time they came and by their stamps. The two clocks need not agree: the least
 * delay seen is taken as theirs, and what a sample took beyond that is added to its age. Milliseconds. */
export class SampleClock {
  /** Samples left out because a newer one had come, or the same. */
  outOfOrder = 0;
  /** Times that the sender's clock was set back. */
  jumps = 0;
  #lastStamp = Number.NEGATIVE_INFINITY;
  #lastReceived = 0;
  #offset = Number.POSITIVE_INFINITY;

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
      this.#offset = Number.POSITIVE_INFINITY;
    }
    const drift = Number.isFinite(this.#offset) ? DRIFT * (received - this.#lastReceived) : 0;
    this.#offset = Math.min(this.#offset + drift, received - stamp);
    this.#lastStamp = stamp;
    this.#lastReceived = received;
    return stamp + this.#offset;
  }
}
