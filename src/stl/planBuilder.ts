import { VernierError } from '#core/errors';
import { conditionOf } from '#stl/condition';
import type {
  Choice,
  Conservatism,
  Decomposition,
  Guard,
  Invariant,
  Subgoal,
  TimeBound,
  TimeConstraint,
  TimeVariable,
} from '#stl/decomposition';
import type { Formula, Interval } from '#stl/formula';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const origin = -1;

export function shifted({ variable, offset }: TimeBound, by: number): TimeBound {
  return { variable, offset: offset + by };
}

/** Gathers the parts of a decomposition: variables with their constraints, choices with their guards. */
export class PlanBuilder {
  /** The last sample. */
  readonly last: number;
  readonly print: (formula: Formula) => string;
  readonly #limit: number;
  readonly #variables: Mutable<TimeVariable>[] = [];
  readonly #choices: Choice[] = [];
  readonly #subgoals: Subgoal[] = [];
  readonly #invariants: Invariant[] = [];
  readonly #constraints: TimeConstraint[] = [];
  readonly #conservative: Conservatism[] = [];

  constructor(samples: number, print: (formula: Formula) => string, limit: number) {
    if (!(Number.isInteger(samples) && samples > 0)) {
      throw new VernierError('USAGE', `samples: expected a positive whole number, received ${samples}`);
    }
    this.last = samples - 1;
    this.print = print;
    this.#limit = limit;
  }

  finish(): Decomposition {
    return {
      samples: this.last + 1,
      variables: this.#variables,
      choices: this.#choices,
      subgoals: this.#subgoals,
      invariants: this.#invariants,
      constraints: this.#constraints,
      conservative: this.#conservative,
    };
  }

  /** @param state without time */
  subgoal(state: Formula, time: TimeBound, active: Guard): void {
    this.#subgoals.push({ condition: conditionOf(state), time, active, text: this.print(state) });
  }

  invariant(state: Formula, from: TimeBound, to: TimeBound, active: Guard): void {
    this.#invariants.push({ condition: conditionOf(state), from, to, active, text: this.print(state) });
  }

  /** Calls `plan` with a sample of the interval behind `at`: a variable, or `at` shifted where there is one only. */
  within(
    at: TimeBound,
    interval: Interval,
    guard: Guard,
    whole: Formula,
    plan: (time: TimeBound) => void,
  ): void {
    if (interval.from === interval.to) {
      const time = shifted(at, interval.from);
      this.inside(time, guard);
      plan(time);
      return;
    }
    const variable = this.variable(at, interval, guard, whole);
    plan({ variable, offset: 0 });
    this.close(variable);
  }

  /** A new variable in the interval behind `at`; `close` it when everything inside is planned. `whole` is what the message
   * names. @throws SPEC past the limit */
  variable(at: TimeBound, interval: Interval, active: Guard, whole: Formula): number {
    const index = this.#variables.length;
    this.#checkLimit(index, 'time variables', whole);
    this.#variables.push({
      active,
      earliest: Math.min(this.last, this.earliest(at) + interval.from),
      latest: Math.min(this.last, this.latest(at) + interval.to),
      end: index + 1,
    });
    const time = { variable: index, offset: 0 };
    this.order(shifted(at, interval.from), time, active);
    if (interval.to !== Infinity) this.order(time, shifted(at, interval.to), active);
    return index;
  }

  close(variable: number): void {
    this.#variables[variable]!.end = this.#variables.length;
  }

  /** A choice of one of the options, which are planned under its guard. */
  branch(formula: Formula, options: readonly ((guard: Guard) => void)[], guard: Guard): void {
    if (options.length === 1) {
      options[0]!(guard);
      return;
    }
    const choice = this.#choices.length;
    this.#checkLimit(choice, 'choices', formula);
    this.#choices.push({ options: options.length, active: guard, text: this.print(formula) });
    for (const [option, plan] of options.entries()) plan([...guard, { choice, option }]);
  }

  /** The earlier bound is not behind the later one. */
  order(earlier: TimeBound, later: TimeBound, active: Guard): void {
    this.#constraints.push({
      left: earlier.variable,
      right: later.variable,
      bound: later.offset - earlier.offset,
      active,
    });
  }

  /** The bound lies inside the trace. */
  inside(time: TimeBound, active: Guard): void {
    if (this.latest(time) > this.last) this.order(time, this.end(), active);
  }

  /** The bounds of an interval behind `at`, cut at the last sample. */
  window(at: TimeBound, { from, to }: Interval): [TimeBound, TimeBound] {
    return [shifted(at, from), to === Infinity ? this.end() : this.cut(shifted(at, to))];
  }

  /** Behind the last sample there is nothing; only a bound that no variable moves can be cut. */
  cut(time: TimeBound): TimeBound {
    return time.variable === origin && time.offset > this.last ? this.end() : time;
  }

  end(): TimeBound {
    return { variable: origin, offset: this.last };
  }

  /** By interval arithmetic. */
  earliest({ variable, offset }: TimeBound): number {
    return variable === origin ? offset : this.#variables[variable]!.earliest + offset;
  }

  latest({ variable, offset }: TimeBound): number {
    return variable === origin ? offset : this.#variables[variable]!.latest + offset;
  }

  /** Notes a window whose end a variable may carry past the last sample. */
  passesEnd(time: TimeBound, more: number, whole: Formula): void {
    if (time.variable !== origin && this.latest(time) + more > this.last) {
      this.note(whole, 'a window that may reach behind the last sample is kept inside');
    }
  }

  note(formula: Formula, reason: string): void {
    this.#conservative.push({ text: this.print(formula), reason });
  }

  #checkLimit(used: number, what: string, formula: Formula): void {
    if (used < this.#limit) return;
    throw new VernierError(
      'SPEC',
      `cannot decompose ${this.print(formula)}: it takes more than ${this.#limit} ${what}`,
      { hint: 'widen the window of its eventually, or shorten that of its always' },
    );
  }
}
