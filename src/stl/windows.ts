/** Extrema over moving windows and the until operator on sampled values, each in time linear in the samples whatever the
 * window. The results are always one of the values or an infinity: nothing is rounded. */

/** What stands behind the last sample: `cut` nothing, `hold` the last sample for ever. */
export type Edge = 'cut' | 'hold';

export type Extremum = 'min' | 'max';

/** out[t] = the extremum of x over t + [from, to]; +inf (min) or -inf (max) where the window holds no sample.
 * `to` may be Infinity. Lemire's monotone queue. @shape x, out [T] */
export function futureExtremum(
  x: Float64Array,
  from: number,
  to: number,
  extremum: Extremum,
  edge: Edge = 'cut',
): Float64Array {
  const length = x.length;
  const sign = extremum === 'min' ? 1 : -1;
  const out = new Float64Array(length);
  // Indices with falling value from head to tail, latest index first.
  const queue = new Int32Array(length);
  let head = 0;
  let tail = 0;
  for (let t = length - 1; t >= 0; t--) {
    const entering = t + from;
    if (entering < length) {
      while (tail > head && sign * x[queue[tail - 1]!]! >= sign * x[entering]!) tail--;
      queue[tail++] = entering;
    }
    while (tail > head && queue[head]! > t + to) head++;
    if (tail > head) out[t] = x[queue[head]!]!;
    else out[t] = edge === 'hold' ? x[length - 1]! : sign * Number.POSITIVE_INFINITY;
  }
  return out;
}

/** out[t] = the extremum of x over t - [from, to]; nothing stands before the first sample. */
export function pastExtremum(x: Float64Array, from: number, to: number, extremum: Extremum): Float64Array {
  return futureExtremum(x.toReversed(), from, to, extremum).reverse();
}

/** phi until[from, to] psi, by until[a, b] = eventually[a, b] psi and until[a, inf), which holds for robustness too
 * (Donze, Ferrere, Maler 2013). @shape phi, psi [T] */
export function futureUntil(
  phi: Float64Array,
  psi: Float64Array,
  from: number,
  to: number,
  closed: boolean,
  edge: Edge = 'cut',
): Float64Array {
  const length = phi.length;
  const out = new Float64Array(length);
  let next = Number.NEGATIVE_INFINITY;
  for (let t = length - 1; t >= 0; t--) {
    next = closed ? Math.min(phi[t]!, Math.max(psi[t]!, next)) : Math.max(psi[t]!, Math.min(phi[t]!, next));
    out[t] = next;
  }
  if (from > 0) delay(out, futureExtremum(phi, 0, from - 1, 'min', edge), from, edge);
  if (Number.isFinite(to)) lower(out, futureExtremum(psi, from, to, 'max', edge));
  return out;
}

/** phi since[from, to] psi. */
export function pastSince(
  phi: Float64Array,
  psi: Float64Array,
  from: number,
  to: number,
  closed: boolean,
): Float64Array {
  return futureUntil(phi.toReversed(), psi.toReversed(), from, to, closed).reverse();
}

/** out[t] = min(bound[t], out[t + steps]). */
function delay(out: Float64Array, bound: Float64Array, steps: number, edge: Edge): void {
  const last = out.length - 1;
  const behind = edge === 'hold' && last >= 0 ? out[last]! : Number.NEGATIVE_INFINITY;
  for (let t = 0; t <= last; t++) {
    out[t] = Math.min(bound[t]!, t + steps <= last ? out[t + steps]! : behind);
  }
}

function lower(out: Float64Array, bound: Float64Array): void {
  for (let t = 0; t < out.length; t++) out[t] = Math.min(out[t]!, bound[t]!);
}
