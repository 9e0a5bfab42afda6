import type { StageTable } from '#learn/tgpo/stageTable';
import { isActive, type TimeBound } from '#stl/decomposition';

/** Of a variable in a row. */
export const VARIABLE = { absent: 0, open: 1, reached: 2 } as const;

/** The times of the plans that B environments follow, and how they move without breaking a constraint. */
export class PlanTimes {
  /** [B,K] samples; as planned, and as they came where reached */
  readonly times: Int32Array;
  /** [B,K] of VARIABLE */
  readonly state: Uint8Array;
  /** [B,N] whether the constraint is part of the plan */
  readonly constraintActive: Uint8Array;
  readonly #table: StageTable;
  readonly #K: number;
  readonly #kept: Int32Array;

  constructor(table: StageTable, B: number) {
    const { variables, constraints } = table.decomposition;
    this.#table = table;
    this.#K = variables.length;
    this.times = new Int32Array(B * this.#K);
    this.state = new Uint8Array(B * this.#K);
    this.constraintActive = new Uint8Array(B * constraints.length);
    this.#kept = new Int32Array(this.#K);
  }

  /** Gives a row the times and branches of a plan. @shape times [K], choices [C] */
  begin(row: number, times: Int32Array, choices: Int32Array): void {
    const { constraints } = this.#table.decomposition;
    const k = row * this.#K;
    this.times.set(times, k);
    for (let v = 0; v < this.#K; v++) this.state[k + v] = times[v]! >= 0 ? VARIABLE.open : VARIABLE.absent;
    for (const [c, { active }] of constraints.entries())
      this.constraintActive[row * constraints.length + c] = isActive(active, choices) ? 1 : 0;
  }

  /** Whether the constraints hold with the variable at that sample and all others where they are planned. */
  fits(row: number, v: number, sample: number): boolean {
    const { constraintsOf, decomposition } = this.#table;
    const { constraints } = decomposition;
    for (const c of constraintsOf[v]!) {
      if (this.constraintActive[row * constraints.length + c] === 0) continue;
      const { left, right, bound } = constraints[c]!;
      const leftTime = left === v ? sample : this.#time(row, left);
      const rightTime = right === v ? sample : this.#time(row, right);
      if (leftTime - rightTime > bound) return false;
    }
    return true;
  }

  /** Moves a variable to the present sample from a later one, and with it those that may not come so long after it.
   * @returns whether that can be; if not, nothing has moved */
  pull(row: number, v: number, now: number): boolean {
    if (this.fits(row, v, now)) return true;
    const { constraints } = this.#table.decomposition;
    const k = row * this.#K;
    const kept = this.#kept;
    for (let i = 0; i < this.#K; i++) kept[i] = this.times[k + i]!;
    this.times[k + v] = now;
    for (let round = 0; round <= this.#K; round++) {
      let moved = false;
      for (let c = 0; c < constraints.length; c++) {
        if (this.constraintActive[row * constraints.length + c] === 0) continue;
        const { left, right, bound } = constraints[c]!;
        const most = this.#time(row, right) + bound;
        if (this.#time(row, left) <= most) continue;
        const mayMove = left >= 0 && left !== v && this.state[k + left] === VARIABLE.open && most > now;
        if (!mayMove) {
          this.times.set(kept, k);
          return false;
        }
        this.times[k + left] = most;
        moved = true;
      }
      if (!moved) return true;
    }
    this.times.set(kept, k);
    return false;
  }

  /** Moves a variable to a later sample, and on what depends on it. @returns false where that cannot be */
  push(row: number, v: number, to: number): boolean {
    const { decomposition, last } = this.#table;
    const { constraints } = decomposition;
    const k = row * this.#K;
    if (to > last) return false;
    this.times[k + v] = to;
    // Every round settles at least one variable, if there is a solution.
    for (let round = 0; round <= this.#K; round++) {
      let moved = false;
      for (let c = 0; c < constraints.length; c++) {
        if (this.constraintActive[row * constraints.length + c] === 0) continue;
        const { left, right, bound } = constraints[c]!;
        const least = this.#time(row, left) - bound;
        if (this.#time(row, right) >= least) continue;
        if (right < 0 || this.state[k + right] !== VARIABLE.open || least > last) return false;
        this.times[k + right] = least;
        moved = true;
      }
      if (!moved) return true;
    }
    return false;
  }

  sampleOf(row: number, { variable, offset }: TimeBound): number {
    return this.#time(row, variable) + offset;
  }

  #time(row: number, variable: number): number {
    return variable < 0 ? 0 : this.times[row * this.#K + variable]!;
  }
}
