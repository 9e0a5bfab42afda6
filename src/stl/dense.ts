import { VernierError } from '#core/errors';
import { defaultSemantics, type Formula, type Interval, type SemanticsOptions } from '#stl/formula';
import {
  commonPieces,
  constantPiecewise,
  fromSamples,
  type Interpolation,
  type Line,
  maximum,
  minimum,
  negate,
  type Piecewise,
  PiecewiseBuilder,
  windowExtremum,
} from '#stl/piecewise';
import { printFormula } from '#stl/print';
import { conditionRobustness, evaluatePredicates } from '#stl/signals';
import type { Specification } from '#stl/specification';

/** Robustness in dense time: signals with stamps of their own, straight or constant between them, and formulas whose
 * intervals are seconds. Windows are cut off where the signals end. */

/** One recorded signal. Stamps ascend strictly. */
export interface DenseSignal {
  readonly time: ArrayLike<number>;
  /** Booleans are a condition; it holds from sample to sample. */
  readonly value: ArrayLike<number> | readonly boolean[];
}

/** The predicates of a specification over signals with stamps of their own: evaluated at every stamp of any signal, and
 * run like the signals between them. The span is the one all signals have.
 * @throws DATA when stamps do not ascend or no common span is left */
export function densePredicates(
  specification: Specification,
  signals: Readonly<Record<string, DenseSignal>>,
  interpolation: Interpolation = 'linear',
): Piecewise[] {
  const entries = Object.entries(signals);
  for (const [name, signal] of entries) checkStamps(name, signal);
  const from = Math.max(...entries.map(([, { time }]) => time[0]!));
  const to = Math.min(...entries.map(([, { time }]) => time[time.length - 1]!));
  if (!(from <= to)) throw new VernierError('DATA', 'the signals have no span of time in common');
  const all = entries.flatMap(([, { time }]) => Array.from(time));
  const time = Float64Array.from(new Set(all.filter((t) => t >= from && t <= to))).sort();
  const columns = Object.fromEntries(
    entries.map(([name, signal]) => [name, resample(signal, time, interpolation)]),
  );
  const values = evaluatePredicates(specification, { columns, time });
  return values.map((value) => {
    const isCondition = value.some((v) => v === conditionRobustness(1) || v === conditionRobustness(0));
    return fromSamples(time, value, isCondition ? 'previous' : interpolation);
  });
}

function checkStamps(name: string, { time, value }: DenseSignal): void {
  if (time.length === 0 || time.length !== value.length) {
    throw new VernierError('DATA', `signal ${name}: ${time.length} stamps for ${value.length} values`);
  }
  for (let i = 1; i < time.length; i++) {
    if (!(time[i]! > time[i - 1]!)) {
      throw new VernierError(
        'DATA',
        `signal ${name}: stamp ${i} is ${time[i]}, behind ${time[i - 1]}: expected ascending stamps`,
      );
    }
  }
}

function resample(
  { time, value }: DenseSignal,
  stamps: Float64Array,
  interpolation: Interpolation,
): Float64Array | boolean[] {
  let i = 0;
  const indices = Array.from(stamps, (t) => {
    while (i + 1 < time.length && time[i + 1]! <= t) i++;
    return i;
  });
  if (typeof value[0] === 'boolean') return indices.map((k) => value[k] as boolean);
  const numbers = value as ArrayLike<number>;
  return Float64Array.from(indices, (k, n) => {
    const [t, low, high] = [stamps[n]!, numbers[k]!, numbers[k + 1]];
    if (interpolation === 'previous' || high === undefined || t === time[k]) return low;
    return low + ((high - low) * (t - time[k]!)) / (time[k + 1]! - time[k]!);
  });
}

/** Robustness of a formula over the whole span of its signals.
 * @param signals the robustness of each predicate; all of one span
 * @throws USAGE at next, prev, rise and fall, which dense time does not have */
export function denseRobustness(
  formula: Formula,
  signals: readonly Piecewise[],
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): Piecewise {
  return denseRobustnessOfParts(formula, signals, options).get(formula)!;
}

/** The same of the formula and of each of its parts. */
export function denseRobustnessOfParts(
  formula: Formula,
  signals: readonly Piecewise[],
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): ReadonlyMap<Formula, Piecewise> {
  const { until } = { ...defaultSemantics, ...options };
  const evaluation = new DenseEvaluation(signals, until === 'closed');
  evaluation.evaluate(formula);
  return evaluation.values;
}

class DenseEvaluation {
  readonly values = new Map<Formula, Piecewise>();
  readonly #signals: readonly Piecewise[];
  readonly #closed: boolean;

  constructor(signals: readonly Piecewise[], closed: boolean) {
    this.#signals = signals;
    this.#closed = closed;
  }

  evaluate(formula: Formula): Piecewise {
    const value = this.values.get(formula) ?? this.#make(formula);
    this.values.set(formula, value);
    return value;
  }

  #make(formula: Formula): Piecewise {
    switch (formula.kind) {
      case 'true':
      case 'false':
        return constantPiecewise(this.#signals[0]!.time, formula.kind === 'true' ? Infinity : -Infinity);
      case 'atom':
        return this.#signals[formula.predicate]!;
      case 'not':
        return negate(this.evaluate(formula.operand));
      case 'and':
        return formula.operands.map((f) => this.evaluate(f)).reduce(minimum);
      case 'or':
        return formula.operands.map((f) => this.evaluate(f)).reduce(maximum);
      case 'always':
      case 'eventually':
      case 'once':
      case 'historically': {
        const { from, to } = formula.interval;
        const extremum = formula.kind === 'always' || formula.kind === 'historically' ? 'min' : 'max';
        const isFuture = formula.kind === 'always' || formula.kind === 'eventually';
        const f = this.evaluate(formula.operand);
        return isFuture ? windowExtremum(f, from, to, extremum) : windowExtremum(f, -to, -from, extremum);
      }
      case 'next':
      case 'prev':
      case 'rise':
      case 'fall': {
        const text = printFormula(formula, (p) => `predicate ${p}`);
        throw new VernierError('USAGE', `${formula.kind} has no meaning in dense time: ${text}`, {
          hint: 'use an interval in seconds, or sample the signals',
        });
      }
      default:
        return this.#binary(formula, this.evaluate(formula.left), this.evaluate(formula.right));
    }
  }

  #binary(formula: Extract<Formula, { left: Formula }>, a: Piecewise, b: Piecewise): Piecewise {
    switch (formula.kind) {
      case 'implies':
        return maximum(negate(a), b);
      case 'iff':
        return minimum(maximum(negate(a), b), maximum(a, negate(b)));
      case 'xor':
        return maximum(minimum(a, negate(b)), minimum(negate(a), b));
      case 'until':
        return this.#until(a, b, formula.interval);
      case 'release':
        return negate(this.#until(negate(a), negate(b), formula.interval));
      case 'weakUntil':
        return maximum(this.#until(a, b, formula.interval), windowExtremum(a, 0, formula.interval.to, 'min'));
      case 'since':
        return this.#since(a, b, formula.interval);
      case 'trigger':
        return negate(this.#since(negate(a), negate(b), formula.interval));
      default:
        throw formula satisfies never;
    }
  }

  /** As on samples: until[a, b] = eventually[a, b] psi and until[a, inf). In dense time phi must hold up to the start of
   * the interval inclusively. */
  #until(phi: Piecewise, psi: Piecewise, { from, to }: Interval): Piecewise {
    let value = untimedUntil(phi, psi, this.#closed);
    if (from > 0) {
      value = minimum(windowExtremum(value, from, from, 'max'), windowExtremum(phi, 0, from, 'min'));
    }
    return Number.isFinite(to) ? minimum(value, windowExtremum(psi, from, to, 'max')) : value;
  }

  #since(phi: Piecewise, psi: Piecewise, { from, to }: Interval): Piecewise {
    let value = untimedSince(phi, psi);
    if (from > 0) {
      value = minimum(windowExtremum(value, -from, -from, 'max'), windowExtremum(phi, -from, 0, 'min'));
    } else if (!this.#closed) {
      value = maximum(value, psi);
    }
    return Number.isFinite(to) ? minimum(value, windowExtremum(psi, -to, -from, 'max')) : value;
  }
}

/** max over t' >= t of min(psi(t'), min of phi over [t, t']), or over [t, t') where not closed. Within a piece from u to
 * v, with phi from p0 to p1 and psi from q0 to q1, and `next` the value at v:
 *   min(p, p1, next)                         psi comes true at v or later
 *   min(p, max(q, q1))                       phi rises, so it is least at t
 *   min(p, q), or min(p, crossing)           phi falls and psi falls, or rises until they cross */
function untimedUntil(phi: Piecewise, psi: Piecewise, closed: boolean): Piecewise {
  const pieces = commonPieces(phi, psi);
  const [p, q] = [phi.start.at(-1)!, psi.start.at(-1)!];
  const final = closed ? Math.min(p, q) : q;
  const functions: [lines: readonly Line[], f: (values: readonly number[]) => number][] = [];
  let next = final;
  for (const { f, g } of pieces.toReversed()) {
    const [rises, peak] = [f[1] >= f[0], meeting(f, g, g[1], f[1])];
    const later = Math.min(f[1], next);
    const value = ([a, b]: readonly number[]): number => {
      const here = rises ? Math.min(a!, Math.max(b!, g[1])) : Math.min(a!, g[1] > g[0] ? peak : b!);
      const strong = Math.max(here, Math.min(a!, later));
      return closed ? strong : Math.max(strong, b!);
    };
    functions.push([[f, g, level(g[1]), level(peak), level(later)], value]);
    next = value([f[0], g[0]]);
  }
  const builder = new PiecewiseBuilder();
  functions.reverse();
  for (const [i, { from, to }] of pieces.entries()) builder.addFunction(from, to, ...functions[i]!);
  return builder.finish(phi.time.at(-1)!, final);
}

/** The mirror image: max over t' <= t of min(psi(t'), min of phi over [t', t]). */
function untimedSince(phi: Piecewise, psi: Piecewise): Piecewise {
  const builder = new PiecewiseBuilder();
  let previous = Number.NEGATIVE_INFINITY;
  for (const { from, to, f, g } of commonPieces(phi, psi)) {
    const [falls, peak] = [f[1] <= f[0], meeting(f, g, g[0], f[0])];
    const earlier = Math.min(f[0], previous);
    const value = ([a, b]: readonly number[]): number => {
      const here = falls ? Math.min(a!, Math.max(b!, g[0])) : Math.min(a!, g[1] < g[0] ? peak : b!);
      return Math.max(here, Math.min(a!, earlier));
    };
    builder.addFunction(from, to, [f, g, level(g[0]), level(peak), level(earlier)], value);
    previous = value([f[1], g[1]]);
  }
  const [p, q] = [phi.start.at(-1)!, psi.start.at(-1)!];
  return builder.finish(phi.time.at(-1)!, Math.min(p, Math.max(q, previous)));
}

function level(value: number): Line {
  return [value, value];
}

/** The height at which two lines cross; where they do not, that of psi at the end named, or infinity when phi lies below
 * it there and so is what counts. */
function meeting(f: Line, g: Line, psi: number, phi: number): number {
  const [before, after] = [f[0] - g[0], f[1] - g[1]];
  if (before * after < 0 && Number.isFinite(before) && Number.isFinite(after)) {
    return f[0] + (f[1] - f[0]) * (before / (before - after));
  }
  return psi <= phi ? psi : Number.POSITIVE_INFINITY;
}
