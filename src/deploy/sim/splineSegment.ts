/** One joint's way between two points, by what both carry: a straight line, a cubic or a fifth-order polynomial. */

export interface SplineEnd {
  readonly time: number;
  readonly position: number;
  /** undefined where the point does not carry it. */
  readonly velocity: number | undefined;
  readonly acceleration: number | undefined;
}

/** Position, velocity and acceleration at `time`, which is cut to the segment.
 * @param out [3]
 * @source Lynch & Park, Modern Robotics, 2017, Sec. 9.3 (polynomial via point trajectories); differs: none */
export function splineAt(from: SplineEnd, to: SplineEnd, time: number, out: Float64Array): void {
  const T = to.time - from.time;
  const t = Math.min(Math.max(time - from.time, 0), T);
  if (!(T > 0)) {
    out[0] = to.position;
    out[1] = 0;
    out[2] = 0;
    return;
  }
  const way = to.position - from.position;
  if (from.velocity === undefined || to.velocity === undefined) {
    out[0] = from.position + (way * t) / T;
    out[1] = way / T;
    out[2] = 0;
    return;
  }
  const s = t / T;
  if (from.acceleration === undefined || to.acceleration === undefined) {
    cubicAt(way, from.velocity * T, to.velocity * T, s, out);
  } else {
    const [a, b] = [from.acceleration * T * T, to.acceleration * T * T];
    quinticAt(way, from.velocity * T, to.velocity * T, a, b, s, out);
  }
  out[0]! += from.position;
  out[1]! /= T;
  out[2]! /= T * T;
}

/** On the unit interval from 0 to `way`, with slopes v and w. */
function cubicAt(way: number, v: number, w: number, s: number, out: Float64Array): void {
  const c2 = 3 * way - 2 * v - w;
  const c3 = -2 * way + v + w;
  out[0] = s * (v + s * (c2 + s * c3));
  out[1] = v + s * (2 * c2 + s * 3 * c3);
  out[2] = 2 * c2 + s * 6 * c3;
}

/** The same with second derivatives a and b. */
function quinticAt(
  way: number,
  v: number,
  w: number,
  a: number,
  b: number,
  s: number,
  out: Float64Array,
): void {
  const c3 = 10 * way - 6 * v - 4 * w - 1.5 * a + 0.5 * b;
  const c4 = -15 * way + 8 * v + 7 * w + 1.5 * a - b;
  const c5 = 6 * way - 3 * v - 3 * w - 0.5 * a + 0.5 * b;
  out[0] = s * (v + s * (a / 2 + s * (c3 + s * (c4 + s * c5))));
  out[1] = v + s * (a + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)));
  out[2] = a + s * (6 * c3 + s * (12 * c4 + s * 20 * c5));
}
