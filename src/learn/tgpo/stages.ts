import type { CostToGo } from '#learn/tgpo/costToGo';
import { PlanTimes, VARIABLE } from '#learn/tgpo/planTimes';
import { type StageTable, stageTable, type Window } from '#learn/tgpo/stageTable';
import type { Allocation } from '#stl/allocation';
import { conditionRobustness } from '#stl/condition';
import { type Decomposition, isActive } from '#stl/decomposition';

/** How B environments get on with their plans. An environment follows an allocation: at each sample the tracker looks at
 * the robustness of the predicates, marks time variables as reached, watches the windows, and rewards progress.
 *
 * The allocated times guide, they do not bind:
 * - early: a variable counts as reached before its time where the rest of the plan fits, those that may not come so long
 *   after it moved forward; while it goes on to hold, and nothing but constraints hangs on it, it counts as reached later;
 * - late: a variable that is due and not reached moves on by a sample, and pushes what depends on it;
 * - a window that is left moves the variable it hangs on behind the present, and takes back what was rewarded for it;
 * - where a push meets what has happened already, or the end, the plan has failed.
 * So what the tracker calls reached is an allocation of the same decomposition, and the exact monitor alone says what
 * succeeded. */

export interface StageRewards {
  /** For all stages of a plan together: a share of it for each stage's approach, arrival and stay. */
  readonly progress: number;
  /** Taken off once where the plan fails. */
  readonly failure: number;
  /** Robustness that counts as one unit of distance. */
  readonly distance: number;
}

/** What a row is after: a variable's index, a window's, or nothing. */
const TARGET = { none: 0, variable: 1, hold: 2, window: 3 } as const;

/** Numbers a plan puts behind the observation, per variable and apart from them. */
const PER_VARIABLE = 4;
const COMMON = 7;
/** What a whole way is worth, in plans. */
const WAY = 2;
/** Samples over which a time to go is shown finely. */
const NEAR = 16;

export class StageTracker {
  readonly table: StageTable;
  readonly B: number;
  /** Length of what `observe` writes. */
  readonly width: number;
  /** [B,K] samples; as planned, and as they came where reached */
  readonly times: Int32Array;
  /** [B,K] of VARIABLE */
  readonly state: Uint8Array;
  /** [B,C] */
  readonly choices: Int32Array;
  /** [B] 1 where the plan can no longer be kept */
  readonly failed: Uint8Array;
  /** [B] present sample */
  readonly sample: Int32Array;
  readonly #rewards: StageRewards;
  readonly #K: number;
  readonly #C: number;
  readonly #W: number;
  readonly #P: number;
  readonly #plan: PlanTimes;
  /** [B,W] whether it is part of the plan */
  readonly #windowActive: Uint8Array;
  /** [B,2] kind and index */
  readonly #target: Int32Array;
  /** [B] distance to it */
  readonly #distance: Float64Array;
  /** [B,K+W] the least distance to each variable and window while it was the target; NaN before */
  readonly #nearest: Float64Array;
  /** [B,K] rewarded for staying, in shares of a stage */
  readonly #stayed: Float64Array;
  /** [B] reward of one stage */
  readonly #stage: Float64Array;
  /** [B] what is left of the way, NaN before anything is known */
  readonly #cost: Float64Array;
  /** The way, where one was found: it is rewarded in place of nearness. */
  guide: CostToGo | undefined;
  readonly #order: Int32Array;

  /** @param predicates P, the robustness values of a sample */
  constructor(decomposition: Decomposition, B: number, predicates: number, rewards: StageRewards) {
    const { variables, choices } = decomposition;
    this.table = stageTable(decomposition);
    this.B = B;
    this.#rewards = rewards;
    this.#K = variables.length;
    this.#C = choices.length;
    this.#W = this.table.windows.length;
    this.#P = predicates;
    const options = choices.reduce((sum, choice) => sum + choice.options, 0);
    this.width = COMMON + PER_VARIABLE * this.#K + options + predicates;
    this.#plan = new PlanTimes(this.table, B);
    this.times = this.#plan.times;
    this.state = this.#plan.state;
    this.choices = new Int32Array(B * this.#C);
    this.failed = new Uint8Array(B);
    this.sample = new Int32Array(B);
    this.#windowActive = new Uint8Array(B * this.#W);
    this.#target = new Int32Array(2 * B);
    this.#distance = new Float64Array(B);
    this.#nearest = new Float64Array(B * (this.#K + this.#W));
    this.#stayed = new Float64Array(B * this.#K);
    this.#stage = new Float64Array(B);
    this.#cost = new Float64Array(B).fill(Number.NaN);
    this.#order = new Int32Array(this.#K);
  }

  /** Everything a checkpoint must keep, live. */
  arrays(): Readonly<Record<string, Int32Array | Uint8Array | Float64Array>> {
    return {
      times: this.times,
      state: this.state,
      choices: this.choices,
      failed: this.failed,
      sample: this.sample,
      windowActive: this.#windowActive,
      constraintActive: this.#plan.constraintActive,
      target: this.#target,
      distance: this.#distance,
      nearest: this.#nearest,
      stayed: this.#stayed,
      stage: this.#stage,
      cost: this.#cost,
    };
  }

  /** A copy of everything of one row, for setRow of any tracker of the same decomposition and predicates. */
  getRow(row: number): Uint8Array {
    const shares = this.#shares(row);
    const out = new Uint8Array(shares.reduce((sum, share) => sum + share.length, 0));
    let at = 0;
    for (const share of shares) {
      out.set(share, at);
      at += share.length;
    }
    return out;
  }

  setRow(row: number, kept: Uint8Array): void {
    let at = 0;
    for (const share of this.#shares(row)) {
      share.set(kept.subarray(at, at + share.length));
      at += share.length;
    }
  }

  /** Live bytes of a row. */
  #shares(row: number): Uint8Array[] {
    return Object.values(this.arrays()).map(({ buffer, byteLength }) => {
      const length = byteLength / this.B;
      return new Uint8Array(buffer, row * length, length);
    });
  }

  /** Gives a row a plan at the first sample of an episode. @param predicates robustness of predicate p at offset + p */
  begin(row: number, { times, choices }: Allocation, predicates: Float64Array, offset: number): void {
    const { windows } = this.table;
    const k = row * this.#K;
    this.#plan.begin(row, times, choices);
    this.choices.set(choices, row * this.#C);
    let stages = 0;
    for (let v = 0; v < this.#K; v++) {
      this.#stayed[k + v] = 0;
      if (times[v]! >= 0) stages++;
    }
    for (let w = 0; w < this.#W; w++)
      this.#windowActive[row * this.#W + w] = isActive(windows[w]!.active, choices) ? 1 : 0;
    this.failed[row] = 0;
    this.sample[row] = 0;
    const each = this.#K + this.#W;
    this.#nearest.fill(Number.NaN, row * each, (row + 1) * each);
    this.#stage[row] = this.#rewards.progress / Math.max(1, stages);
    this.#cost[row] = Number.NaN;
    this.#look(row, predicates, offset);
    this.#aim(row, predicates, offset);
  }

  /** Starts the row in the middle of its plan: the first variables by time count as reached, their stays as done, and the
   * clock stands where the last of them was planned. */
  skip(row: number, count: number, predicates: Float64Array, offset: number): void {
    const { holds } = this.table;
    for (const v of this.#openInOrder(row).slice(0, count)) {
      this.state[row * this.#K + v] = VARIABLE.reached;
      this.sample[row] = Math.max(this.sample[row]!, this.times[row * this.#K + v]!);
      for (const w of holds[v]!) this.#windowActive[row * this.#W + w] = 0;
    }
    this.#aim(row, predicates, offset);
  }

  /** Takes in the next sample. @returns its reward; 0 from the sample on at which the plan failed. Where a way is followed,
   * a plan that fails loses the rest of it, and that is all. */
  advance(row: number, predicates: Float64Array, offset: number): number {
    this.sample[row]!++;
    if (this.failed[row] === 1) return 0;
    const { failure, progress } = this.#rewards;
    const { guide } = this;
    const nearer = this.#approach(row, predicates, offset);
    const seen = this.#look(row, predicates, offset);
    let reward = this.#stage[row]! * (guide ? seen : nearer + seen);
    if (guide) reward += progress * this.#follow(row, guide, predicates, offset);
    if (this.failed[row] === 1) return guide ? reward : reward - failure;
    this.#aim(row, predicates, offset);
    return reward;
  }

  /** What coming nearer to the target than ever before earns, in stages: one unit is worth an arrival. A way around costs
   * nothing, so that no robot has to stay in a corner out of fear of it. */
  #approach(row: number, predicates: Float64Array, offset: number): number {
    if (this.#target[2 * row] === TARGET.none) return 0;
    const at = this.#nearestAt(row);
    const before = this.#nearest[at]!;
    const now = Math.min(before, this.#targetDistance(row, predicates, offset));
    this.#nearest[at] = now;
    return before - now;
  }

  /** What coming nearer to the end of the plan earns, in plans: going back costs as much. Where no way is known it is taken
   * to be as far as before. */
  #follow(row: number, guide: CostToGo, predicates: Float64Array, offset: number): number {
    const before = this.#cost[row]!;
    const cost = guide.of(this, row, predicates, offset) ?? before;
    this.#cost[row] = cost;
    return Number.isNaN(before) ? 0 : WAY * (before - cost);
  }

  #nearestAt(row: number): number {
    const isVariable = this.#target[2 * row] === TARGET.variable;
    return row * (this.#K + this.#W) + (isVariable ? 0 : this.#K) + this.#target[2 * row + 1]!;
  }

  /** Whether every variable is reached and every window that hangs on one is over. */
  completed(row: number): boolean {
    const k = row * this.#K;
    for (let v = 0; v < this.#K; v++) if (this.state[k + v] === VARIABLE.open) return false;
    return this.failed[row] === 0 && this.#target[2 * row] !== TARGET.hold;
  }

  /** Reaches what can be reached, moves what is late, watches the windows.
   * @returns the change of what was earned, in stages */
  #look(row: number, predicates: Float64Array, offset: number): number {
    let earned = 0;
    const now = this.sample[row]!;
    const k = row * this.#K;
    for (const v of this.#openInOrder(row)) {
      const isDue = this.times[k + v]! <= now;
      if (this.#holdsNow(row, v, predicates, offset) && (isDue || this.#plan.pull(row, v, now))) {
        this.times[k + v] = now;
        this.state[k + v] = VARIABLE.reached;
        earned += 1;
      } else if (isDue && !this.#plan.push(row, v, now + 1)) {
        this.failed[row] = 1;
        return earned;
      }
    }
    this.#linger(row, predicates, offset);
    return earned + this.#watch(row, predicates, offset);
  }

  /** Where a variable that nothing but constraints hangs on still holds, it counts as reached now: that leaves the most
   * time for what must follow within a bound. */
  #linger(row: number, predicates: Float64Array, offset: number): void {
    const k = row * this.#K;
    const now = this.sample[row]!;
    for (let v = 0; v < this.#K; v++) {
      if (this.state[k + v] !== VARIABLE.reached || this.times[k + v]! >= now || !this.table.lingers[v])
        continue;
      if (this.#holdsNow(row, v, predicates, offset) && this.#plan.fits(row, v, now)) this.times[k + v] = now;
    }
  }

  /** Open variables by their times; a view that the next call overwrites. */
  #openInOrder(row: number): Int32Array {
    const order = this.#order;
    const k = row * this.#K;
    let n = 0;
    for (let v = 0; v < this.#K; v++) {
      if (this.state[k + v] !== VARIABLE.open) continue;
      let at = n++;
      for (; at > 0 && this.times[k + order[at - 1]!]! > this.times[k + v]!; at--) order[at] = order[at - 1]!;
      order[at] = v;
    }
    return order.subarray(0, n);
  }

  #holdsNow(row: number, v: number, predicates: Float64Array, offset: number): boolean {
    const { reaches, starts, windows } = this.table;
    for (const { condition, active } of reaches[v]!)
      if (this.#isActive(row, active) && !(conditionRobustness(condition, predicates, offset) >= 0))
        return false;
    for (const w of starts[v]!) {
      if (this.#windowActive[row * this.#W + w] === 0) continue;
      const { condition, to } = windows[w]!;
      const end = to.variable === v ? this.sample[row]! + to.offset : this.#plan.sampleOf(row, to);
      if (end >= this.sample[row]! && !(conditionRobustness(condition, predicates, offset) >= 0))
        return false;
    }
    return true;
  }

  /** Rewards staying in a window that hangs on one variable; where a window is left, its variable opens again.
   * @returns the change of what was earned, in stages */
  #watch(row: number, predicates: Float64Array, offset: number): number {
    const { windows, last } = this.table;
    const now = this.sample[row]!;
    let earned = 0;
    for (let w = 0; w < this.#W; w++) {
      if (this.#windowActive[row * this.#W + w] === 0) continue;
      const window = windows[w]!;
      const from = this.#plan.sampleOf(row, window.from);
      const to = Math.min(last, this.#plan.sampleOf(row, window.to));
      if (now < from || now > to) continue;
      if (conditionRobustness(window.condition, predicates, offset) >= 0) {
        if (window.from.variable >= 0 && window.from.variable === window.to.variable)
          earned += this.#stay(row, window, to - from + 1);
        continue;
      }
      const lost = this.#reopen(row, window.from.variable);
      if (lost === undefined) {
        this.failed[row] = 1;
        return earned;
      }
      earned -= lost;
    }
    return earned;
  }

  #stay(row: number, window: Window, length: number): number {
    const v = window.from.variable;
    const share = 1 / (length * this.table.holds[v]!.length);
    this.#stayed[row * this.#K + v]! += share;
    return share;
  }

  /** @returns what is taken back, in stages; undefined where the window cannot move */
  #reopen(row: number, v: number): number | undefined {
    if (v < 0) return undefined;
    const at = row * this.#K + v;
    const lost = this.#stayed[at]! + (this.state[at] === VARIABLE.reached ? 1 : 0);
    this.state[at] = VARIABLE.open;
    this.#stayed[at] = 0;
    return this.#plan.push(row, v, this.sample[row]! + 1) ? lost : undefined;
  }

  /** Chooses what the row is after now. */
  #aim(row: number, predicates: Float64Array, offset: number): void {
    const now = this.sample[row]!;
    const { windows, last } = this.table;
    let kind: number = TARGET.none;
    let index = 0;
    let due = last + 1;
    for (let v = 0; v < this.#K; v++) {
      const at = row * this.#K + v;
      if (this.state[at] !== VARIABLE.open || this.times[at]! >= due) continue;
      [kind, index, due] = [TARGET.variable, v, this.times[at]!];
    }
    for (let w = 0; w < this.#W; w++) {
      if (this.#windowActive[row * this.#W + w] === 0) continue;
      const { condition, from, to } = windows[w]!;
      const begins = this.#plan.sampleOf(row, from);
      if (from.variable < 0) {
        const isAhead = begins > now && begins < due;
        if (!isAhead || conditionRobustness(condition, predicates, offset) >= 0) continue;
        [kind, index, due] = [TARGET.window, w, begins];
      } else if (
        from.variable === to.variable &&
        this.state[row * this.#K + from.variable] === VARIABLE.reached
      ) {
        const ends = Math.min(last, this.#plan.sampleOf(row, to));
        if (now >= ends) continue;
        // Being inside now comes before everything else.
        [kind, index, due] = [TARGET.hold, w, Math.min(begins, now)];
      }
    }
    this.#target[2 * row] = kind;
    this.#target[2 * row + 1] = index;
    this.#distance[row] = this.#targetDistance(row, predicates, offset);
    if (kind === TARGET.none) return;
    const at = this.#nearestAt(row);
    if (Number.isNaN(this.#nearest[at]!)) this.#nearest[at] = this.#distance[row]!;
  }

  /** How far the row is from what it is after, in units, 0 inside. */
  #targetDistance(row: number, predicates: Float64Array, offset: number): number {
    const kind = this.#target[2 * row]!;
    if (kind === TARGET.none) return 0;
    const index = this.#target[2 * row + 1]!;
    const { reaches, holds, starts, windows } = this.table;
    let robustness = Number.POSITIVE_INFINITY;
    if (kind === TARGET.variable) {
      for (const { condition, active } of reaches[index]!)
        if (this.#isActive(row, active))
          robustness = Math.min(robustness, conditionRobustness(condition, predicates, offset));
      for (const list of [holds[index]!, starts[index]!])
        for (const w of list)
          if (this.#windowActive[row * this.#W + w] === 1)
            robustness = Math.min(robustness, conditionRobustness(windows[w]!.condition, predicates, offset));
    } else {
      robustness = conditionRobustness(windows[index]!.condition, predicates, offset);
    }
    return Math.max(0, -robustness) / this.#rewards.distance;
  }

  /** Writes the plan as the policy sees it: time, target, and per variable its state and time to go.
   * @shape out [width] from `at` */
  observe(row: number, predicates: Float64Array, offset: number, out: Float32Array, at: number): void {
    const { last, decomposition, windows } = this.table;
    const now = this.sample[row]!;
    const kind = this.#target[2 * row]!;
    const index = this.#target[2 * row + 1]!;
    let due = last;
    if (kind === TARGET.variable) due = this.times[row * this.#K + index]!;
    if (kind === TARGET.hold) due = Math.min(last, this.#plan.sampleOf(row, windows[index]!.to));
    if (kind === TARGET.window) due = this.#plan.sampleOf(row, windows[index]!.from);
    let to = at;
    out[to++] = 1 - now / last;
    out[to++] = kind === TARGET.none ? 1 : 0;
    out[to++] = kind === TARGET.hold ? 1 : 0;
    out[to++] = Math.min(1, (due - now) / NEAR);
    out[to++] = Math.min(3, this.#distance[row]!);
    out[to++] = kind === TARGET.none ? 0 : Math.min(3, this.#nearest[this.#nearestAt(row)]!);
    out[to++] = this.failed[row]!;
    for (let v = 0; v < this.#K; v++) {
      const state = this.state[row * this.#K + v]!;
      const isOpen = state === VARIABLE.open;
      out[to++] = isOpen ? 1 : 0;
      out[to++] = state === VARIABLE.reached ? 1 : 0;
      out[to++] = isOpen ? (this.times[row * this.#K + v]! - now) / last : 0;
      out[to++] = (kind === TARGET.variable && index === v) || this.#hangsOn(kind, index, v) ? 1 : 0;
    }
    for (let c = 0; c < this.#C; c++) {
      const { options } = decomposition.choices[c]!;
      for (let o = 0; o < options; o++) out[to++] = this.choices[row * this.#C + c] === o ? 1 : 0;
    }
    for (let p = 0; p < this.#P; p++) out[to++] = Math.tanh(predicates[offset + p]! / this.#rewards.distance);
  }

  #hangsOn(kind: number, window: number, v: number): boolean {
    return kind === TARGET.hold && this.table.windows[window]!.from.variable === v;
  }

  #isActive(row: number, guard: Window['active']): boolean {
    for (const { choice, option } of guard) if (this.choices[row * this.#C + choice] !== option) return false;
    return true;
  }
}
