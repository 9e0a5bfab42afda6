/** Bulk random draws: Philox4x32-10 blocks of one key, written into the caller's arrays without allocation.
 * Each call starts at a new block, so `position` alone continues the stream.
 * @source Salmon et al. 2011, Philox4x32-10; differs: none. core/philox.ts is the same generator, word by word. */
export class Draws {
  readonly #seed: number;
  readonly #stream: number;
  readonly #words = new Uint32Array(4);
  /** Blocks of four words drawn so far. */
  position = 0;

  constructor(seed: number, stream: number) {
    this.#seed = seed >>> 0;
    this.#stream = stream >>> 0;
  }

  /** Standard normals by Box-Muller, both of each pair. */
  normals(out: Float32Array): void {
    const words = this.#words;
    for (let i = 0; i < out.length; i += 4) {
      this.#next();
      for (let pair = 0; pair < 2; pair++) {
        const radius = Math.sqrt(-2 * Math.log((words[2 * pair]! + 1) * 2 ** -32));
        const angle = words[2 * pair + 1]! * (2 * Math.PI * 2 ** -32);
        const at = i + 2 * pair;
        if (at < out.length) out[at] = radius * Math.cos(angle);
        if (at + 1 < out.length) out[at + 1] = radius * Math.sin(angle);
      }
    }
  }

  /** Uniform in [low, high). */
  uniforms(out: Float32Array, low = 0, high = 1): void {
    for (let i = 0; i < out.length; i++) {
      if ((i & 3) === 0) this.#next();
      out[i] = low + (high - low) * (this.#words[i & 3]! * 2 ** -32);
    }
  }

  /** Uniform integers in [0, n), the first `count` of `out`. */
  integers(out: Int32Array, n: number, count = out.length): void {
    for (let i = 0; i < count; i++) {
      if ((i & 3) === 0) this.#next();
      out[i] = Math.floor(this.#words[i & 3]! * 2 ** -32 * n);
    }
  }

  /** A uniform integer in [0, n). */
  below(n: number): number {
    this.#next();
    return Math.floor(this.#words[0]! * 2 ** -32 * n);
  }

  /** Uniform in (0, 1), never an end. */
  uniform(): number {
    this.#next();
    return (this.#words[0]! + 0.5) * 2 ** -32;
  }

  /** out.length distinct integers of [0, n), uniformly; out is short (a subset of an ensemble). */
  distinct(out: Int32Array, n: number): void {
    for (let i = 0; i < out.length; i++) {
      if ((i & 3) === 0) this.#next();
      // The draw names a rank among the numbers not taken yet.
      let value = Math.floor(this.#words[i & 3]! * 2 ** -32 * (n - i));
      for (let smallest = -1; ; ) {
        let next = n;
        for (let j = 0; j < i; j++) if (out[j]! > smallest && out[j]! < next) next = out[j]!;
        if (next > value) break;
        value++;
        smallest = next;
      }
      out[i] = value;
    }
  }

  #next(): void {
    let c0 = this.position >>> 0;
    let c1 = Math.floor(this.position / 0x100000000);
    let c2 = 0;
    let c3 = 0;
    let k0 = this.#seed;
    let k1 = this.#stream;
    for (let round = 0; round < 10; round++) {
      const low0 = Math.imul(0xd2511f53, c0) >>> 0;
      const high0 = mulHigh(0xd251, 0x1f53, c0);
      const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
      const high1 = mulHigh(0xcd9e, 0x8d57, c2);
      c0 = (high1 ^ c1 ^ k0) >>> 0;
      c1 = low1;
      c2 = (high0 ^ c3 ^ k1) >>> 0;
      c3 = low0;
      k0 = (k0 + 0x9e3779b9) >>> 0;
      k1 = (k1 + 0xbb67ae85) >>> 0;
    }
    this.#words[0] = c0;
    this.#words[1] = c1;
    this.#words[2] = c2;
    this.#words[3] = c3;
    this.position++;
  }
}

/** High word of (aHigh 2^16 + aLow) * b. */
function mulHigh(aHigh: number, aLow: number, b: number): number {
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const mid = aHigh * bLow + ((Math.imul(aLow, bLow) >>> 0) >>> 16);
  const mid2 = aLow * bHigh + (mid % 0x10000);
  return (aHigh * bHigh + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000)) >>> 0;
}
