import type { StageTracker } from '#learn/tgpo/stages';

/** Coarse places of a plan: which branches it takes, what of it is done, and about how far the robot is from every region
 * of the formula. Two situations in one cell are alike for what is left to do. Signs of robustness are never mixed, so a
 * cell lies inside a region or outside. */
export class Cells {
  readonly #size: number;
  readonly #codes: Uint16Array;

  /** @param predicates P of a sample
   * @param size of a cell, in robustness, above 0 */
  constructor(predicates: number, size: number) {
    this.#size = size;
    this.#codes = new Uint16Array(predicates);
  }

  /** What names the progress of a row's plan alone. */
  progressOf({ state, choices, table }: StageTracker, row: number): string {
    const { variables, choices: all } = table.decomposition;
    let key = '';
    for (let c = 0; c < all.length; c++) key += String.fromCharCode(choices[row * all.length + c]! + 1);
    for (let v = 0; v < variables.length; v++) key += String.fromCharCode(state[row * variables.length + v]!);
    return key;
  }

  /** The key of a row's cell. @param predicates robustness of predicate p at offset + p */
  keyOf(tracker: StageTracker, row: number, predicates: Float64Array, offset: number): string {
    const codes = this.#codes;
    for (let p = 0; p < codes.length; p++) {
      const code = MIDDLE + Math.floor(predicates[offset + p]! / this.#size);
      codes[p] = Math.max(0, Math.min(2 * MIDDLE - 1, code));
    }
    return this.progressOf(tracker, row) + String.fromCharCode(...codes);
  }
}

const MIDDLE = 0x8000;
