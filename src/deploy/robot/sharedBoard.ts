/** How often a reader tries again before it gives up on a writer that died in the middle. */
const TRIES = 10_000;

/** Newest values that cross between threads: a sequence lock over shared memory, one writer, any readers. Nothing waits:
 * a reader that met a write tries again. */
export class SharedBoard {
  readonly length: number;
  /** To be handed to another thread, where `new SharedBoard(length, memory)` sees the same. */
  readonly memory: SharedArrayBuffer;
  readonly #sequence: Int32Array;
  readonly #values: Float64Array;

  /** @param length numbers kept */
  constructor(length: number, memory = new SharedArrayBuffer(8 + 8 * length)) {
    this.length = length;
    this.memory = memory;
    this.#sequence = new Int32Array(memory, 0, 1);
    this.#values = new Float64Array(memory, 8, length);
  }

  /** @shape values [length] */
  write(values: Float64Array): void {
    Atomics.add(this.#sequence, 0, 1);
    this.#values.set(values);
    Atomics.add(this.#sequence, 0, 1);
  }

  /** @shape outValues [length]
   * @returns how many writes there were up to the one read; 0 where there is nothing to read */
  read(outValues: Float64Array): number {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const before = Atomics.load(this.#sequence, 0);
      if (before === 0) return 0;
      if (before & 1) continue;
      outValues.set(this.#values);
      // Not a plain load: the reads above must not sink below it.
      if (Atomics.compareExchange(this.#sequence, 0, before, before) === before) return before >>> 1;
    }
    return 0;
  }
}

/** Milliseconds on the monotonic clock that all threads of the process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Looks at both clocks, of which the one with the least between counts. */
const LOOKS = 5;

/** Milliseconds by which that clock is ahead of this thread's performance.now(). */
export function monotonicShift(): number {
  let [shift, least] = [0, Number.POSITIVE_INFINITY];
  for (let look = 0; look < LOOKS; look++) {
    const before = performance.now();
    const monotonic = monotonicMs();
    const between = performance.now() - before;
    // A thread may wait for its turn between the two.
    if (between < least) [shift, least] = [monotonic - before - between / 2, between];
  }
  return shift;
}
