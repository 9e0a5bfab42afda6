import type { Formula, Interval } from '#stl/formula';
import { complete, type Extremum, type MonitorBuilder, type Stream } from '#stl/monitorBuilder';

/** The lower bound of a formula's value at the first sample, for which samples to come are -inf for every literal, in
 * amortised constant time per sample. A max over time commutes with min: `eventually (A and eventually (B and ...))` is
 * run forwards, with the weight of each sample carried on by windows over the past; a min over time dually. Where the
 * two alternate, as in `always (A -> eventually B)`, a stack of obligations keeps what is still open.
 *
 * Past operators count as unknown until their operands are known, so that samples to come are not anticipated through
 * them: there the bound is safe, but may come to rest a little later than it could. */

const INFINITE = Number.POSITIVE_INFINITY;

/** The samples from..to, each with a weight: `best` takes the min with it, `worst` the max. Without a stream they weigh
 * nothing. */
interface Weight {
  readonly from: number;
  readonly to: number;
  readonly stream?: Stream;
  /** Whether the stream is an extremum over other samples, some of which are known before all are. */
  readonly isWindowed?: boolean;
}

/** Undefined where a formula is not covered. */
type Bound = Stream | undefined;

/** @returns the register of the bound, or undefined where the formula's alternation of min and max over time is not
 * covered */
export function lowerBound(builder: MonitorBuilder, formula: Formula): number | undefined {
  return new Bounds(builder).at(formula, 0)?.register;
}

class Bounds {
  readonly #builder: MonitorBuilder;

  constructor(builder: MonitorBuilder) {
    this.#builder = builder;
  }

  /** The bound at sample t. */
  at(formula: Formula, t: number): Bound {
    const here: Weight = { from: t, to: t };
    switch (formula.kind) {
      case 'and':
        return this.#join('min', formula.operands, (operand) => this.at(operand, t));
      case 'or':
        return this.#join('max', formula.operands, (operand) => this.at(operand, t));
      case 'always':
      case 'release':
        return this.#worst(formula, here);
      default:
        return this.#best(formula, here);
    }
  }

  /** Max over t of min(weight(t), value(t)). */
  #best(formula: Formula, weight: Weight): Bound {
    const exact = this.#exact(formula);
    if (exact) {
      if (lags(weight, exact)) return undefined;
      const both = weight.stream ? this.#builder.meet('min', [weight.stream, exact]) : exact;
      return this.#held('heldMax', both, weight);
    }
    switch (formula.kind) {
      case 'or':
        return this.#join('max', formula.operands, (operand) => this.#best(operand, weight));
      case 'and': {
        const { known, open } = this.#split(formula.operands);
        if (open.length !== 1 || known.some((stream) => lags(weight, stream))) return undefined;
        return this.#best(open[0]!, this.#weigh('min', weight, known));
      }
      case 'eventually': {
        const range = shifted(weight, formula.interval);
        if (!weight.stream) return this.#best(formula.operand, range);
        const gated = this.#gate(weight.stream, weight, -INFINITE);
        const stream = this.#builder.pastWindow('windowMax', gated, formula.interval);
        return this.#best(formula.operand, { ...range, stream, isWindowed: true });
      }
      case 'until': {
        const left = this.#exact(formula.left);
        if (!left || lags(weight, left)) return undefined;
        return this.#best(formula.right, this.#carry(left, weight, formula.interval, false));
      }
      default:
        // An always that is never known, as its future is unbounded.
        return formula.kind === 'always' && formula.interval.to === INFINITE
          ? this.#builder.constant(-INFINITE)
          : undefined;
    }
  }

  /** Min over t of max(weight(t), value(t)). */
  #worst(formula: Formula, weight: Weight): Bound {
    if (weight.to === INFINITE) return this.#builder.constant(-INFINITE);
    const isPoint = weight.from === weight.to && !weight.stream;
    if (isPoint && formula.kind !== 'always' && formula.kind !== 'release') return this.at(formula, weight.from);
    switch (formula.kind) {
      case 'and':
        return this.#join('min', formula.operands, (operand) => this.#worst(operand, weight));
      case 'always': {
        const range = shifted(weight, formula.interval);
        if (!weight.stream || range.to === INFINITE) return this.#worst(formula.operand, range);
        const gated = this.#gate(weight.stream, weight, INFINITE);
        const stream = this.#builder.pastWindow('windowMin', gated, formula.interval);
        return this.#worst(formula.operand, { ...range, stream, isWindowed: true });
      }
      case 'release': {
        const left = this.#exact(formula.left);
        if (!left || (weight.stream && weight.stream.delay !== left.delay)) return undefined;
        return this.#worst(formula.right, this.#carry(left, weight, formula.interval, true));
      }
      case 'eventually': {
        const operand = this.#exact(formula.operand);
        if (formula.interval.from === formula.interval.to) return this.#worst(formula.operand, this.#moved(weight, formula.interval));
        return operand && formula.interval.to !== INFINITE
          ? this.#respond(weight, operand, formula.interval)
          : undefined;
      }
      default: {
        const exact = this.#exact(formula);
        if (exact) return this.#worstOf(exact, weight);
        return formula.kind === 'or' ? this.#worstOr(formula.operands, weight) : undefined;
      }
    }
  }

  #worstOf(exact: Stream, weight: Weight): Bound {
    const { stream } = weight;
    if (!stream) return this.#held('heldMin', exact, weight);
    if (stream.delay === exact.delay) {
      return this.#held('heldMin', this.#builder.meet('max', [stream, exact]), weight);
    }
    const [first, second] = stream.delay < exact.delay ? [stream, exact] : [exact, stream];
    return this.#respond({ ...weight, stream: first }, second, { from: 0, to: 0 });
  }

  #worstOr(operands: readonly Formula[], weight: Weight): Bound {
    const { known, open } = this.#split(operands);
    const all = weight.stream ? [weight.stream, ...known] : known;
    if (open.length === 1 && haveOneDelay(all)) {
      return this.#worst(open[0]!, { ...weight, ...(all.length > 0 ? { stream: this.#builder.meet('max', all) } : {}) });
    }
    if (open.length > 0) return undefined;
    const latest = Math.max(...all.map((stream) => stream.delay));
    const first = all.filter((stream) => stream.delay < latest);
    const last = this.#builder.meet('max', all.filter((stream) => stream.delay === latest));
    if (first.length === 0) return this.#held('heldMin', last, weight);
    if (!haveOneDelay(first)) return undefined;
    const stream = this.#builder.meet('max', first);
    return this.#respond({ from: weight.from, to: weight.to, stream }, last, { from: 0, to: 0 });
  }

  /** Min over t of max(weight(t), max of operand over t + [from, to]). Obligations whose window has not begun count with
   * their weight alone. */
  #respond(weight: Weight, operand: Stream, { from, to }: Interval): Bound {
    const builder = this.#builder;
    const begins = from + operand.delay;
    const stream = weight.stream ?? { ...builder.constant(-INFINITE), delay: begins };
    if (stream.delay > begins) return undefined;
    const span = to - from;
    const pair = [builder.late(stream, begins), { ...operand, delay: begins }];
    const begun = builder.operation('respond', pair, begins, [weight.from, weight.to, span], 4 + 5 * (span + 1));
    const areKnown = this.#held('heldMin', { ...builder.constant(INFINITE), delay: stream.delay }, weight);
    const bounds = [begun, areKnown];
    if (stream.delay < begins) {
      const gated = this.#gate(stream, weight, INFINITE);
      bounds.push(builder.window('windowMin', gated, begins - stream.delay, 0));
    }
    return this.#always('min', bounds);
  }

  /** The weight that a sample t' has for the right side of an until: min over left on [t, t') or [t, t'], and the weight
   * of the best t in t' - [from, to]. With `isDual` for release. */
  #carry(left: Stream, weight: Weight, interval: Interval, isDual: boolean): Weight {
    const builder = this.#builder;
    const [inside, outside] = isDual ? [-INFINITE, INFINITE] : [INFINITE, -INFINITE];
    const gated = this.#gate(weight.stream ?? { ...builder.constant(inside), delay: left.delay }, weight, outside);
    const range = shifted(weight, interval);
    const { from, to } = interval;
    if (builder.closed) {
      const stream = builder.pastSince(left, gated, interval, isDual, true);
      return { ...range, stream, isWindowed: true };
    }
    const parts: Stream[] = [];
    if (from === 0) parts.push(gated);
    if (to > 0) {
      const before = { from: Math.max(0, from - 1), to: to - 1 };
      const closed = builder.pastSince(left, gated, before, isDual, true);
      parts.push(builder.pastWindow(isDual ? 'windowMin' : 'windowMax', closed, { from: 1, to: 1 }));
    }
    return { ...range, stream: builder.meet(isDual ? 'min' : 'max', parts), isWindowed: true };
  }

  /** A weight for samples `by` later. */
  #moved(weight: Weight, by: Interval): Weight {
    const range = shifted(weight, by);
    if (!weight.stream) return range;
    const gated = this.#gate(weight.stream, weight, INFINITE);
    return { ...range, stream: this.#builder.pastWindow('windowMin', gated, by), isWindowed: true };
  }

  #weigh(extremum: Extremum, weight: Weight, known: readonly Stream[]): Weight {
    const streams = weight.stream ? [weight.stream, ...known] : known;
    return { from: weight.from, to: weight.to, stream: this.#builder.meet(extremum, streams) };
  }

  #gate(stream: Stream, { from, to }: Weight, outside: number): Stream {
    return this.#builder.operation('gate', [stream], stream.delay, [from, to, outside], 1);
  }

  #held(kind: 'heldMax' | 'heldMin', stream: Stream, { from, to }: Weight): Stream {
    return this.#builder.operation(kind, [stream], stream.delay, [from, to], 2);
  }

  #join(extremum: Extremum, operands: readonly Formula[], bound: (operand: Formula) => Bound): Bound {
    const bounds = operands.map(bound);
    return complete(bounds) ? this.#always(extremum, bounds) : undefined;
  }

  /** Bounds have a value from the first sample on, whatever they are made of. */
  #always(extremum: Extremum, bounds: readonly Stream[]): Stream {
    return bounds.reduce((a, b) => this.#builder.operation(extremum, [a, b], 0));
  }

  /** The stream of a formula whose value is -inf below until it is known for good. */
  #exact(formula: Formula): Stream | undefined {
    return isExact(formula, this.#builder) ? this.#builder.stream(formula) : undefined;
  }

  #split(operands: readonly Formula[]): { readonly known: Stream[]; readonly open: Formula[] } {
    const known: Stream[] = [];
    const open: Formula[] = [];
    for (const operand of operands) {
      const exact = this.#exact(operand);
      if (exact) known.push(exact);
      else open.push(operand);
    }
    return { known, open };
  }
}

function isExact(formula: Formula, builder: MonitorBuilder): boolean {
  const own = builder.stream(formula);
  if (!own) return false;
  switch (formula.kind) {
    case 'eventually':
      return formula.interval.from === formula.interval.to && isExact(formula.operand, builder);
    case 'until':
    case 'release':
      return false;
    case 'always':
      return isExact(formula.operand, builder);
    case 'and':
      return formula.operands.some(
        (operand) => isExact(operand, builder) && builder.stream(operand)!.delay === own.delay,
      );
    case 'or':
      return formula.operands.every(
        (operand) => isExact(operand, builder) && builder.stream(operand)!.delay === own.delay,
      );
    default:
      return true;
  }
}

/** Whether a windowed weight is known later than the stream it is joined with: what is known of it in part would count. */
function lags({ stream, isWindowed }: Weight, other: Stream): boolean {
  return stream !== undefined && isWindowed === true && stream.delay > other.delay;
}

function shifted(weight: Weight, { from, to }: Interval): Weight {
  return { from: weight.from + from, to: weight.to + to };
}

function haveOneDelay(streams: readonly Stream[]): boolean {
  return streams.every((stream) => stream.delay === streams[0]!.delay);
}
