import type { Draws } from '#core/draws';

/** What is drawn in proportion to a power of its priority, in logarithmic time.
 * @source Schaul et al. 2016, arXiv:1511.05952, eq. 1, Sec. 3.4 and app. B.2.1; differs: none. What a priority is says who sets it */
export class Priorities {
  readonly #capacity: number;
  readonly #exponent: number;
  readonly #correction: number;
  /** A binary tree of sums: node k has the children 2k and 2k + 1, leaf i is node `leaves + i`. */
  readonly #tree: Float64Array;
  readonly #leaves: number;
  /** Entries of the last draw, and how many. */
  #drawn = new Int32Array(0);
  #largest = 1;
  #size = 0;

  /** @param exponent 0 draws uniformly, 1 in proportion @param correction 1 makes up for it by weights, 0 does not */
  constructor(capacity: number, { exponent, correction }: { exponent: number; correction: number }) {
    this.#capacity = capacity;
    this.#exponent = exponent;
    this.#correction = correction;
    this.#leaves = 2 ** Math.ceil(Math.log2(capacity));
    this.#tree = new Float64Array(2 * this.#leaves);
  }

  /** Something new at entry i: it gets the largest priority there was, so that it is seen soon. */
  add(i: number): void {
    if (this.#tree[this.#leaves + i] === 0) this.#size++;
    this.#set(i, this.#largest);
  }

  /** Entry i is not drawn any more, until add(). */
  remove(i: number): void {
    if (this.#tree[this.#leaves + i]! > 0) this.#size--;
    this.#set(i, 0);
  }

  /** Fills the first `count` of `out`, one draw from each of as many equal parts of the whole. */
  draw(draws: Draws, out: Int32Array, count: number): void {
    const total = this.#tree[1]!;
    if (this.#drawn.length !== count) this.#drawn = new Int32Array(count);
    for (let k = 0; k < count; k++) {
      out[k] = this.#find(((k + draws.uniform()) / count) * total);
      this.#drawn[k] = out[k]!;
    }
  }

  #find(sum: number): number {
    let node = 1;
    let left = sum;
    while (node < this.#leaves) {
      node *= 2;
      // Rounding may lead past the last entry: the right side must have something to find.
      if (left >= this.#tree[node]! && this.#tree[node + 1]! > 0) {
        left -= this.#tree[node]!;
        node++;
      }
    }
    return Math.min(node - this.#leaves, this.#capacity - 1);
  }

  /** Weights that make up for having been drawn more often, at most 1, of the last draw. @param from place in `out` of the first */
  writeWeights(out: Float32Array, from: number): void {
    const total = this.#tree[1]!;
    let largest = 0;
    for (const [k, i] of this.#drawn.entries()) {
      const probability = this.#tree[this.#leaves + i]! / total;
      out[from + k] = (this.#size * probability) ** -this.#correction;
      largest = Math.max(largest, out[from + k]!);
    }
    for (let k = 0; k < this.#drawn.length; k++) out[from + k]! /= largest;
  }

  /** New priorities of what the last draw gave. @param from place in `values` of the first */
  update(values: Float32Array, from: number): void {
    for (const [k, i] of this.#drawn.entries()) {
      if (this.#tree[this.#leaves + i] === 0) continue; // removed since
      const priority = (Math.abs(values[from + k]!) + 1e-3) ** this.#exponent;
      this.#largest = Math.max(this.#largest, priority);
      this.#set(i, priority);
    }
  }

  #set(i: number, priority: number): void {
    let node = this.#leaves + i;
    this.#tree[node] = priority;
    for (node >>= 1; node >= 1; node >>= 1)
      this.#tree[node] = this.#tree[2 * node]! + this.#tree[2 * node + 1]!;
  }

  /** Everything a checkpoint must keep: the priorities, then the largest. */
  state(): Float64Array {
    return Float64Array.from([
      ...this.#tree.subarray(this.#leaves, this.#leaves + this.#capacity),
      this.#largest,
    ]);
  }

  /** Takes over what `state` gave. */
  restore(state: Float64Array): void {
    this.#tree.fill(0);
    this.#size = 0;
    for (let i = 0; i < this.#capacity; i++) {
      this.#tree[this.#leaves + i] = state[i]!;
      if (state[i]! > 0) this.#size++;
    }
    for (let node = this.#leaves - 1; node >= 1; node--)
      this.#tree[node] = this.#tree[2 * node]! + this.#tree[2 * node + 1]!;
    this.#largest = state[this.#capacity]!;
  }
}
