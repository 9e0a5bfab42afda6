/** Milliseconds for which the quickest message counts at least, and twice as long at most. */
const WINDOW = 1000;

/** By how much a sender's clock is behind this machine's, by the quickest of its messages: a thread that takes one late says
 * nothing of clocks. Milliseconds. */
export class ClockDifference {
  #begun = Number.NEGATIVE_INFINITY;
  /** In this window, and in the one before. */
  #least: number | undefined;
  #before: number | undefined;

  /** undefined where no message had a stamp. */
  get value(): number | undefined {
    return nearer(this.#least, this.#before);
  }

  /** @param difference this machine's time less the stamp @param at when, monotonic */
  note(difference: number, at: number): void {
    if (at - this.#begun > WINDOW) {
      this.#begun = at;
      this.#before = this.#least;
      this.#least = undefined;
    }
    this.#least = nearer(this.#least, difference);
  }
}

function nearer(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.abs(b) < Math.abs(a) ? b : a;
}
