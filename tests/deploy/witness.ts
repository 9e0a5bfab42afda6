/** Milliseconds that it sleeps at a time. */
const NAP = 5;

/** Tells how late this machine wakes who sleeps: a process that shares it was about as late at the time. */
export class Witness {
  #worst = 0;
  #fellAsleep = performance.now();
  #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setTimeout(() => this.#wake(), NAP);
  }

  /** The latest that it woke since `begin`, s; now counts. */
  get late(): number {
    this.#look();
    return this.#worst / 1000;
  }

  begin(): void {
    this.#look();
    this.#worst = 0;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#worst = Math.max(this.#worst, performance.now() - this.#fellAsleep - NAP);
  }

  #wake(): void {
    this.#look();
    this.#fellAsleep = performance.now();
    this.#timer = setTimeout(() => this.#wake(), NAP);
  }
}
