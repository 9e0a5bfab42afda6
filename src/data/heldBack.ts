/** Which entries of a ring are not drawn for now. */
export class HeldBack {
  readonly #held: Uint8Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Entries that #free was made of; -1 when something has changed since. */
  #madeOf = -1;

  constructor(capacity: number) {
    this.#held = new Uint8Array(capacity);
    this.#free = new Int32Array(capacity);
  }

  /** @returns whether this is new */
  set(entry: number, held: boolean): boolean {
    const value = held ? 1 : 0;
    if (this.#held[entry] === value) return false;
    this.#held[entry] = value;
    this.#madeOf = -1;
    return true;
  }

  /** The entries of the first `size` that may be drawn; good until the next change. */
  free(size: number): Int32Array {
    if (this.#madeOf !== size) {
      this.#freeCount = 0;
      for (let entry = 0; entry < size; entry++)
        if (this.#held[entry] === 0) this.#free[this.#freeCount++] = entry;
      this.#madeOf = size;
    }
    return this.#free.subarray(0, this.#freeCount);
  }

  /** What a checkpoint keeps. */
  state(size: number): Uint8Array {
    return this.#held.subarray(0, size);
  }

  /** Takes over what `state` gave. */
  restore(state: Uint8Array): void {
    this.#held.set(state);
    this.#madeOf = -1;
  }
}
