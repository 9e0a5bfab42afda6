/** The running chunks of B rows: decided actions, and how many of them each row has used. */
export class ChunkQueue {
  readonly B: number;
  readonly A: number;
  /** H, actions per chunk. */
  readonly chunk: number;
  /** How many of them are executed before the next chunk is decided. */
  readonly execute: number;
  /** [B] k/H where the last action taken was the k-th of its chunk. */
  readonly phase: Float32Array;
  /** Decided actions [B,H,A] and how many of them each row has used [B]. */
  readonly state: { readonly queue: Float32Array; readonly used: Int32Array };

  constructor(B: number, A: number, chunk: number, execute: number) {
    this.B = B;
    this.A = A;
    this.chunk = chunk;
    this.execute = execute;
    this.phase = new Float32Array(B);
    this.state = { queue: new Float32Array(B * chunk * A), used: new Int32Array(B).fill(execute) };
  }

  /** Drops the chunks of the rows whose mask is 1, or of all. */
  reset(mask?: Uint8Array): void {
    const { used } = this.state;
    for (let row = 0; row < this.B; row++) if (!mask || mask[row] === 1) used[row] = this.execute;
  }

  /** Whether any of the rows needs a new chunk. */
  due(mask?: Uint8Array): boolean {
    for (let row = 0; row < this.B; row++) if (this.#isDue(row, mask)) return true;
    return false;
  }

  /** The rows that need a new chunk. */
  dueRows(mask?: Uint8Array): number[] {
    const rows: number[] = [];
    for (let row = 0; row < this.B; row++) if (this.#isDue(row, mask)) rows.push(row);
    return rows;
  }

  /** Takes over the chunks of the rows that need one; `actions` has all rows. @shape actions [B,H*A] */
  refill(actions: ArrayLike<number>, mask?: Uint8Array): void {
    const { queue, used } = this.state;
    const width = this.chunk * this.A;
    for (let row = 0; row < this.B; row++) {
      if (!this.#isDue(row, mask)) continue;
      for (let at = row * width; at < (row + 1) * width; at++) queue[at] = actions[at]!;
      used[row] = 0;
    }
  }

  /** The next action of each row of the mask. @shape outAction [B,A] */
  take(outAction: Float32Array, mask?: Uint8Array): void {
    const { A, chunk } = this;
    const { queue, used } = this.state;
    for (let row = 0; row < this.B; row++) {
      if (mask && mask[row] !== 1) continue;
      const k = used[row]!;
      for (let i = 0; i < A; i++) outAction[row * A + i] = queue[(row * chunk + k) * A + i]!;
      this.phase[row] = k / chunk;
      used[row] = k + 1;
    }
  }

  #isDue(row: number, mask: Uint8Array | undefined): boolean {
    return this.state.used[row] === this.execute && (!mask || mask[row] === 1);
  }
}
