/** Counter-based random numbers: the same bits for any order, thread count or resume.
 * @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", Philox4x32-10; differs: none.
 * The C++ twin is native/core/philox.h; tests/core/philox.test.ts holds both to the published vectors. */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const mid = aHigh * bLow + (low >>> 16);
  const mid2 = aLow * bHigh + (mid & 0xffff);
  return (aHigh * bHigh + Math.floor(mid / 65536) + Math.floor(mid2 / 65536)) >>> 0;
}

/** Philox4x32-10 of a 128-bit counter and a 64-bit key.
 * @shape counter [4] u32, key [2] u32, out [4] u32 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** One stream of numbers, keyed (seed, stream) and positioned by (a, b): for example a = environment and
 * b = episode. The state is four plain numbers, so a checkpoint stores it exactly. */
export class PhiloxStream {
  readonly #seed: number;
  readonly #stream: number;
  readonly #a: number;
  readonly #b: number;
  #block = 0;
  #used = 4;
  readonly #words = new Uint32Array(4);

  constructor(seed: number, stream = 0, a = 0, b = 0) {
    this.#seed = seed >>> 0;
    this.#stream = stream >>> 0;
    this.#a = a >>> 0;
    this.#b = b >>> 0;
  }

  /** Words drawn so far; `seek` returns to any such position. */
  get position(): number {
    return this.#block * 4 - (4 - this.#used);
  }

  seek(position: number): void {
    this.#block = Math.floor(position / 4);
    this.#used = 4;
    const within = position % 4;
    if (within > 0) {
      this.uint32();
      this.#used = within;
    }
  }

  uint32(): number {
    if (this.#used === 4) {
      const high = Math.floor(this.#block / 0x100000000);
      philox4x32([this.#block >>> 0, high, this.#a, this.#b], [this.#seed, this.#stream], this.#words);
      this.#block++;
      this.#used = 0;
    }
    return this.#words[this.#used++]!;
  }

  /** Uniform in [0, 1) with 32 bits. */
  uniform(): number {
    return this.uint32() * 2.3283064365386963e-10;
  }

  /** Uniform integer in [0, n), n <= 2^32. */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal by Box-Muller; takes two words. */
  normal(): number {
    const u = (this.uint32() + 1) * 2.3283064365386963e-10;
    const v = this.uniform();
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }
}
