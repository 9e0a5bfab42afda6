import { robustnessOfParts } from '#stl/evaluate';
import { defaultSemantics, type Formula, type Interval, type SemanticsOptions } from '#stl/formula';
import type { PredicateSignals } from '#stl/sampled';

/** Which part of a formula decided its robustness, and at which sample. */

export interface ExplanationStep {
  readonly formula: Formula;
  /** The sample at which this part had the value that counts. */
  readonly sample: number;
  /** Robustness of this part there; up to its sign that of the whole formula. */
  readonly value: number;
}

/** The way from the formula at `sample` down to the predicate whose value its robustness is, the whole formula first.
 * It ends at an atom, a constant, or an operator whose window holds no sample. Of several parts that decide, the first is
 * named. Windows are cut off at the end of the signals. */
export function explain(
  formula: Formula,
  signals: PredicateSignals,
  sample = 0,
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): ExplanationStep[] {
  const { until } = { ...defaultSemantics, ...options };
  const values = robustnessOfParts(formula, signals, { until, end: 'vacuous' });
  const steps: ExplanationStep[] = [];
  let part: Place | undefined = { formula, sample };
  while (part) {
    const value: number = values.get(part.formula)![part.sample]!;
    steps.push({ ...part, value });
    part = new Decision(values, part.sample, value, until === 'closed').of(part.formula);
  }
  return steps;
}

interface Place {
  readonly formula: Formula;
  readonly sample: number;
}

class Decision {
  readonly #values: ReadonlyMap<Formula, Float64Array>;
  readonly #t: number;
  readonly #value: number;
  readonly #closed: boolean;

  constructor(values: ReadonlyMap<Formula, Float64Array>, t: number, value: number, closed: boolean) {
    this.#values = values;
    this.#t = t;
    this.#value = value;
    this.#closed = closed;
  }

  /** The part of the formula that gave it the value. */
  of(formula: Formula): Place | undefined {
    switch (formula.kind) {
      case 'true':
      case 'false':
      case 'atom':
        return undefined;
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
      case 'since':
        return this.#until(formula, -1, 1);
      case 'trigger':
        return this.#until(formula, -1, -1);
      case 'weakUntil':
        return (
          this.#until(formula, 1, 1) ?? this.#window(formula.left, { from: 0, to: formula.interval.to }, 1)
        );
      case 'next':
        return this.#window(formula.operand, oneStep, 1);
      case 'prev':
        return this.#window(formula.operand, oneStep, -1);
      case 'rise':
        return this.#here(formula.operand, 1) ?? this.#window(formula.operand, oneStep, -1, -1);
      case 'fall':
        return this.#here(formula.operand, -1) ?? this.#window(formula.operand, oneStep, -1, 1);
      case 'not':
        return this.#here(formula.operand, -1);
      case 'and':
      case 'or':
        return this.#firstHere(formula.operands.map((operand) => [operand, 1]));
      case 'implies':
        return this.#firstHere([
          [formula.left, -1],
          [formula.right, 1],
        ]);
      case 'iff':
      case 'xor':
        return this.#firstHere(
          [formula.left, formula.right].flatMap((f) => [[f, 1] as const, [f, -1] as const]),
        );
      default:
        throw formula satisfies never;
    }
  }

  #firstHere(parts: readonly (readonly [Formula, 1 | -1])[]): Place | undefined {
    for (const [part, sign] of parts) {
      const place = this.#here(part, sign);
      if (place) return place;
    }
    return undefined;
  }

  /** @param sign whether the part counts as it is or negated */
  #here(part: Formula, sign: 1 | -1): Place | undefined {
    const decides = sign * this.#values.get(part)![this.#t]! === this.#value;
    return decides ? { formula: part, sample: this.#t } : undefined;
  }

  #window(part: Formula, { from, to }: Interval, direction: 1 | -1, sign: 1 | -1 = 1): Place | undefined {
    const values = this.#values.get(part)!;
    for (const sample of samples(this.#t, from, to, direction, values.length)) {
      if (sign * values[sample]! === this.#value) return { formula: part, sample };
    }
    return undefined;
  }

  /** The first sample at which the right side, or the left side on the way there, gives the value. */
  #until(
    formula: Extract<Formula, { left: Formula; interval: unknown }>,
    direction: 1 | -1,
    sign: 1 | -1,
  ): Place | undefined {
    const { left, right, interval } = formula;
    const [phi, psi] = [this.#values.get(left)!, this.#values.get(right)!];
    const wanted = sign * this.#value;
    let held = Number.POSITIVE_INFINITY;
    let heldAt = this.#t;
    for (const sample of samples(this.#t, 0, interval.to, direction, phi.length)) {
      const before = { held, heldAt };
      if (sign * phi[sample]! < held) {
        held = sign * phi[sample]!;
        heldAt = sample;
      }
      if (Math.abs(sample - this.#t) < interval.from) continue;
      const leftSide = this.#closed ? { held, heldAt } : before;
      if (Math.min(leftSide.held, sign * psi[sample]!) !== wanted) continue;
      return sign * psi[sample]! === wanted
        ? { formula: right, sample }
        : { formula: left, sample: leftSide.heldAt };
    }
    return undefined;
  }
}

const oneStep: Interval = { from: 1, to: 1 };

function* samples(t: number, from: number, to: number, direction: 1 | -1, length: number): Generator<number> {
  for (let d = from; d <= to; d++) {
    const sample = t + direction * d;
    if (sample < 0 || sample >= length) return;
    yield sample;
  }
}
