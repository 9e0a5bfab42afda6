/** Functions of dense time made of straight pieces, as recorded signals with irregular stamps are: continuous from the
 * right, with jumps allowed at the knots, on a closed span of time. Extrema over windows, min, max and until of such
 * functions are such functions again; everything here is exact up to the rounding of a division. */

export interface Piecewise {
  /** Knots, strictly ascending; one for a single instant. @shape [K] */
  readonly time: Float64Array;
  /** Value at each knot, and right behind it. @shape [K] */
  readonly start: Float64Array;
  /** Limit of the value just before the next knot. @shape [K-1] */
  readonly end: Float64Array;
}

/** How a signal runs between its samples: straight from one to the next, or at the last one. */
export type Interpolation = 'linear' | 'previous';

export function fromSamples(
  time: ArrayLike<number>,
  value: ArrayLike<number>,
  interpolation: Interpolation,
): Piecewise {
  const start = Float64Array.from(value);
  return {
    time: Float64Array.from(time),
    start,
    end: interpolation === 'linear' ? start.slice(1) : start.slice(0, -1),
  };
}

export function constantPiecewise(time: Float64Array, value: number): Piecewise {
  const ends = time.length > 1 ? [time[0]!, time.at(-1)!] : [time[0]!];
  return fromSamples(ends, new Float64Array(ends.length).fill(value), 'previous');
}

/** The value at an instant of its span. */
export function valueAt(f: Piecewise, t: number): number {
  let [low, high] = [0, f.time.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (f.time[middle]! <= t) low = middle;
    else high = middle - 1;
  }
  return low === f.time.length - 1 ? f.start[low]! : onPiece(f, low, t);
}

export function negate(f: Piecewise): Piecewise {
  return { time: f.time, start: f.start.map((v) => -v), end: f.end.map((v) => -v) };
}

export function minimum(f: Piecewise, g: Piecewise): Piecewise {
  return pointwise(f, g, Math.min);
}

export function maximum(f: Piecewise, g: Piecewise): Piecewise {
  return pointwise(f, g, Math.max);
}

/** The extremum of f over t + [from, to], cut off at the ends of its span; `from` and `to` may be negative or infinite.
 * +inf (min) or -inf (max) where nothing is left of the window. */
export function windowExtremum(f: Piecewise, from: number, to: number, extremum: 'min' | 'max'): Piecewise {
  return extremum === 'max' ? windowMaximum(f, from, to) : negate(windowMaximum(negate(f), from, to));
}

/** A straight line over some piece of time, by its values at the piece's ends. */
export type Line = readonly [start: number, end: number];

/** Gathers the pieces of a function from left to right. */
export class PiecewiseBuilder {
  readonly #time: number[] = [];
  readonly #start: number[] = [];
  readonly #end: number[] = [];

  /** One straight piece from `time` on; a constant that merely goes on is drawn into the piece before. */
  add(time: number, [start, end]: Line): void {
    const last = this.#time.length - 1;
    const goesOn = start === end && this.#start[last] === start && this.#end[last] === start;
    if (goesOn) return;
    this.#time.push(time);
    this.#start.push(start);
    this.#end.push(end);
  }

  /** Pieces over [from, to] of a function of lines that is straight as long as no two lines cross. */
  addFunction(
    from: number,
    to: number,
    lines: readonly Line[],
    f: (values: readonly number[]) => number,
  ): void {
    const instants = [from, ...crossings(from, to, lines), to];
    const values = instants.map((t) => f(lines.map((line) => at(line, (t - from) / (to - from)))));
    for (let i = 0; i + 1 < instants.length; i++) this.add(instants[i]!, [values[i]!, values[i + 1]!]);
  }

  finish(time: number, value: number): Piecewise {
    return {
      time: Float64Array.from([...this.#time, time]),
      start: Float64Array.from([...this.#start, value]),
      end: Float64Array.from(this.#end),
    };
  }
}

function at([start, end]: Line, share: number): number {
  if (start === end || share === 0) return start;
  return share === 1 ? end : start + (end - start) * share;
}

/** Instants strictly between `from` and `to` where two of the lines cross, ascending. */
function crossings(from: number, to: number, lines: readonly Line[]): number[] {
  const found: number[] = [];
  for (const [i, a] of lines.entries()) {
    for (const b of lines.slice(i + 1)) {
      const [before, after] = [a[0] - b[0], a[1] - b[1]];
      if (!(before * after < 0) || !Number.isFinite(before) || !Number.isFinite(after)) continue;
      const t = from + ((to - from) * before) / (before - after);
      if (t > from && t < to) found.push(t);
    }
  }
  return found.sort((x, y) => x - y);
}

function onPiece(f: Piecewise, piece: number, t: number): number {
  const from = f.time[piece]!;
  return at([f.start[piece]!, f.end[piece]!], (t - from) / (f.time[piece + 1]! - from));
}

/** The pieces of two functions of one span, cut at the knots of both. */
export function commonPieces(
  f: Piecewise,
  g: Piecewise,
): { readonly from: number; readonly to: number; readonly f: Line; readonly g: Line }[] {
  const knots = Float64Array.from(new Set([...f.time, ...g.time])).sort();
  const [onF, onG] = [cursor(f), cursor(g)];
  return Array.from(knots.subarray(1), (to, i) => {
    const from = knots[i]!;
    return { from, to, f: onF(from, to), g: onG(from, to) };
  });
}

/** Reads a function on pieces that come from left to right, each within one of its own. */
function cursor(f: Piecewise): (from: number, to: number) => Line {
  let piece = 0;
  return (from, to) => {
    while (f.time[piece + 1]! <= from) piece++;
    const start = from === f.time[piece] ? f.start[piece]! : onPiece(f, piece, from);
    return [start, to === f.time[piece + 1] ? f.end[piece]! : onPiece(f, piece, to)];
  };
}

function pointwise(f: Piecewise, g: Piecewise, combine: (a: number, b: number) => number): Piecewise {
  const builder = new PiecewiseBuilder();
  for (const piece of commonPieces(f, g)) {
    builder.addFunction(piece.from, piece.to, [piece.f, piece.g], ([a, b]) => combine(a!, b!));
  }
  return builder.finish(f.time.at(-1)!, combine(f.start.at(-1)!, g.start.at(-1)!));
}

/** Between two events, a knot entering the window on its right or leaving it on its left, the window holds the same
 * knots: the maximum is that over those and over the values at its two ends, which run straight. */
function windowMaximum(f: Piecewise, from: number, to: number): Piecewise {
  const window = new MovingWindow(f, from, to);
  const instants = window.instants();
  const builder = new PiecewiseBuilder();
  for (let i = 0; i + 1 < instants.length; i++) {
    const [u, v] = [instants[i]!, instants[i + 1]!];
    builder.addFunction(u, v, window.lines(u, v), greatest);
  }
  const final = f.time.at(-1)!;
  return builder.finish(final, greatest(window.lines(final, final).map(([value]) => value)));
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

class MovingWindow {
  readonly #f: Piecewise;
  readonly #from: number;
  readonly #to: number;
  /** When the right end reaches each knot, and when the left end does. */
  readonly #enters: Float64Array;
  readonly #leaves: Float64Array;
  readonly #last: number;
  /** When the window is taken to be empty: a trace behind the instant at which its left end is the end of the span, so
   * that this instant has its value in a function continuous from the right. */
  readonly #empties: number;
  /** The knots that each end has reached. */
  #left = -1;
  #right = -1;
  /** Knots in the window with falling peaks. */
  readonly #queue: number[] = [];
  #head = 0;

  constructor(f: Piecewise, from: number, to: number) {
    this.#f = f;
    this.#from = from;
    this.#to = to;
    this.#enters = f.time.map((t) => t - to);
    this.#leaves = f.time.map((t) => t - from);
    this.#last = f.time.length - 1;
    const span = f.time[this.#last]! - f.time[0]!;
    this.#empties = this.#leaves[this.#last]! + span * 2 ** -40;
  }

  /** The ends of the span and every instant between at which a knot comes or goes. */
  instants(): Float64Array {
    const [first, final] = [this.#f.time[0]!, this.#f.time[this.#last]!];
    const events = [...this.#enters, ...this.#leaves, this.#empties];
    return Float64Array.from(new Set([first, ...events.filter((t) => t > first && t < final), final])).sort();
  }

  /** The lines whose greatest value is that of the window, from u up to the next event v. */
  lines(u: number, v: number): Line[] {
    this.#moveTo(u);
    const { start } = this.#f;
    const [left, right, last] = [this.#left, this.#right, this.#last];
    if (left === last) return u >= this.#empties && this.#from > 0 ? [] : [[start[last]!, start[last]!]];
    const lines: Line[] = [];
    if (this.#head < this.#queue.length) {
      const peak = this.#peak(this.#queue[this.#head]!);
      lines.push([peak, peak]);
    }
    if (left >= 0) lines.push(this.#onPiece(left, u + this.#from, v + this.#from));
    if (right >= 0 && right < last) lines.push(this.#onPiece(right, u + this.#to, v + this.#to));
    return lines;
  }

  #moveTo(t: number): void {
    while (this.#right < this.#last && this.#enters[this.#right + 1]! <= t) this.#push(++this.#right);
    while (this.#left < this.#last && this.#leaves[this.#left + 1]! <= t) this.#left++;
    while (this.#head < this.#queue.length && this.#queue[this.#head]! <= this.#left) this.#head++;
  }

  #push(k: number): void {
    const peak = this.#peak(k);
    while (this.#queue.length > this.#head && this.#peak(this.#queue.at(-1)!) <= peak) this.#queue.pop();
    this.#queue.push(k);
  }

  #peak(k: number): number {
    return k === 0 ? this.#f.start[0]! : Math.max(this.#f.start[k]!, this.#f.end[k - 1]!);
  }

  #onPiece(piece: number, u: number, v: number): Line {
    const [low, high] = [this.#f.time[piece]!, this.#f.time[piece + 1]!];
    const value = (t: number): number => onPiece(this.#f, piece, Math.min(Math.max(t, low), high));
    return [value(u), value(v)];
  }
}
