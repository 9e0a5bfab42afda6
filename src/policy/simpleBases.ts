import { Draws } from '#core/draws';
import type { BasePolicy } from '#policy/policy';

/** The base that stands still: a residual on top of it learns from nothing. */
export class ZeroPolicy implements BasePolicy {
  readonly kind = 'zero';
  readonly chunk = 1;
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly decided: Float32Array;
  readonly phase: Float32Array;
  readonly state = {};

  constructor(B: number, O: number, A: number) {
    this.B = B;
    this.O = O;
    this.A = A;
    this.decided = new Float32Array(B * A);
    this.phase = new Float32Array(B);
  }

  reset(): void {}

  act(_observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void {
    for (let at = 0; at < outAction.length; at++)
      if (!mask || mask[Math.floor(at / this.A)] === 1) outAction[at] = 0;
  }

  close(): void {}
}

/** Uniform actions, one stream per row: row r draws the same numbers whatever the other rows do. */
export class RandomPolicy implements BasePolicy {
  readonly kind = 'random';
  readonly chunk = 1;
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly phase: Float32Array;
  /** Draws made by each row. */
  readonly state: { readonly drawn: Int32Array };
  readonly #streams: readonly Draws[];
  readonly #row: Float32Array;

  constructor(B: number, O: number, A: number, seed: number) {
    this.B = B;
    this.O = O;
    this.A = A;
    this.phase = new Float32Array(B);
    this.state = { drawn: new Int32Array(B) };
    this.#streams = Array.from({ length: B }, (_, row) => new Draws(seed, 0x52414e44 ^ row));
    this.#row = new Float32Array(A);
  }

  reset(): void {}

  act(_observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void {
    for (let row = 0; row < this.B; row++) {
      if (mask && mask[row] !== 1) continue;
      const stream = this.#streams[row]!;
      stream.position = this.state.drawn[row]!;
      stream.uniforms(this.#row, -1, 1);
      this.state.drawn[row] = stream.position;
      outAction.set(this.#row, row * this.A);
    }
  }

  close(): void {}
}
