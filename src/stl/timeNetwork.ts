import type { Draws } from '#core/draws';

/** Integer time variables under difference constraints t_i - t_j <= bound (a simple temporal network).
 * @source Dechter, Meiri, Pearl 1991, Temporal constraint networks; differs: integer bounds, so integer solutions */

/** -1 is time zero. */
export interface DifferenceConstraint {
  readonly left: number;
  readonly right: number;
  readonly bound: number;
}

/** The tightened constraints of some variables. Sampling and shifting start from it without another search: whatever
 * values keep the pairwise bounds among the fixed variables can be extended to all. */
export class TimeNetwork {
  /** Indices of the variables, ascending. */
  readonly variables: Int32Array;
  /** Per place in `variables`: the first place whose variable keeps a fixed distance to it; -1 where its time is fixed. */
  readonly block: Int32Array;
  /** Places that stand for themselves: those that can move. */
  readonly free: Int32Array;
  /** [n+1,n+1] row i, column j: the most of t_i - t_j; row and column 0 are time zero. */
  readonly #most: Float64Array;
  readonly #order: Int32Array;

  private constructor(variables: Int32Array, most: Float64Array) {
    this.variables = variables;
    this.#most = most;
    const n = variables.length;
    this.block = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      let first = 0;
      while (this.#gap(i + 1, first) + this.#gap(first, i + 1) !== 0) first++;
      this.block[i] = first - 1;
    }
    this.free = Int32Array.from(this.block.keys()).filter((i) => this.block[i] === i);
    this.#order = new Int32Array(this.free.length);
  }

  /** All pairs of shortest paths (Floyd, Warshall). @returns undefined where no times satisfy the constraints
   * @param last every variable lies in [0, last] */
  static tighten(
    variables: readonly number[],
    constraints: readonly DifferenceConstraint[],
    last: number,
  ): TimeNetwork | undefined {
    const n = variables.length;
    const side = n + 1;
    const place = new Map(variables.map((variable, i) => [variable, i + 1]));
    place.set(-1, 0);
    const most = new Float64Array(side * side).fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < side; i++) {
      most[i * side] = last;
      most[i] = 0;
      most[i * side + i] = 0;
    }
    for (const { left, right, bound } of constraints) {
      const at = place.get(left)! * side + place.get(right)!;
      if (bound < most[at]!) most[at] = bound;
    }
    for (let k = 0; k < side; k++) {
      for (let i = 0; i < side; i++) {
        const ik = most[i * side + k]!;
        for (let j = 0; j < side; j++) {
          const path = ik + most[k * side + j]!;
          if (path < most[i * side + j]!) most[i * side + j] = path;
        }
      }
    }
    for (let i = 0; i < side; i++) if (most[i * side + i]! < 0) return undefined;
    return new TimeNetwork(Int32Array.from(variables), most);
  }

  /** Least value of the variable at a place of `variables`, all others free. */
  earliest(place: number): number {
    return 0 - this.#gap(0, place + 1);
  }

  latest(place: number): number {
    return this.#gap(place + 1, 0);
  }

  /** The most of t_i - t_j by places; -1 is time zero. */
  mostDifference(i: number, j: number): number {
    return this.#gap(i + 1, j + 1);
  }

  /** Whether times (by variable) satisfy every constraint. */
  contains(times: ArrayLike<number>): boolean {
    const n = this.variables.length;
    for (let i = -1; i < n; i++) {
      for (let j = -1; j < n; j++) {
        if (this.#time(times, i) - this.#time(times, j) > this.#gap(i + 1, j + 1)) return false;
      }
    }
    return true;
  }

  /** Draws times of all variables: each in turn, in random order, uniformly from what the ones before leave; then `sweeps`
   * rounds of Gibbs sampling. The first pass alone favours points behind narrow intervals (in an ordered pair over
   * [0, T] each second time is uniform behind the first); the sweeps converge to the uniform distribution over all integer
   * solutions, because single blocks moved by one connect them. @param outTimes by variable; others are left alone */
  sample(draws: Draws, outTimes: Int32Array, sweeps: number): void {
    const { free } = this;
    const order = this.#order;
    order.set(free);
    for (let i = order.length - 1; i > 0; i--) {
      const j = draws.below(i + 1);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    this.#fix(outTimes);
    for (let i = 0; i < order.length; i++) {
      const place = order[i]!;
      let low = this.earliest(place);
      let high = this.latest(place);
      for (let j = 0; j < i; j++) {
        const other = order[j]!;
        const time = this.#time(outTimes, other);
        low = Math.max(low, time - this.mostDifference(other, place));
        high = Math.min(high, time + this.mostDifference(place, other));
      }
      outTimes[this.variables[place]!] = low + draws.below(high - low + 1);
    }
    for (let sweep = 0; sweep < sweeps; sweep++) {
      for (const place of free) this.#redraw(draws, place, outTimes);
    }
    this.#follow(outTimes);
  }

  /** Draws the times of the variables that are not kept, in the order of `variables`, each uniformly from what the kept
   * ones and those before leave. @param kept 1 per variable that stays @returns the log of the probability of the draw,
   * -Infinity where the kept ones contradict */
  extend(draws: Draws, kept: Uint8Array, outTimes: Int32Array): number {
    return this.#walk(kept, outTimes, draws);
  }

  /** The log of the probability that `extend` draws these times. */
  logProbability(kept: Uint8Array, times: Int32Array): number {
    return this.#walk(kept, times, undefined);
  }

  #walk(kept: Uint8Array, times: Int32Array, draws: Draws | undefined): number {
    const { variables } = this;
    let log = 0;
    for (let pass = 1; pass >= 0; pass--) {
      for (let place = 0; place < variables.length; place++) {
        const variable = variables[place]!;
        if (kept[variable] !== pass) continue;
        let low = this.earliest(place);
        let high = this.latest(place);
        for (let other = 0; other < variables.length; other++) {
          // Fixed by now: kept ones, and those of this pass that came before.
          if (!(kept[variables[other]!]! > pass || (kept[variables[other]!] === pass && other < place)))
            continue;
          const time = times[variables[other]!]!;
          low = Math.max(low, time - this.mostDifference(other, place));
          high = Math.min(high, time + this.mostDifference(place, other));
        }
        if (pass === 0 && draws && low <= high) times[variable] = low + draws.below(high - low + 1);
        const time = times[variable]!;
        if (!(low <= time && time <= high)) return Number.NEGATIVE_INFINITY;
        if (pass === 0) log -= Math.log(high - low + 1);
      }
    }
    return log;
  }

  /** Draws one of the blocks that can move, uniformly from what all others leave: symmetric, as a Gibbs step is. */
  moveOne(draws: Draws, outTimes: Int32Array): void {
    if (this.free.length === 0) return;
    this.#redraw(draws, this.free[draws.below(this.free.length)]!, outTimes);
    this.#follow(outTimes);
  }

  #redraw(draws: Draws, place: number, outTimes: Int32Array): void {
    const low = this.#reach(outTimes, place, -1);
    const high = this.#reach(outTimes, place, 1);
    outTimes[this.variables[place]!] = low + draws.below(high - low + 1);
  }

  /** The least or the most of the variable at `place` with all of its block, every other block where it is. */
  #reach(times: ArrayLike<number>, place: number, sign: 1 | -1): number {
    let limit = sign > 0 ? this.latest(place) : this.earliest(place);
    for (const other of this.free) {
      if (other === place) continue;
      const time = this.#time(times, other);
      limit =
        sign > 0
          ? Math.min(limit, time + this.mostDifference(place, other))
          : Math.max(limit, time - this.mostDifference(other, place));
    }
    return limit;
  }

  /** Moves the variables in [first, end) together, by a uniform one of the shifts that the others leave: symmetric. */
  shift(draws: Draws, first: number, end: number, outTimes: Int32Array): void {
    const { variables } = this;
    const moves = (variable: number): boolean => variable >= first && variable < end;
    let low = Number.NEGATIVE_INFINITY;
    let high = Number.POSITIVE_INFINITY;
    for (let place = 0; place < variables.length; place++) {
      if (!moves(variables[place]!)) continue;
      for (let other = -1; other < variables.length; other++) {
        if (other >= 0 && moves(variables[other]!)) continue;
        const difference = this.#time(outTimes, place) - this.#time(outTimes, other);
        high = Math.min(high, this.mostDifference(place, other) - difference);
        low = Math.max(low, -this.mostDifference(other, place) - difference);
      }
    }
    if (!(low < high)) return;
    const by = low + draws.below(high - low + 1);
    for (const variable of variables) if (moves(variable)) outTimes[variable] = outTimes[variable]! + by;
  }

  /** Sets the variables whose time is fixed. */
  #fix(outTimes: Int32Array): void {
    for (let i = 0; i < this.variables.length; i++) {
      if (this.block[i] === -1) outTimes[this.variables[i]!] = this.latest(i);
    }
  }

  /** Sets the variables that keep a fixed distance to another. */
  #follow(outTimes: Int32Array): void {
    for (let i = 0; i < this.variables.length; i++) {
      const first = this.block[i]!;
      if (first < 0 || first === i) continue;
      outTimes[this.variables[i]!] = outTimes[this.variables[first]!]! + this.mostDifference(i, first);
    }
  }

  #time(times: ArrayLike<number>, place: number): number {
    return place < 0 ? 0 : times[this.variables[place]!]!;
  }

  #gap(i: number, j: number): number {
    return this.#most[i * (this.variables.length + 1) + j]!;
  }
}
