import type { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { HeldBack } from '#data/heldBack';
import { Priorities } from '#data/priorities';

/** What one control step of B environments gave. Actions are in the task's units. */
export interface StepBatch {
  /** [B,O] what the action was chosen from */
  readonly observation: Float32Array;
  /** [B] the base's chunk phase at that observation */
  readonly phase: Float32Array;
  /** [B,A] the base's action there */
  readonly base: Float32Array;
  /** [B,A] the executed action: composed and clipped */
  readonly action: Float32Array;
  readonly reward: Float32Array;
  /** [B,O] the observation after the step, before any reset */
  readonly nextObservation: Float32Array;
  /** [B], [B,A] what the base, its chunk running on, answers there */
  readonly nextPhase: Float32Array;
  readonly nextBase: Float32Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
}

/** A sampled batch; each array is a program's input, rows times the field's width. */
export interface SampledBatch {
  readonly observation: Float32Array;
  readonly phase: Float32Array;
  readonly base: Float32Array;
  readonly action: Float32Array;
  /** n-step return of the window, discounted */
  readonly reward: Float32Array;
  /** factor of the bootstrap: gamma^length, 0 only where the episode terminated */
  readonly discount: Float32Array;
  readonly nextObservation: Float32Array;
  readonly nextPhase: Float32Array;
  readonly nextBase: Float32Array;
}

export interface ReplayOptions {
  readonly O: number;
  readonly A: number;
  readonly environments: number;
  readonly capacity: number;
  readonly nStep: number;
  readonly gamma: number;
  /** Steps of the longest episode, where rewards are credited after episodes have ended; else left out. */
  readonly horizon?: number;
  /** Nothing is drawn before release(): transitions that wait for something. */
  readonly holdsBack?: boolean;
  /** Transitions are not drawn uniformly but by these. */
  readonly priorities?: { readonly exponent: number; readonly correction: number } | undefined;
}

type ReplayArray = Float32Array | Float64Array | Uint8Array | Int32Array;

/** A ring of n-step transitions. Windows are built per environment, end at termination or truncation, and
 * bootstrap through a truncation: running out of time is not an outcome of the task. */
export class Replay {
  readonly #options: ReplayOptions;
  /** Undefined where transitions are drawn uniformly. */
  readonly priorities: Priorities | undefined;
  readonly #width: number;
  #held: HeldBack | undefined;
  readonly #rows: Float32Array;
  readonly #ended: Uint8Array;
  readonly #pending: Float32Array;
  readonly #pendingCount: Int32Array;
  readonly #at: Readonly<Record<keyof SampledBatch, number>>;
  readonly #index: Int32Array;
  /** Per environment: the running number of the transition that each step of its episode begins. [environments,horizon] */
  readonly #written: Int32Array;
  readonly #writtenCount: Int32Array;
  #writes = 0;
  #cursor = 0;
  #size = 0;

  constructor(options: ReplayOptions) {
    const { O, A, environments, capacity, nStep } = options;
    this.#options = options;
    this.#at = {
      observation: 0,
      phase: O,
      base: O + 1,
      action: O + 1 + A,
      reward: O + 1 + 2 * A,
      discount: O + 2 + 2 * A,
      nextObservation: O + 3 + 2 * A,
      nextPhase: 2 * O + 3 + 2 * A,
      nextBase: 2 * O + 4 + 2 * A,
    };
    this.#width = 2 * O + 4 + 3 * A;
    this.priorities = options.priorities && new Priorities(capacity, options.priorities);
    this.#held = options.holdsBack ? new HeldBack(capacity) : undefined;
    this.#rows = new Float32Array(capacity * this.#width);
    this.#ended = new Uint8Array(capacity);
    this.#pending = new Float32Array(environments * nStep * this.#width);
    this.#pendingCount = new Int32Array(environments);
    this.#index = new Int32Array(4096);
    this.#written = new Int32Array(environments * (options.horizon ?? 0));
    this.#writtenCount = new Int32Array(environments);
  }

  /** Transitions that can be sampled. */
  get size(): number {
    return this.#held ? this.#held.free(this.#size).length : this.#size;
  }

  /** Row `row` of the batch, one step of `environment`. */
  add(environment: number, step: StepBatch, row: number): void {
    const { O, A, nStep, gamma } = this.#options;
    const at = this.#at;
    const pending = this.#pending;
    const first = environment * nStep * this.#width;
    const reward = step.reward[row]!;
    let count = this.#pendingCount[environment]!;
    for (let age = count, i = 0; i < count; i++, age--) {
      const slot = first + i * this.#width + at.reward;
      pending[slot] = pending[slot]! + gamma ** age * reward;
    }
    const slot = first + count * this.#width;
    copy(step.observation, row * O, pending, slot + at.observation, O);
    pending[slot + at.phase] = step.phase[row]!;
    copy(step.base, row * A, pending, slot + at.base, A);
    copy(step.action, row * A, pending, slot + at.action, A);
    pending[slot + at.reward] = reward;
    count++;
    const done = step.terminated[row] === 1 || step.truncated[row] === 1;
    if (done) {
      for (let i = 0; i < count; i++) this.#emit(environment, first + i * this.#width, count - i, step, row);
      count = 0;
    } else if (count === nStep) {
      this.#emit(environment, first, nStep, step, row);
      pending.copyWithin(first, first + this.#width, first + count * this.#width);
      count--;
    }
    this.#pendingCount[environment] = count;
  }

  /** Forgets the open window of an environment: its episode broke off without an outcome. */
  discardPending(environment: number): void {
    this.#pendingCount[environment] = 0;
    this.#writtenCount[environment] = 0;
  }

  /** Takes the running numbers of the transitions that the steps of the episode that just ended begin; every ended episode's
   * must be taken where there is a horizon. @shape result [T] */
  takeEpisode(environment: number): Int32Array {
    const { horizon = 0 } = this.#options;
    const first = environment * horizon;
    const numbers = this.#written.slice(first, first + this.#writtenCount[environment]!);
    this.#writtenCount[environment] = 0;
    return numbers;
  }

  /** Whether the ring still has the transition of this running number. */
  holds(number: number): boolean {
    return this.#writes - number <= this.#options.capacity;
  }

  /** Draws from an episode's transitions from now on, or no longer. @param episode what takeEpisode() gave */
  release(episode: Int32Array, released = true): void {
    const { capacity } = this.#options;
    if (!released) this.#held ??= new HeldBack(capacity);
    for (const number of episode) {
      if (!this.holds(number)) continue;
      const entry = number % capacity;
      if (!this.#held?.set(entry, !released)) continue;
      if (released) this.priorities?.add(entry);
      else this.priorities?.remove(entry);
    }
  }

  /** Credits the steps of an ended episode with more reward, at any time: each window gets its discounted part. What the ring
   * has overwritten since is gone.
   * @param episode what takeEpisode() gave
   * @shape credits [T] */
  settle(episode: Int32Array, credits: Float64Array): void {
    const { nStep, gamma, capacity } = this.#options;
    if (episode.length !== credits.length)
      throw new VernierError('SHAPE', `${credits.length} credits for an episode of ${episode.length} steps`);
    for (const [t, number] of episode.entries()) {
      if (!this.holds(number)) continue;
      const last = Math.min(t + nStep, credits.length);
      let credit = 0;
      for (let k = last - 1; k >= t; k--) credit = credits[k]! + gamma * credit;
      const at = (number % capacity) * this.#width + this.#at.reward;
      this.#rows[at] = this.#rows[at]! + credit;
    }
  }

  #emit(environment: number, slot: number, length: number, step: StepBatch, row: number): void {
    const { O, A, gamma, capacity } = this.#options;
    const at = this.#at;
    const to = this.#cursor * this.#width;
    copy(this.#pending, slot, this.#rows, to, at.discount);
    const terminated = step.terminated[row] === 1;
    this.#rows[to + at.discount] = terminated ? 0 : gamma ** length;
    copy(step.nextObservation, row * O, this.#rows, to + at.nextObservation, O);
    this.#rows[to + at.nextPhase] = step.nextPhase[row]!;
    copy(step.nextBase, row * A, this.#rows, to + at.nextBase, A);
    this.#ended[this.#cursor] = (terminated ? 1 : 0) | (step.truncated[row] === 1 ? 2 : 0);
    this.#note(environment);
    if (this.#options.holdsBack) {
      this.#held!.set(this.#cursor, true);
      this.priorities?.remove(this.#cursor);
    } else {
      this.#held?.set(this.#cursor, false);
      this.priorities?.add(this.#cursor);
    }
    this.#cursor = (this.#cursor + 1) % capacity;
    this.#size = Math.min(this.#size + 1, capacity);
  }

  /** Remembers where the next step of an episode was written. */
  #note(environment: number): void {
    const { horizon } = this.#options;
    if (horizon !== undefined) {
      const t = this.#writtenCount[environment]!;
      this.#written[environment * horizon + t] = this.#writes;
      this.#writtenCount[environment] = t + 1;
    }
    this.#writes++;
  }

  /** Draws `count` transitions, with replacement, into rows [from, from + count) of the batch. */
  sample(draws: Draws, out: SampledBatch, from: number, count: number): void {
    if (this.size === 0)
      throw new VernierError('STATE', 'the replay is empty: nothing can be sampled before the first steps');
    const { O, A } = this.#options;
    const index = this.#index;
    if (this.priorities) this.priorities.draw(draws, index, count);
    else this.#draw(draws, count);
    for (let i = 0; i < count; i++) this.#read(index[i]! * this.#width, out, from + i, O, A);
  }

  #draw(draws: Draws, count: number): void {
    const index = this.#index;
    const free = this.#held?.free(this.#size);
    draws.integers(index, free?.length ?? this.#size, count);
    if (free) for (let i = 0; i < count; i++) index[i] = free[index[i]!]!;
  }

  #read(row: number, out: SampledBatch, to: number, O: number, A: number): void {
    const at = this.#at;
    const rows = this.#rows;
    copy(rows, row + at.observation, out.observation, to * O, O);
    out.phase[to] = rows[row + at.phase]!;
    copy(rows, row + at.base, out.base, to * A, A);
    copy(rows, row + at.action, out.action, to * A, A);
    out.reward[to] = rows[row + at.reward]!;
    out.discount[to] = rows[row + at.discount]!;
    copy(rows, row + at.nextObservation, out.nextObservation, to * O, O);
    out.nextPhase[to] = rows[row + at.nextPhase]!;
    copy(rows, row + at.nextBase, out.nextBase, to * A, A);
  }

  /** Transition `index` in order of insertion since the ring last wrapped: a copy, for inspection. */
  readCopy(index: number): Readonly<Record<keyof SampledBatch, Float32Array>> & {
    readonly terminated: boolean;
    readonly truncated: boolean;
  } {
    const { O, A } = this.#options;
    const out = {
      observation: new Float32Array(O),
      phase: new Float32Array(1),
      base: new Float32Array(A),
      action: new Float32Array(A),
      reward: new Float32Array(1),
      discount: new Float32Array(1),
      nextObservation: new Float32Array(O),
      nextPhase: new Float32Array(1),
      nextBase: new Float32Array(A),
    };
    this.#read(index * this.#width, out, 0, O, A);
    const ended = this.#ended[index]!;
    return { ...out, terminated: (ended & 1) !== 0, truncated: (ended & 2) !== 0 };
  }

  /** Everything a checkpoint must keep. */
  state(): Readonly<Record<string, ReplayArray>> {
    return {
      rows: this.#rows.subarray(0, this.#size * this.#width),
      ended: this.#ended.subarray(0, this.#size),
      pending: this.#pending,
      pendingCount: this.#pendingCount,
      position: Int32Array.of(this.#cursor, this.#size, this.#writes),
      written: this.#written,
      writtenCount: this.#writtenCount,
      ...(this.priorities ? { priorities: this.priorities.state() } : {}),
      ...(this.#held ? { held: this.#held.state(this.#size) } : {}),
    };
  }

  /** Takes over what `state` gave. */
  restore(state: Readonly<Record<string, ReplayArray>>): void {
    const position = state['position']!;
    this.priorities?.restore(state['priorities'] as Float64Array);
    if (state['held']) this.#held?.restore(state['held'] as Uint8Array);
    this.#rows.set(state['rows']!);
    this.#ended.set(state['ended']!);
    this.#pending.set(state['pending']!);
    this.#pendingCount.set(state['pendingCount']!);
    this.#cursor = position[0]!;
    this.#size = position[1]!;
    this.#writes = position[2]!;
    this.#written.set(state['written']!);
    this.#writtenCount.set(state['writtenCount']!);
  }
}

function copy(from: Float32Array, fromAt: number, to: Float32Array, toAt: number, count: number): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
}
