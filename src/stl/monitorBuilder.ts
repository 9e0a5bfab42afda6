import type { Formula, Interval } from '#stl/formula';
import { monitorOpcode } from '#stl/monitorProgram';

/** The value of a sub-formula at sample t, in a register at sample t + delay. */
export interface Stream {
  readonly register: number;
  readonly delay: number;
}

type Opcode = keyof typeof monitorOpcode;
export type Extremum = 'min' | 'max';

const INFINITE = Number.POSITIVE_INFINITY;

/** Streams of formulas in negation normal form as operations, each written once. Every sub-formula is late by its future
 * horizon, which turns windows over the future into windows over what has passed. */
export class MonitorBuilder {
  readonly operations: number[][] = [];
  stateWords = 0;
  readonly closed: boolean;
  readonly #known = new Map<string, number>();
  readonly #streams = new Map<Formula, Stream | undefined>();

  constructor(closed: boolean) {
    this.closed = closed;
  }

  /** The stream of a formula; undefined where its future is unbounded. */
  stream(formula: Formula): Stream | undefined {
    if (!this.#streams.has(formula)) this.#streams.set(formula, this.#make(formula));
    return this.#streams.get(formula);
  }

  #make(formula: Formula): Stream | undefined {
    switch (formula.kind) {
      case 'true':
      case 'false':
        return this.constant(formula.kind === 'true' ? INFINITE : -INFINITE);
      case 'atom':
        return this.operation('predicate', [], 0, [formula.predicate]);
      case 'not': {
        const operand = this.stream(formula.operand)!;
        return this.operation('negate', [operand], operand.delay);
      }
      case 'and':
      case 'or': {
        const operands = formula.operands.map((operand) => this.stream(operand));
        return complete(operands) ? this.meet(formula.kind === 'and' ? 'min' : 'max', operands) : undefined;
      }
      case 'always':
      case 'eventually':
      case 'historically':
      case 'once': {
        const operand = this.stream(formula.operand);
        const kind = formula.kind === 'always' || formula.kind === 'historically' ? 'windowMin' : 'windowMax';
        if (!operand) return undefined;
        const isPast = formula.kind === 'historically' || formula.kind === 'once';
        return isPast
          ? this.pastWindow(kind, operand, formula.interval)
          : this.#futureWindow(kind, operand, formula.interval);
      }
      case 'until':
      case 'release':
      case 'since':
      case 'trigger': {
        const [left, right] = [this.stream(formula.left), this.stream(formula.right)];
        if (!left || !right) return undefined;
        const isDual = formula.kind === 'release' || formula.kind === 'trigger';
        return formula.kind === 'since' || formula.kind === 'trigger'
          ? this.pastSince(left, right, formula.interval, isDual, this.closed)
          : this.#futureUntil(left, right, formula.interval, isDual);
      }
      default:
        throw new Error(`unexpected ${formula.kind} in a negation normal form`);
    }
  }

  constant(value: number): Stream {
    return this.operation('constant', [], 0, [value]);
  }

  /** Min or max of streams, at the pace of the latest. */
  meet(extremum: Extremum, streams: readonly Stream[]): Stream {
    const delay = Math.max(...streams.map((stream) => stream.delay));
    return streams
      .map((stream) => this.late(stream, delay))
      .reduce((a, b) => (a.register === b.register ? a : this.operation(extremum, [a, b], delay)));
  }

  /** The same stream, later. */
  late({ register, delay }: Stream, wanted: number): Stream {
    if (delay === wanted || this.#isConstant(register)) return { register, delay: wanted };
    const steps = wanted - delay;
    return { ...this.operation('delay', [{ register, delay }], delay, [steps], 1 + steps), delay: wanted };
  }

  #isConstant(register: number): boolean {
    return this.operations[register]![0] === monitorOpcode.constant;
  }

  #futureWindow(
    kind: 'windowMin' | 'windowMax',
    operand: Stream,
    { from, to }: Interval,
  ): Stream | undefined {
    if (to === INFINITE) return undefined;
    const width = to - from + 1;
    const delay = operand.delay + to;
    if (width === 1) return { ...operand, delay };
    return { ...this.window(kind, operand, width, 0), delay };
  }

  /** Over the last `width` values; 0: over all. */
  window(kind: 'windowMin' | 'windowMax', operand: Stream, width: number, lead: number): Stream {
    return this.operation(kind, [operand], operand.delay, [width, 0, lead], 3 + width);
  }

  /** At t, over t - to .. t - from: what lies that far back has long been known, so the stream is earlier by `from` where
   * its operand is late. */
  pastWindow(kind: 'windowMin' | 'windowMax', operand: Stream, { from, to }: Interval): Stream {
    const delay = Math.max(0, operand.delay - from);
    const back = this.late(operand, delay + from);
    const width = to === INFINITE ? 0 : to - from + 1;
    if (width === 1 && from === 0) return back;
    return this.operation(kind, [back], delay, [width, 0, from], 3 + width);
  }

  #futureUntil(left: Stream, right: Stream, { from, to }: Interval, isDual: boolean): Stream | undefined {
    if (to === INFINITE) return undefined;
    const width = to - from + 1;
    const start = Math.max(left.delay, right.delay);
    const [a, b] = this.pair(left, right, start, isDual, this.closed);
    const inWindow = this.operation(isDual ? 'release' : 'until', [a, b], start, [width], 4 + 2 * width);
    const delay = start + to;
    if (from === 0) return { ...inWindow, delay };
    const before = this.window(isDual ? 'windowMax' : 'windowMin', this.late(a, start + width), from, 0);
    return this.operation(
      isDual ? 'max' : 'min',
      [
        { ...before, delay },
        { ...inWindow, delay },
      ],
      delay,
    );
  }

  /** At t, over t' in t - to .. t - from: min(right(t'), min of left over (t', t] or, closed, [t', t]). */
  pastSince(left: Stream, right: Stream, { from, to }: Interval, isDual: boolean, closed: boolean): Stream {
    const delay = Math.max(left.delay, right.delay);
    const [a, b] = this.pair(left, right, delay, isDual, closed);
    const back = [this.late(a, delay + from), this.late(b, delay + from)];
    const width = to === INFINITE ? 0 : to - from + 1;
    const kind = isDual ? 'trigger' : 'since';
    const inWindow = this.operation(kind, back, delay, [width, 0, from], 4 + 2 * width);
    if (from === 0) return inWindow;
    const behind = this.window(isDual ? 'windowMax' : 'windowMin', a, from, 0);
    return this.operation(isDual ? 'max' : 'min', [behind, inWindow], delay);
  }

  /** Left and right side at one pace; under the closed convention the left one must hold with the right one too. */
  pair(left: Stream, right: Stream, delay: number, isDual: boolean, closed: boolean): [Stream, Stream] {
    const [a, b] = [this.late(left, delay), this.late(right, delay)];
    return [a, closed ? this.meet(isDual ? 'max' : 'min', [a, b]) : b];
  }

  /** The register of an operation, written anew or known. `start` is the sample it runs from. */
  operation(
    opcode: Opcode,
    operands: readonly Stream[],
    start: number,
    parameters: readonly number[] = [],
    stateWords = 0,
  ): Stream {
    const [a = 0, b = 0] = operands.map(({ register }) => register);
    const [p = 0, q = 0, r = 0] = parameters;
    const words = [monitorOpcode[opcode], a, b, start, p, q, r];
    const key = words.join();
    const known = this.#known.get(key);
    if (known !== undefined) return { register: known, delay: start };
    this.operations.push([...words, 1 + this.stateWords]);
    this.stateWords += stateWords;
    this.#known.set(key, this.operations.length - 1);
    return { register: this.operations.length - 1, delay: start };
  }
}

export function complete<T>(values: readonly (T | undefined)[]): values is readonly T[] {
  return values.every((value) => value !== undefined);
}
