import { denseRobustnessOfParts } from '#stl/dense';
import type { Formula, Interval, SemanticsOptions } from '#stl/formula';
import { type Piecewise, valueAt } from '#stl/piecewise';

/** Which part of a formula decided its robustness in dense time, and when. */

export interface DenseExplanationStep {
  readonly formula: Formula;
  /** When this part had the value that counts; where that is a limit it never had, the instant it was near. */
  readonly time: number;
  /** Robustness of this part there; up to its sign, and the rounding of a division, that of the whole formula. */
  readonly value: number;
}

/** As `explain` in #stl/explain. @param time seconds; default the start of the signals
 * @throws USAGE at next, prev, rise and fall */
export function explainDense(
  formula: Formula,
  signals: readonly Piecewise[],
  time = signals[0]!.time[0]!,
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): DenseExplanationStep[] {
  const values = denseRobustnessOfParts(formula, signals, options);
  const steps: DenseExplanationStep[] = [];
  let place: Place | undefined = { formula, time, sign: 1 };
  while (place) {
    const value: number = valueAt(values.get(place.formula)!, place.time);
    steps.push({ formula: place.formula, time: place.time, value });
    place = new Decision(values, place.time, value).of(place.formula);
  }
  return steps;
}

interface Place {
  readonly formula: Formula;
  readonly time: number;
  /** Whether the part counts as it is or negated. */
  readonly sign: 1 | -1;
}

class Decision {
  readonly #values: ReadonlyMap<Formula, Piecewise>;
  readonly #t: number;
  readonly #value: number;

  constructor(values: ReadonlyMap<Formula, Piecewise>, t: number, value: number) {
    this.#values = values;
    this.#t = t;
    this.#value = value;
  }

  /** The part nearest to the value; the first of equals. */
  of(formula: Formula): Place | undefined {
    const places = this.#candidates(formula);
    const distances = places.map((place) => this.#distance(place));
    return places[distances.indexOf(Math.min(...distances))];
  }

  #distance({ formula, time, sign }: Place): number {
    const value = sign * valueAt(this.#values.get(formula)!, time);
    return value === this.#value ? 0 : Math.abs(value - this.#value);
  }

  #candidates(formula: Formula): Place[] {
    switch (formula.kind) {
      case 'true':
      case 'false':
      case 'atom':
        return [];
      case 'not':
        return [this.#here(formula.operand, -1)];
      case 'and':
      case 'or':
        return formula.operands.map((operand) => this.#here(operand, 1));
      case 'implies':
        return [this.#here(formula.left, -1), this.#here(formula.right, 1)];
      case 'iff':
      case 'xor':
        return [formula.left, formula.right].flatMap((part) => [this.#here(part, 1), this.#here(part, -1)]);
      case 'always':
      case 'eventually':
        return this.#window(formula.operand, formula.interval, 1);
      case 'once':
      case 'historically':
        return this.#window(formula.operand, formula.interval, -1);
      case 'until':
        return this.#until(formula, 1, 1);
      case 'release':
        return this.#until(formula, 1, -1);
      case 'weakUntil': {
        const { left, interval } = formula;
        return [...this.#until(formula, 1, 1), ...this.#window(left, { from: 0, to: interval.to }, 1)];
      }
      case 'since':
        return this.#until(formula, -1, 1);
      case 'trigger':
        return this.#until(formula, -1, -1);
      default:
        // The evaluation has refused next, prev, rise and fall.
        throw new Error(`${formula.kind} in dense time`);
    }
  }

  #here(formula: Formula, sign: 1 | -1): Place {
    return { formula, time: this.#t, sign };
  }

  #window(formula: Formula, interval: Interval, direction: 1 | -1): Place[] {
    const f = this.#values.get(formula)!;
    return this.#instants([f], interval, direction).map((time) => ({ formula, time, sign: 1 }));
  }

  /** The instant of the right side, or of the left side on the way to it, that gives the value. */
  #until(
    { left, right, interval }: Extract<Formula, { left: Formula; interval: unknown }>,
    direction: 1 | -1,
    sign: 1 | -1,
  ): Place[] {
    const [phi, psi] = [this.#values.get(left)!, this.#values.get(right)!];
    const value = sign * this.#value;
    let held = Number.POSITIVE_INFINITY;
    let heldAt = this.#t;
    let best: Place | undefined;
    let least = Number.POSITIVE_INFINITY;
    const from = interval.from - nudgeOf(phi);
    for (const time of this.#instants([phi, psi], { from: 0, to: interval.to }, direction)) {
      const before = held;
      const beforeAt = heldAt;
      const now = sign * valueAt(phi, time);
      if (now < held) [held, heldAt] = [now, time];
      if (Math.abs(time - this.#t) < from) continue;
      const reached = sign * valueAt(psi, time);
      // The left side up to here, without and with this instant.
      for (const [low, at] of [
        [before, beforeAt],
        [held, heldAt],
      ] as const) {
        const got = Math.min(low, reached);
        const distance = got === value ? 0 : Math.abs(got - value);
        if (!(distance < least)) continue;
        least = distance;
        best = low < reached ? { formula: left, time: at, sign: 1 } : { formula: right, time, sign: 1 };
      }
    }
    return best ? [best] : [];
  }

  /** Instants of t + interval (t - interval) between which the functions run straight and do not cross, outwards from t:
   * the ends, the knots, shortly before each knot, and crossings. */
  #instants(functions: readonly Piecewise[], { from, to }: Interval, direction: 1 | -1): number[] {
    const { time } = functions[0]!;
    const [first, last] = [time[0]!, time.at(-1)!];
    const [a, b] = direction === 1 ? [this.#t + from, this.#t + to] : [this.#t - to, this.#t - from];
    const [low, high] = [Math.max(a, first), Math.min(b, last)];
    const nudge = nudgeOf(functions[0]!);
    // An instant shortly before a knot may look beyond the end by as much.
    if (low > high) return low - high <= nudge ? [direction === 1 ? last : first] : [];
    const found = new Set([low, high]);
    const add = (t: number): void => {
      if (t >= low && t <= high) found.add(t);
    };
    const knots = [...new Set(functions.flatMap((f) => [...f.time]))].sort((x, y) => x - y);
    for (const [i, knot] of knots.entries()) {
      add(knot);
      const previous = knots[i - 1];
      if (previous === undefined) continue;
      const before = knot - Math.min(nudge, (knot - previous) / 2);
      add(before);
      const crossing = meeting(functions, previous, before);
      if (crossing !== undefined) add(crossing);
    }
    const all = [...found].sort((x, y) => x - y);
    return direction === 1 ? all : all.reverse();
  }
}

/** How long before a knot the limit there is taken. */
function nudgeOf({ time }: Piecewise): number {
  return (time.at(-1)! - time[0]!) * 1e-9;
}

/** Where two straight functions meet strictly between two instants. */
function meeting([f, g]: readonly Piecewise[], from: number, to: number): number | undefined {
  if (!f || !g) return undefined;
  const [before, behind] = [valueAt(f, from) - valueAt(g, from), valueAt(f, to) - valueAt(g, to)];
  if (!(before * behind < 0) || !Number.isFinite(before) || !Number.isFinite(behind)) return undefined;
  return from + ((to - from) * before) / (before - behind);
}
