import { VernierError } from '#core/errors';
import { type DecodedMonitor, decodeMonitor, type Operation } from '#stl/monitorDecode';
import { endings, monitorOpcode } from '#stl/monitorProgram';
import { atFirst } from '#stl/monitorTreeEvaluation';
import { delayed, extremum, slidingWindow, stretchWindow } from '#stl/monitorWindow';

/** The twin of native/stl/monitor.cc, in operation and to the bit. */

/** A robustness of 0 is moved aside by the least there is, so that signs alone tell whether a formula holds. */
const LEAST = Number.MIN_VALUE;

/** 1: it holds, 0: it does not, -1: that is open. */
export type Verdict = -1 | 0 | 1;

export interface Reading {
  /** Of the formula at the sample `delay` before the last; NaN until there is one. */
  value: number;
  /** Of the formula at the first sample, whatever comes. */
  lower: number;
  upper: number;
  /** Whether it holds at the first sample. */
  verdict: Verdict;
  /** Whether it holds at the sample of `value`. */
  holds: Verdict;
}

export interface Ending {
  /** At the first sample; NaN where the program's `end` leaves it open. */
  readonly robustness: number;
  readonly verdict: Verdict;
}

const OPEN: Ending = { robustness: Number.NaN, verdict: -1 };

export function newReading(): Reading {
  return { value: Number.NaN, lower: Number.NaN, upper: Number.NaN, verdict: -1, holds: -1 };
}

/** The monitor of one trace. The state may be a part of a larger array; all zero is the start of an episode. */
export class Monitor {
  readonly program: DecodedMonitor;
  readonly #registers: Float64Array;
  readonly #inputs: Float64Array;

  /** @throws PLAN when the code is malformed */
  constructor(code: Float64Array) {
    this.program = decodeMonitor(code);
    this.#registers = new Float64Array(this.program.operations.length);
    this.#inputs = new Float64Array(this.program.predicates);
  }

  /** What the operations gave at the last step. */
  get registers(): Float64Array {
    return this.#registers;
  }

  newState(): Float64Array {
    return new Float64Array(this.program.stateWords);
  }

  /** Takes in the robustness of every predicate at the next sample.
   * @throws NUMERIC at a NaN */
  step(predicates: ArrayLike<number>, state: Float64Array, out: Reading): void {
    const { program } = this;
    const registers = this.#registers;
    const inputs = this.#inputs;
    for (let p = 0; p < inputs.length; p++) {
      const x = predicates[p]!;
      if (Number.isNaN(x)) {
        throw new VernierError('NUMERIC', `predicate ${p}: the robustness at sample ${state[0]} is NaN`);
      }
      inputs[p] = x !== 0 ? x : program.holdsAtZero[p] ? LEAST : -LEAST;
    }
    const n = state[0]!++;
    if (n < program.history) state.set(inputs, program.historyAt + n * inputs.length);
    for (let i = 0; i < registers.length; i++) {
      const operation = program.operations[i]!;
      const runs = n >= operation.start;
      if (!runs && operation.op < monitorOpcode.heldMax) continue;
      registers[i] = runOperation(operation, runs, inputs, state, registers);
    }
    const hasValue = program.value >= 0 && n >= program.delay;
    const lower = program.lower >= 0 ? registers[program.lower]! : atFirst(program, state, 'least');
    const upper = program.upper >= 0 ? registers[program.upper]! : atFirst(program, state, 'greatest');
    const value = hasValue ? registers[program.value]! : Number.NaN;
    out.value = reported(value);
    out.holds = verdictOf(value, value);
    out.lower = reported(lower);
    out.upper = reported(upper);
    out.verdict = verdictOf(lower, upper);
  }

  /** What is true when no sample follows, by the program's `end`.
   * @param last what the last step gave */
  finish(last: Reading, state: Float64Array): Ending {
    const { program } = this;
    const end = endings[program.end]!;
    if (state[0] === 0) return OPEN;
    // Bounds from the tree count on the next sample where `prev` knows it already: `x U prev x`.
    const isExact = program.lower >= 0 && program.upper >= 0;
    if (last.lower === last.upper && last.verdict !== -1 && (isExact || program.history === 0)) {
      return { robustness: last.lower, verdict: last.verdict };
    }
    if (end === 'pessimistic') return { robustness: last.lower, verdict: last.verdict === 1 ? 1 : 0 };
    if (end === 'undefined' || program.history === 0) return OPEN;
    const value = atFirst(program, state, 'none');
    return { robustness: reported(value), verdict: value > 0 ? 1 : 0 };
  }
}

function verdictOf(lower: number, upper: number): Verdict {
  if (lower > 0) return 1;
  return upper < 0 ? 0 : -1;
}

function reported(value: number): number {
  return Math.abs(value) <= LEAST ? 0 : value;
}

function runOperation(
  { op, a, b, p, q, r, state: at }: Operation,
  runs: boolean,
  inputs: Float64Array,
  state: Float64Array,
  registers: Float64Array,
): number {
  const x = registers[a]!;
  const y = registers[b]!;
  switch (op) {
    case monitorOpcode.predicate:
      return inputs[p]!;
    case monitorOpcode.constant:
      return p;
    case monitorOpcode.negate:
      return -x;
    case monitorOpcode.min:
    case monitorOpcode.max:
      return extremum(op === monitorOpcode.max, x, y);
    case monitorOpcode.delay:
      return delayed(state, at, x, p);
    case monitorOpcode.windowMin:
    case monitorOpcode.windowMax:
      return slidingWindow(op === monitorOpcode.windowMax, state, at, x, p, r);
    case monitorOpcode.until:
      return stretchWindow({ since: false, dual: false }, state, at, x, y, p, 0);
    case monitorOpcode.release:
      return stretchWindow({ since: false, dual: true }, state, at, x, y, p, 0);
    case monitorOpcode.since:
      return stretchWindow({ since: true, dual: false }, state, at, x, y, p, r);
    case monitorOpcode.trigger:
      return stretchWindow({ since: true, dual: true }, state, at, x, y, p, r);
    case monitorOpcode.gate: {
      const run = state[at]!++;
      return run >= p && run <= q ? x : r;
    }
    case monitorOpcode.heldMax:
    case monitorOpcode.heldMin: {
      const max = op === monitorOpcode.heldMax;
      if (runs) {
        const run = state[at]!++;
        if (run >= p && run <= q) state[at + 1] = run === p ? x : extremum(max, state[at + 1]!, x);
      }
      const isSoFar = max || r === 1;
      if (state[at]! > (isSoFar ? p : q)) return state[at + 1]!;
      return r === 1 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    }
    case monitorOpcode.oweUntil:
    case monitorOpcode.oweRelease:
      return oweUntil({ op, p, q, state: at }, runs, state, x, y, registers[r]!);
    default: {
      if (runs) {
        const run = state[at]!;
        owe(state, at, r + 1, run, run >= p && run <= q ? x : Number.POSITIVE_INFINITY, y);
        state[at]!++;
      }
      return owed(state, at, r + 1);
    }
  }
}

/** See `owe` in native/stl/monitor.cc. */
function oweUntil(
  { op, p, q, state: at }: Pick<Operation, 'op' | 'p' | 'q' | 'state'>,
  runs: boolean,
  state: Float64Array,
  weight: number,
  left: number,
  right: number,
): number {
  const isRelease = op === monitorOpcode.oweRelease;
  const nothing = isRelease ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!runs) return state[at] === 0 ? nothing : state[at + 1]!;
  const run = state[at]!++;
  const [low, high] = run === 0 ? [nothing, nothing] : [state[at + 1]!, state[at + 2]!];
  const own = run < p || run > q ? nothing : weight;
  const next = (v: number): number => {
    const here = extremum(!isRelease, right, extremum(isRelease, left, v));
    const owed = extremum(true, low, extremum(false, high, here));
    return extremum(isRelease, owed, extremum(!isRelease, own, here));
  };
  state[at + 1] = next(Number.NEGATIVE_INFINITY);
  state[at + 2] = next(Number.POSITIVE_INFINITY);
  return state[at + 1]!;
}

/** The stack of obligations of native/stl/monitor.cc. Words at `at`: runs, bottom, count, min over the finished ones;
 * weights [capacity]; pieces [capacity] of best, least weight, last run, aggregate. */
function owe(
  state: Float64Array,
  at: number,
  capacity: number,
  run: number,
  weight: number,
  value: number,
): void {
  if (run === 0) state[at + 3] = Number.POSITIVE_INFINITY;
  const over = run - capacity;
  if (over >= 0 && state[at + 2]! > 0) {
    const bottom = piece(state, at, capacity, 0);
    const done = extremum(true, state[at + 4 + (over % capacity)]!, state[bottom]!);
    state[at + 3] = extremum(false, state[at + 3]!, done);
    if (state[bottom + 2]! <= over) {
      state[at + 1] = (state[at + 1]! + 1) % capacity;
      state[at + 2]!--;
    }
  }
  state[at + 4 + (run % capacity)] = weight;
  let least = weight;
  while (state[at + 2]! > 0) {
    const top = piece(state, at, capacity, state[at + 2]! - 1);
    if (state[top]! > value) break;
    least = extremum(false, least, state[top + 1]!);
    state[at + 2]!--;
  }
  const count = state[at + 2]!;
  const below = count > 0 ? state[piece(state, at, capacity, count - 1) + 3]! : Number.POSITIVE_INFINITY;
  state[at + 2] = count + 1;
  const top = piece(state, at, capacity, count);
  state[top] = value;
  state[top + 1] = least;
  state[top + 2] = run;
  state[top + 3] = extremum(false, below, extremum(true, least, value));
}

function owed(state: Float64Array, at: number, capacity: number): number {
  if (state[at] === 0) return Number.POSITIVE_INFINITY;
  return extremum(false, state[at + 3]!, state[piece(state, at, capacity, state[at + 2]! - 1) + 3]!);
}

function piece(state: Float64Array, at: number, capacity: number, index: number): number {
  return at + 4 + capacity + 4 * ((state[at + 1]! + index) % capacity);
}
