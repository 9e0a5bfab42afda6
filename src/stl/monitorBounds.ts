import { type Formula, type Interval, temporal, unbounded } from '#stl/formula';
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
  /** Under `best`: whether the stream is an extremum over other samples, some of which are known before all are. */
  readonly isWindowed?: boolean;
  /** Under `worst`: the min over the weights of samples to come, where it is not -inf while there are some. */
  readonly toCome?: Stream;
}

type BinaryTemporal = Extract<Formula, { readonly left: Formula; readonly interval: Interval }>;

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
        return this.#best(open[0]!, this.#weigh(weight, known));
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
        return this.#best(formula.right, this.#carry(left, weight, formula.interval));
      }
      case 'release':
        return this.#owe(formula, weight);
      default:
        // An always that is never known, as its future is unbounded.
        return formula.kind === 'always' && formula.interval.to === INFINITE
          ? this.#builder.constant(-INFINITE)
          : undefined;
    }
  }

  /** Min over t of max(weight(t), value(t)). */
  #worst(formula: Formula, weight: Weight): Bound {
    const isPoint = weight.from === weight.to && !weight.stream;
    if (isPoint && formula.kind !== 'always' && formula.kind !== 'release')
      return this.at(formula, weight.from);
    switch (formula.kind) {
      case 'and':
        return this.#join('min', formula.operands, (operand) => this.#worst(operand, weight));
      case 'always':
        return this.#worst(formula.operand, this.#spread(weight, formula.interval));
      case 'release':
        return isPoint ? this.#release(formula, weight.from) : undefined;
      case 'until':
        return this.#owe(formula, weight);
      case 'eventually': {
        const { from, to } = formula.interval;
        if (from === to) return this.#worst(formula.operand, this.#spread(weight, formula.interval));
        const operand = this.#exact(formula.operand);
        return operand && to !== INFINITE ? this.#respond(weight, operand, formula.interval) : undefined;
      }
      default: {
        const exact = this.#exact(formula);
        if (exact) return this.#worstOf(exact, weight);
        return formula.kind === 'or' ? this.#worstOr(formula.operands, weight) : undefined;
      }
    }
  }

  #worstOf(exact: Stream, weight: Weight): Bound {
    const { stream, toCome } = weight;
    if (stream && stream.delay < exact.delay) return this.#respond(weight, exact, { from: 0, to: 0 });
    if (stream && stream.delay > exact.delay) {
      if (toCome) return undefined;
      return this.#respond({ from: weight.from, to: weight.to, stream: exact }, stream, { from: 0, to: 0 });
    }
    const both = stream ? this.#builder.meet('max', [stream, exact]) : exact;
    return this.#always('min', [
      this.#held('heldMin', both, weight, true),
      this.#toCome(weight, exact.delay),
    ]);
  }

  #worstOr(operands: readonly Formula[], weight: Weight): Bound {
    const { known, open } = this.#split(operands);
    const all = weight.stream ? [weight.stream, ...known] : known;
    const latest = Math.max(...all.map((stream) => stream.delay));
    const first = open.length > 0 ? all : all.filter((stream) => stream.delay < latest);
    if (open.length > 1 || !haveOneDelay(first)) return undefined;
    const weighed: Weight =
      first.length > 0 ? { ...weight, stream: this.#builder.meet('max', first) } : weight;
    if (open.length === 1) return this.#worst(open[0]!, weighed);
    if (weight.toCome && !first.includes(weight.stream!)) return undefined;
    const last = all.filter((stream) => stream.delay === latest);
    return this.#worstOf(this.#builder.meet('max', last), weighed);
  }

  /** The weight of an operand under `always`: at t', the min over the samples t' - [from, to]. */
  #spread(weight: Weight, interval: Interval): Weight {
    const range = shifted(weight, interval);
    if (!weight.stream || interval.to === 0) return { ...weight, ...range };
    const builder = this.#builder;
    const gated = this.#gate(weight.stream, weight, INFINITE);
    const stream = builder.pastWindow('windowMin', gated, interval);
    const toCome = [this.#toCome(weight, weight.stream.delay)];
    const { to } = interval;
    // Samples that are known but whose window is not over.
    if (to > 0) toCome.push(builder.window('windowMin', gated, to === INFINITE ? 0 : to, 0));
    return { ...range, stream, toCome: this.#always('min', toCome) };
  }

  /** Min over the weights of samples to come, a stream of that delay being known up to the present; +inf when none is to
   * come. Those without weight count -inf. */
  #toCome({ from, to, toCome }: Weight, delay: number): Stream {
    return toCome ?? this.#held('heldMin', { ...this.#builder.constant(INFINITE), delay }, { from, to });
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
    const parameters = [weight.from, weight.to, span];
    const begun = builder.operation('respond', pair, begins, parameters, 4 + 5 * (span + 1));
    const bounds = [begun, this.#toCome(weight, stream.delay)];
    if (stream.delay < begins) {
      const gated = this.#gate(stream, weight, INFINITE);
      bounds.push(builder.window('windowMin', gated, begins - stream.delay, 0));
    }
    return this.#always('min', bounds);
  }

  /** The worst of an until, or the best of a release, by their decomposition: an until is all of
   *    eventually[from, to] right,  always[0, from) left,  and the untimed until, `from` samples later;
   * a release any of their duals. */
  #owe(formula: BinaryTemporal, weight: Weight): Bound {
    const builder = this.#builder;
    const { left, right, interval } = formula;
    const { from, to } = interval;
    const isUntil = formula.kind === 'until';
    const [a, b] = [this.#exact(left), this.#exact(right)];
    if (!a || !b) return undefined;
    // The side that can decide by itself must not be known before the other.
    if (isUntil && !builder.closed && b.delay < a.delay) return undefined;
    if (!isUntil && builder.closed && a.delay < b.delay) return undefined;
    const delay = Math.max(a.delay, b.delay);
    const begins = from + delay;
    const nothing = builder.constant(isUntil ? -INFINITE : INFINITE);
    const stream = weight.stream ?? { ...nothing, delay: begins };
    if (stream.delay > begins) return undefined;
    const extremum = (part: Formula): Bound =>
      isUntil ? this.#worst(part, weight) : this.#best(part, weight);
    const bounds: Bound[] = [];
    if (to !== INFINITE) bounds.push(extremum(temporal(isUntil ? 'eventually' : 'always', right, interval)));
    if (from > 0) {
      bounds.push(extremum(temporal(isUntil ? 'always' : 'eventually', left, { from: 0, to: from - 1 })));
    }
    const [phi, psi] = builder.pair(a, b, delay, !isUntil, builder.closed);
    const untimed = builder.operation(
      isUntil ? 'oweUntil' : 'oweRelease',
      [builder.late(stream, begins), phi],
      begins,
      [weight.from, weight.to, psi.register],
      3,
    );
    bounds.push(untimed);
    if (isUntil) {
      bounds.push(this.#toCome(weight, stream.delay));
      if (weight.stream && stream.delay < begins) {
        const gated = this.#gate(stream, weight, INFINITE);
        bounds.push(builder.window('windowMin', gated, begins - stream.delay, 0));
      }
    }
    return complete(bounds) ? this.#always(isUntil ? 'min' : 'max', bounds) : undefined;
  }

  /** At sample t. A right side that is still to come counts with what the left one has reached so far. */
  #release({ left, right, interval }: BinaryTemporal, t: number): Bound {
    const builder = this.#builder;
    const [l, r] = [this.#exact(left), this.#exact(right)];
    if (!l || !r || l.delay !== r.delay) return undefined;
    const range = shifted({ from: t, to: t }, interval);
    const from: Weight = { from: t, to: INFINITE };
    const reached = builder.pastWindow('windowMax', this.#gate(l, from, -INFINITE), unbounded);
    const before = builder.closed ? reached : builder.pastWindow('windowMax', reached, { from: 1, to: 1 });
    const soFar = this.#held('heldMin', builder.meet('max', [before, r]), range, true);
    const isOver = this.#held('heldMin', { ...builder.constant(INFINITE), delay: r.delay }, range);
    const toCome = this.#always('max', [this.#held('heldMax', l, from), isOver]);
    return this.#always('min', [soFar, toCome]);
  }

  /** The weight that a sample t' has for the right side of an until: the best t in t' - [from, to], by its own weight and
   * the min of left on [t, t') or [t, t']. */
  #carry(left: Stream, weight: Weight, interval: Interval): Weight {
    const builder = this.#builder;
    const always = { ...builder.constant(INFINITE), delay: left.delay };
    const gated = this.#gate(weight.stream ?? always, weight, -INFINITE);
    const range = shifted(weight, interval);
    if (builder.closed) {
      return { ...range, stream: builder.pastSince(left, gated, interval, false, true), isWindowed: true };
    }
    const { from, to } = interval;
    const parts: Stream[] = [];
    if (from === 0) parts.push(gated);
    if (to > 0) {
      const before = { from: Math.max(0, from - 1), to: to - 1 };
      const closed = builder.pastSince(left, gated, before, false, true);
      parts.push(builder.pastWindow('windowMax', closed, { from: 1, to: 1 }));
    }
    return { ...range, stream: builder.meet('max', parts), isWindowed: true };
  }

  #weigh(weight: Weight, known: readonly Stream[]): Weight {
    const streams = weight.stream ? [weight.stream, ...known] : known;
    return { from: weight.from, to: weight.to, stream: this.#builder.meet('min', streams) };
  }

  #gate(stream: Stream, { from, to }: Weight, outside: number): Stream {
    return this.#builder.operation('gate', [stream], stream.delay, [from, to, outside], 1);
  }

  #held(kind: 'heldMax' | 'heldMin', stream: Stream, { from, to }: Weight, isSoFar = false): Stream {
    return this.#builder.operation(kind, [stream], stream.delay, [from, to, isSoFar ? 1 : 0], 2);
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
