/** Offsets in one flat buffer, given back and merged; best fit. Sizes and offsets are multiples of a cache line. */

const LINE = 16;

export class Arena {
  readonly #free: { offset: number; size: number }[] = [];
  #size: number;

  /** @param from where it starts: what lies before is taken for good */
  constructor(from = 0) {
    this.#size = from;
  }

  /** Floats the buffer needs. */
  get size(): number {
    return this.#size;
  }

  take(count: number): number {
    const size = round(count);
    let best = -1;
    this.#free.forEach((hole, i) => {
      if (hole.size >= size && (best < 0 || hole.size < this.#free[best]!.size)) best = i;
    });
    const hole = this.#free[best];
    if (!hole) {
      this.#size += size;
      return this.#size - size;
    }
    const { offset } = hole;
    if (hole.size === size) this.#free.splice(best, 1);
    else this.#free[best] = { offset: offset + size, size: hole.size - size };
    return offset;
  }

  /** A place nothing had or will have: its floats stay zero until its owner writes them. */
  takeFresh(count: number): number {
    const offset = this.#size;
    this.#size += round(count);
    return offset;
  }

  give(offset: number, count: number): void {
    this.#free.push({ offset, size: round(count) });
    this.#free.sort((a, b) => a.offset - b.offset);
    for (let i = 0; i + 1 < this.#free.length; ) {
      const [hole, next] = [this.#free[i]!, this.#free[i + 1]!];
      if (hole.offset + hole.size === next.offset) {
        this.#free.splice(i, 2, { offset: hole.offset, size: hole.size + next.size });
      } else i++;
    }
  }
}

function round(count: number): number {
  return Math.ceil(count / LINE) * LINE;
}
