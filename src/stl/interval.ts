import { type ExpressionSource, expressionError } from '#expr/source';
import { describeToken, type Token } from '#expr/tokens';
import { formatUnit, second, unify } from '#expr/unit';
import type { Interval } from '#stl/formula';

/** What the numbers of intervals mean. */
export interface TimeOptions {
  /** `steps`: bare numbers are control steps, the formula is for sampled signals. `seconds`: bare numbers are seconds,
   * the formula is for dense time. */
  readonly unit: 'steps' | 'seconds';
  /** Seconds of a control step; needed to write `3 s` in a formula of steps. */
  readonly period?: number;
}

interface Bound {
  readonly token: Token;
  readonly value: number;
  readonly hasUnit: boolean;
}

/** Reads `[a, b]`, `[a:b]`, `[a:]`, `[:b]`, `[a, inf)`; every bound may carry s, ms, us or ns. */
export class IntervalReader {
  readonly #source: ExpressionSource;
  readonly #time: TimeOptions;
  readonly #warn: (offset: number, message: string) => void;

  constructor(source: ExpressionSource, time: TimeOptions, warn: (offset: number, message: string) => void) {
    this.#source = source;
    this.#time = time;
    this.#warn = warn;
  }

  /** @returns the interval and the index of the token behind it. @throws EXPRESSION */
  read(tokens: readonly Token[], at: number): [Interval, number] {
    const start = tokens[at]!;
    let next = at + 1;
    const is = (...symbols: readonly string[]): boolean => {
      const token = tokens[next]!;
      return token.kind === 'symbol' && symbols.includes(token.text);
    };
    const from = is(':', ',') ? undefined : this.#bound(tokens[next++]!);
    if (!is(',', ':')) throw this.#unexpected(tokens[next]!, '"," or ":" between the bounds');
    next++;
    const to = is(']', ')') ? undefined : this.#bound(tokens[next++]!);
    const isUnbounded = to === undefined || to.value === Number.POSITIVE_INFINITY;
    if (!is(']') && !(is(')') && isUnbounded)) throw this.#unexpected(tokens[next]!, 'a closing "]"');
    next++;
    return [this.#interval(from, to, start.start), next];
  }

  #interval(from: Bound | undefined, to: Bound | undefined, start: number): Interval {
    const borrows = (bound: Bound | undefined, other: Bound | undefined): boolean =>
      bound !== undefined &&
      !bound.hasUnit &&
      other?.hasUnit === true &&
      bound.value !== 0 &&
      Number.isFinite(bound.value);
    const inUnit = (bound: Bound | undefined, other: Bound | undefined, missing: number): number => {
      if (!bound) return missing;
      if (borrows(bound, other)) {
        this.#warn(
          bound.token.start,
          'a bound without unit takes seconds, as the other bound has a unit; write it',
        );
        return this.#convert({ ...bound, hasUnit: true });
      }
      return this.#convert(bound);
    };
    const interval = { from: inUnit(from, to, 0), to: inUnit(to, from, Number.POSITIVE_INFINITY) };
    if (interval.from <= interval.to) return interval;
    throw expressionError(
      this.#source,
      start,
      `expected the first bound to be at most the second, received [${interval.from},${interval.to}]`,
    );
  }

  #bound(token: Token): Bound {
    if (token.kind === 'name' && ['inf', 'Infinity', 'oo', 'end'].includes(token.text)) {
      return { token, value: Number.POSITIVE_INFINITY, hasUnit: false };
    }
    if (token.kind !== 'number') throw this.#unexpected(token, 'a bound: a number from 0 on, or inf');
    const hasUnit = token.unit !== 'bare';
    if (hasUnit && unify(token.unit, second) === undefined) {
      const received = `received ${describeToken(token, this.#source)} in ${formatUnit(token.unit)}`;
      throw expressionError(this.#source, token.start, `expected a duration (s, ms, us, ns), ${received}`);
    }
    return { token, value: token.value, hasUnit };
  }

  #convert({ token, value, hasUnit }: Bound): number {
    if (!Number.isFinite(value) || this.#time.unit === 'seconds') return value;
    const received = `received ${describeToken(token, this.#source)}`;
    if (!hasUnit) {
      if (Number.isInteger(value)) return value;
      throw expressionError(
        this.#source,
        token.start,
        `expected a whole number of control steps, ${received}; for seconds write ${value} s`,
      );
    }
    const { period } = this.#time;
    if (period === undefined) {
      throw expressionError(
        this.#source,
        token.start,
        `expected control steps, ${received}: the control period is not known here, so seconds cannot be turned into steps`,
      );
    }
    const steps = value / period;
    const whole = Math.round(steps);
    if (Math.abs(steps - whole) <= 1e-6 * Math.max(1, whole)) return whole;
    const [low, high] = [Math.floor(steps), Math.ceil(steps)].map(
      (n) => `${Number((n * period).toPrecision(9))} s`,
    );
    throw expressionError(
      this.#source,
      token.start,
      `expected a whole number of control steps of ${period} s, ${received}; nearest are ${low} and ${high}`,
    );
  }

  #unexpected(token: Token, expected: string): Error {
    const received = describeToken(token, this.#source).replace('expression', 'formula');
    return expressionError(this.#source, token.start, `expected ${expected}, received ${received}`);
  }
}
