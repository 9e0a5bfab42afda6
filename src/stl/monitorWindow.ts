/** The twin of native/stl/window.h: what streams keep of their past, in words of a state that are all zero at first. */

export type Max = boolean;

export function extremum(max: Max, a: number, b: number): number {
  if (max) return a > b ? a : b;
  return a < b ? a : b;
}

/** State at `at`: position, values [steps]. */
export function delayed(state: Float64Array, at: number, x: number, steps: number): number {
  const place = state[at]!;
  const out = state[at + 1 + place]!;
  state[at + 1 + place] = x;
  state[at] = place + 1 === steps ? 0 : place + 1;
  return out;
}

/** State at `at`: runs, position, aggregate of the block, values [width]. */
export function slidingWindow(
  max: Max,
  state: Float64Array,
  at: number,
  x: number,
  width: number,
  lead: number,
): number {
  const first = state[at]!++ - lead;
  if (first < 0) return max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const place = state[at + 1]!;
  const begins = width === 0 ? first === 0 : place === 0;
  const block = begins ? x : extremum(max, state[at + 2]!, x);
  state[at + 2] = block;
  if (width === 0) return block;
  const values = at + 3;
  state[values + place] = x;
  if (place + 1 < width) {
    state[at + 1] = place + 1;
    return first >= width ? extremum(max, state[values + place + 1]!, block) : block;
  }
  state[at + 1] = 0;
  for (let i = values + width - 2; i >= values; i--) state[i] = extremum(max, state[i]!, state[i + 1]!);
  return block;
}

export interface StretchKind {
  /** The left side is looked at behind the sample of the right one, else before it. */
  readonly since: boolean;
  /** Min and max are exchanged. */
  readonly dual: boolean;
}

/** State at `at`: runs, position, stretch of the block, stretches [width]; a stretch is [left, best]. */
export function stretchWindow(
  kind: StretchKind,
  state: Float64Array,
  at: number,
  left: number,
  right: number,
  width: number,
  lead: number,
): number {
  const first = state[at]!++ - lead;
  if (first < 0) return kind.dual ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const place = state[at + 1]!;
  const begins = width === 0 ? first === 0 : place === 0;
  const [blockLeft, blockBest] = [state[at + 2]!, state[at + 3]!];
  const best = begins ? right : joinedBest(kind, blockLeft, blockBest, left, right);
  state[at + 2] = begins ? left : extremum(kind.dual, blockLeft, left);
  state[at + 3] = best;
  if (width === 0) return best;
  const values = at + 4;
  state[values + 2 * place] = left;
  state[values + 2 * place + 1] = right;
  if (place + 1 < width) {
    state[at + 1] = place + 1;
    if (first < width) return best;
    const next = values + 2 * (place + 1);
    return joinedBest(kind, state[next]!, state[next + 1]!, state[at + 2]!, best);
  }
  state[at + 1] = 0;
  for (let i = values + 2 * (width - 2); i >= values; i -= 2) {
    state[i + 1] = joinedBest(kind, state[i]!, state[i + 1]!, state[i + 2]!, state[i + 3]!);
    state[i] = extremum(kind.dual, state[i]!, state[i + 2]!);
  }
  return best;
}

function joinedBest(
  { since, dual }: StretchKind,
  olderLeft: number,
  olderBest: number,
  newerLeft: number,
  newerBest: number,
): number {
  return since
    ? extremum(!dual, newerBest, extremum(dual, olderBest, newerLeft))
    : extremum(!dual, olderBest, extremum(dual, olderLeft, newerBest));
}
