import { VernierError } from '#core/errors';
import { isStateFormula } from '#stl/condition';
import type { Decomposition, Guard, TimeBound } from '#stl/decomposition';
import {
  defaultSemantics,
  type Formula,
  type Interval,
  negationNormalForm,
  or,
  type SemanticsOptions,
  temporal,
} from '#stl/formula';
import { origin, PlanBuilder, shifted } from '#stl/planBuilder';
import { printFormula } from '#stl/print';

export interface DecomposeOptions extends Partial<Pick<SemanticsOptions, 'until'>> {
  /** Samples of a trace: the control steps of an episode and one. */
  readonly samples: number;
  /** For messages and texts; p0, p1, ... without it. */
  readonly predicateText?: (predicate: number) => string;
  /** Visits of a bounded `always eventually` beyond those that are planned without it. */
  readonly extraVisits?: number;
  /** Most time variables, and most choices, before the formula is refused. */
  readonly limit?: number;
}

/** Splits a formula of the future into subgoals, invariants, time variables and branches.
 *
 * Sound: a trace of `samples` samples that satisfies an allocation satisfies the formula under `end: vacuous`, and its
 * robustness is at least the least margin of the allocation. By base time s, on the negation normal form:
 *   state condition       a subgoal at s; a disjunction of them is a choice
 *   and, or               all operands; a choice
 *   F[a,b] f              a variable t in s + [a,b], f at t; nested F are merged, F[a,a] needs no variable
 *   G[a,b] c              an invariant; nested G are merged, conjunctions are split, disjunctions of states stay whole
 *   f U[a,b] g            t in s + [a,b], g at t, f over [s, t) or [s, t] as `until` says
 *   f R[a,b] g            a choice: G[a,b] g, or f at t and g over [s + a, t]
 *   G[a,b] F[c,d] f       k variables, first in s + a + [c,d], last in s + b + [c,d], none more than d - c + 1 behind the
 *                         one before; k is the least with half a window of d - c + 1 samples to spare, since
 *                         the fewest, ceil((b - a + 1) / (d - c + 1)), may leave each visit one sample only
 *   G[a,b](c or F[c,d] f) up to k visits, and c wherever none is due
 *   G[a,b](f U[c,d] g)    the visits of G[a,b] F[c,d] g, and f (or g, where both are states and c is 0) up to the last
 * Exact, so that some allocation has the robustness of the formula, but for what `conservative` names: a bounded G F
 * whose trace needs more than k visits, G over a disjunction whose options alternate, G over release, and a window of
 * visits behind a variable that ends after the last sample.
 * @throws SPEC naming the part that cannot be decomposed: past operators, and what passes `limit` */
export function decompose(formula: Formula, options: DecomposeOptions): Decomposition {
  const decomposer = new Decomposer(options);
  decomposer.reach(negationNormalForm(formula), { variable: origin, offset: 0 }, []);
  return decomposer.finish();
}

type Unary = Extract<Formula, { operand: Formula; interval: Interval }>;
type Binary = Extract<Formula, { left: Formula; interval: Interval }>;
type Junction = Extract<Formula, { operands: readonly Formula[] }>;

class Decomposer {
  readonly #plan: PlanBuilder;
  readonly #closed: boolean;
  readonly #extraVisits: number;

  constructor(options: DecomposeOptions) {
    const { samples, predicateText, extraVisits, limit, until } = options;
    this.#plan = new PlanBuilder(
      samples,
      (formula) => printFormula(formula, predicateText ?? ((predicate) => `p${predicate}`)),
      limit ?? 64,
    );
    this.#closed = (until ?? defaultSemantics.until) === 'closed';
    this.#extraVisits = extraVisits ?? 0;
  }

  finish(): Decomposition {
    return this.#plan.finish();
  }

  /** The formula holds at `at`, a sample that its constraints keep inside the trace. */
  reach(formula: Formula, at: TimeBound, guard: Guard): void {
    if (isStateFormula(formula)) {
      this.#reachState(formula, at, guard);
      return;
    }
    switch (formula.kind) {
      case 'and': {
        const states = formula.operands.filter(isStateFormula);
        if (states.length > 0) this.reach(conjunction(states), at, guard);
        for (const operand of formula.operands) {
          if (!isStateFormula(operand)) this.reach(operand, at, guard);
        }
        return;
      }
      case 'or':
        this.#plan.branch(
          formula,
          formula.operands.map((operand) => (inner) => this.reach(operand, at, inner)),
          guard,
        );
        return;
      case 'eventually':
        this.#reachEventually(formula, at, guard);
        return;
      case 'always':
        this.#always(formula.operand, ...this.#plan.window(at, formula.interval), guard, formula);
        return;
      case 'until':
        this.#reachUntil(formula, at, guard);
        return;
      case 'release':
        this.#reachRelease(formula, at, guard);
        return;
      default:
        throw this.#past(formula);
    }
  }

  #reachState(formula: Formula, at: TimeBound, guard: Guard): void {
    const isFixed = at.variable === origin;
    if (formula.kind === 'or' && !isFixed) {
      const options = formula.operands.map(
        (operand) => (inner: Guard) => this.#reachState(operand, at, inner),
      );
      this.#plan.branch(formula, options, guard);
      return;
    }
    const splits = formula.kind === 'and' && !isFixed && formula.operands.some(hasOr);
    if (!splits) {
      this.#plan.subgoal(formula, at, guard);
      return;
    }
    const plain = formula.operands.filter((operand) => !hasOr(operand));
    if (plain.length > 0) this.#reachState(conjunction(plain), at, guard);
    for (const operand of formula.operands) if (hasOr(operand)) this.#reachState(operand, at, guard);
  }

  #reachEventually(formula: Unary, at: TimeBound, guard: Guard): void {
    let { operand, interval } = formula;
    while (operand.kind === 'eventually') {
      interval = sum(interval, operand.interval);
      operand = operand.operand;
    }
    this.#plan.within(at, interval, guard, formula, (time) => this.reach(operand, time, guard));
  }

  #reachUntil(formula: Binary, at: TimeBound, guard: Guard): void {
    const { left, right, interval } = formula;
    const strictly = (window: Interval, inner: Guard): void =>
      this.#plan.within(at, window, inner, formula, (time) => {
        this.reach(right, time, inner);
        this.#always(left, at, this.#closed ? time : shifted(time, -1), inner, formula);
      });
    // A window of no samples asks nothing of a state; of a formula with time of its own it must be told apart.
    if (isStateFormula(left) || this.#closed || interval.from > 0) {
      strictly(interval, guard);
    } else if (interval.to === 0) {
      this.reach(right, at, guard);
    } else {
      this.#plan.branch(
        formula,
        [(inner) => this.reach(right, at, inner), (inner) => strictly({ from: 1, to: interval.to }, inner)],
        guard,
      );
    }
  }

  #reachRelease(formula: Binary, at: TimeBound, guard: Guard): void {
    const { left, right, interval } = formula;
    const { from, to } = interval;
    const options: ((inner: Guard) => void)[] = [
      (inner) => this.#always(right, ...this.#plan.window(at, interval), inner, formula),
    ];
    // From its own sample on (closed) or behind it (half-open), left frees right.
    const freed = this.#closed ? 0 : 1;
    const released = (window: Interval, asks: boolean): void => {
      if (window.from > window.to) return;
      options.push((inner) =>
        this.#plan.within(at, window, inner, formula, (time) => {
          this.reach(left, time, inner);
          if (asks) this.#always(right, shifted(at, from), shifted(time, freed - 1), inner, formula);
        }),
      );
    };
    if (isStateFormula(right)) {
      released({ from: 0, to: to - freed }, true);
    } else {
      released({ from: 0, to: Math.min(from, to) - freed }, false);
      released({ from: from + 1 - freed, to: to - freed }, true);
    }
    this.#plan.branch(formula, options, guard);
  }

  /** The formula holds from `from` to `to`. `whole` is what a message names. */
  #always(formula: Formula, from: TimeBound, to: TimeBound, guard: Guard, whole: Formula): void {
    if (from.variable === to.variable && from.offset > to.offset) return;
    if (formula.kind === 'and') {
      for (const operand of formula.operands) this.#always(operand, from, to, guard, whole);
      return;
    }
    if (isStateFormula(formula)) {
      this.#plan.invariant(formula, from, to, guard);
      return;
    }
    if (from.variable === to.variable && from.offset === to.offset) {
      this.#plan.inside(from, guard);
      this.#plan.passesEnd(from, 0, whole);
      this.reach(formula, from, guard);
      return;
    }
    switch (formula.kind) {
      case 'or':
        this.#alwaysOr(formula, from, to, guard, whole);
        return;
      case 'always': {
        const { interval, operand } = formula;
        const end = interval.to === Infinity ? this.#plan.end() : this.#plan.cut(shifted(to, interval.to));
        this.#always(operand, shifted(from, interval.from), end, guard, whole);
        return;
      }
      case 'eventually':
        this.#alwaysEventually(formula, from, to, guard, whole);
        return;
      case 'until':
        this.#alwaysUntil(formula, from, to, guard, whole);
        return;
      case 'release': {
        this.#plan.note(
          whole,
          `always over release keeps ${this.#plan.print(formula.right)} without a release`,
        );
        const kept = temporal('always', formula.right, formula.interval);
        this.#always(kept, from, to, guard, whole);
        return;
      }
      default:
        throw this.#past(formula);
    }
  }

  #alwaysEventually(formula: Unary, from: TimeBound, to: TimeBound, guard: Guard, whole: Formula): void {
    let { operand, interval } = formula;
    while (operand.kind === 'eventually') {
      interval = sum(interval, operand.interval);
      operand = operand.operand;
    }
    if (interval.from === interval.to) {
      const end = shifted(to, interval.to);
      this.#plan.inside(end, guard);
      this.#plan.passesEnd(to, interval.to, whole);
      this.#always(operand, shifted(from, interval.from), end, guard, whole);
    } else {
      this.#visits(operand, interval, from, to, guard, whole);
    }
  }

  #alwaysUntil(formula: Binary, from: TimeBound, to: TimeBound, guard: Guard, whole: Formula): void {
    const { left, right, interval } = formula;
    const final = this.#visits(right, interval, from, to, guard, whole);
    if (this.#closed) {
      this.#always(left, from, final, guard, whole);
    } else if (interval.from === 0 && isStateFormula(left) && isStateFormula(right)) {
      this.#always(or(left, right), from, shifted(final, -1), guard, whole);
    } else {
      if (interval.from === 0)
        this.#plan.note(whole, `${this.#plan.print(left)} is kept up to the last visit`);
      this.#always(left, from, shifted(final, -1), guard, whole);
    }
  }

  #alwaysOr(formula: Junction, from: TimeBound, to: TimeBound, guard: Guard, whole: Formula): void {
    const states = formula.operands.filter(isStateFormula);
    const timed = mergedEventually(formula.operands.filter((operand) => !isStateFormula(operand)));
    const condition = states.length > 0 ? or(...states) : undefined;
    const [first] = timed;
    if (timed.length === 1 && condition === undefined) {
      this.#always(first!, from, to, guard, whole);
    } else if (timed.length === 1 && first?.kind === 'eventually' && condition) {
      this.#visitsUnless(condition, first, from, to, guard, whole);
    } else {
      this.#plan.note(whole, 'one operand of the disjunction under always is kept for the whole window');
      const options = timed.map((operand) => (inner: Guard) => this.#always(operand, from, to, inner, whole));
      if (condition) options.push((inner) => this.#always(condition, from, to, inner, whole));
      this.#plan.branch(formula, options, guard);
    }
  }

  /** Within `interval` of every sample of the window the formula holds once. @returns the time of the last visit */
  #visits(
    formula: Formula,
    interval: Interval,
    from: TimeBound,
    to: TimeBound,
    guard: Guard,
    whole: Formula,
  ): TimeBound {
    const count = this.#visitCount(interval, from, to, whole);
    const gap = interval.to - interval.from + 1;
    let time = from;
    for (let i = 0; i < count; i++) {
      const variable =
        i === 0
          ? this.#plan.variable(from, interval, guard, whole)
          : this.#plan.variable(time, { from: 0, to: gap }, guard, whole);
      time = { variable, offset: 0 };
      if (i === count - 1) {
        this.#plan.order(shifted(to, interval.from), time, guard);
        if (interval.to !== Infinity) this.#plan.order(time, shifted(to, interval.to), guard);
      }
      this.reach(formula, time, guard);
      this.#plan.close(variable);
    }
    this.#plan.passesEnd(to, interval.from, whole);
    return time;
  }

  /** As `#visits`, but where `condition` holds at a sample none is due. */
  #visitsUnless(
    condition: Formula,
    { operand, interval }: Unary,
    from: TimeBound,
    to: TimeBound,
    guard: Guard,
    whole: Formula,
  ): void {
    const count = this.#visitCount(interval, from, to, whole);
    const another = (i: number, uncovered: TimeBound, previous: TimeBound, inner: Guard): void => {
      const none = (active: Guard): void => this.#always(condition, uncovered, to, active, whole);
      if (i === count) {
        none(inner);
        return;
      }
      const visit = (active: Guard): void => {
        const window = i === 0 ? { from: interval.from, to: Infinity } : { from: 0, to: Infinity };
        const variable = this.#plan.variable(previous, window, active, whole);
        const time = { variable, offset: 0 };
        if (interval.to !== Infinity) {
          this.#plan.order(time, shifted(to, interval.to), active);
          this.#always(condition, uncovered, shifted(time, -interval.to - 1), active, whole);
        }
        this.reach(operand, time, active);
        this.#plan.close(variable);
        another(i + 1, shifted(time, 1 - interval.from), time, active);
      };
      this.#plan.branch(or(condition, temporal('eventually', operand, interval)), [none, visit], inner);
    };
    another(0, from, from, guard);
  }

  #visitCount(interval: Interval, from: TimeBound, to: TimeBound, whole: Formula): number {
    const samples =
      from.variable === to.variable
        ? to.offset - from.offset + 1
        : this.#plan.latest(to) - this.#plan.earliest(from) + 1;
    const window = interval.to - interval.from + 1;
    const count = Math.max(1, Math.ceil(samples / window + (samples > 1 ? 0.5 : 0)));
    if (samples > 1 && interval.to !== Infinity) {
      this.#plan.note(whole, `${count + this.#extraVisits} visits are planned; a trace may need more`);
    }
    return count + this.#extraVisits;
  }

  #past(formula: Formula): VernierError {
    return new VernierError(
      'SPEC',
      `cannot decompose ${this.#plan.print(formula)}: ${formula.kind} looks back, and a plan only orders what is to come`,
      { hint: 'say it with operators of the future: until, eventually, always' },
    );
  }
}

function hasOr(formula: Formula): boolean {
  return formula.kind === 'or' || (formula.kind === 'and' && formula.operands.some(hasOr));
}

function conjunction(operands: readonly Formula[]): Formula {
  return operands.length === 1 ? operands[0]! : { kind: 'and', operands };
}

function sum(a: Interval, b: Interval): Interval {
  return { from: a.from + b.from, to: a.to + b.to };
}

/** F[a,b] f or F[a,b] g is F[a,b](f or g). */
function mergedEventually(operands: readonly Formula[]): Formula[] {
  const merged: Formula[] = [];
  for (const operand of operands) {
    const same = merged.findIndex(
      (other) =>
        operand.kind === 'eventually' &&
        other.kind === 'eventually' &&
        other.interval.from === operand.interval.from &&
        other.interval.to === operand.interval.to,
    );
    const partner = merged[same];
    if (partner?.kind === 'eventually' && operand.kind === 'eventually') {
      merged[same] = { ...partner, operand: or(partner.operand, operand.operand) };
    } else {
      merged.push(operand);
    }
  }
  return merged;
}
