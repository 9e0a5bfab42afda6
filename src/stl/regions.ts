/** Regions of a world: their expressions, and paths that go around them. */

export type Point = readonly number[];

export interface Ball {
  readonly kind: 'ball';
  readonly name: string;
  readonly centre: Point;
  readonly radius: number;
}

/** Bounds of the first coordinates; it extends without end along the others. */
export interface Box {
  readonly kind: 'box';
  readonly name: string;
  readonly low: Point;
  readonly high: Point;
}

export type Region = Ball | Box;

/** How deep the point lies inside: the value of `regionExpression`. */
export function regionDepth(region: Region, point: Point): number {
  if (region.kind === 'ball') return region.radius - between(region.centre, point);
  return Math.min(...region.low.map((low, i) => Math.min(point[i]! - low, region.high[i]! - point[i]!)));
}

/** The robustness of being inside, for the `signals` of a task. @param position an expression: a vector */
export function regionExpression(region: Region, position: string): string {
  if (region.kind === 'ball') return `${region.radius} - norm(${position} - [${region.centre.join(', ')}])`;
  const sides = region.low.flatMap((low, i) => [
    `${position}[${i}] - ${bracketed(low)}`,
    `${region.high[i]} - ${position}[${i}]`,
  ]);
  return `min(${sides.join(', ')})`;
}

function bracketed(value: number): string {
  return value < 0 ? `(${value})` : `${value}`;
}

/** To the millimetre. */
export function rounded(x: number): number {
  return Math.round(x * 1000) / 1000;
}

export function between(a: Point, b: Point): number {
  return Math.hypot(...a.map((x, i) => x - b[i]!));
}

/** Length of a path from a point. */
export function pathLength(from: Point, path: readonly Point[]): number {
  return path.reduce((sum, point, i) => sum + between(i === 0 ? from : path[i - 1]!, point), 0);
}

/** The point of a path at a distance from its start; the last one behind its end. */
export function alongPath(from: Point, path: readonly Point[], distance: number): Point {
  let left = distance;
  let at = from;
  for (const point of path) {
    const length = between(at, point);
    if (left <= length && length > 0) return mix(at, point, left / length);
    left -= length;
    at = point;
  }
  return at;
}

function mix(a: Point, b: Point, share: number): Point {
  return a.map((x, i) => x + (b[i]! - x) * share);
}

/** A path with `clearance` from balls, of straight pieces with a corner beside each ball in the way, on the nearer side
 * or else the other. @returns the points behind `from`, `to` last; undefined where four corners do not do */
export function pathAround(
  from: Point,
  to: Point,
  obstacles: readonly Ball[],
  clearance: number,
  isInside: (point: Point) => boolean,
  corners = 4,
): Point[] | undefined {
  const blocking = obstacles.find(
    ({ centre, radius }) => between(nearest(from, to, centre), centre) < radius + clearance,
  );
  if (!blocking) return [to];
  if (corners === 0) return undefined;
  const { centre, radius } = blocking;
  const foot = nearest(from, to, centre);
  const offset = between(foot, centre);
  const side = offset > 1e-9 ? foot.map((x, i) => (x - centre[i]!) / offset) : across(from, to);
  for (const sign of [1, -1]) {
    const corner = centre.map((x, i) => x + sign * side[i]! * 1.25 * (radius + 1.2 * clearance));
    if (!isInside(corner)) continue;
    const first = pathAround(from, corner, obstacles, clearance, isInside, corners - 1);
    const second = first && pathAround(corner, to, obstacles, clearance, isInside, corners - 1);
    if (second) return [...first, ...second];
  }
  return undefined;
}

/** The point of a segment that is nearest. */
function nearest(a: Point, b: Point, point: Point): Point {
  const square = between(a, b) ** 2;
  const along = a.reduce((sum, x, i) => sum + (point[i]! - x) * (b[i]! - x), 0);
  return square === 0 ? a : mix(a, b, Math.min(1, Math.max(0, along / square)));
}

/** A unit vector at a right angle to b - a. */
function across(a: Point, b: Point): Point {
  const d = b.map((x, i) => x - a[i]!);
  // The two largest entries, turned by a quarter.
  const [i, j] = [...d.keys()].sort((k, l) => Math.abs(d[l]!) - Math.abs(d[k]!)) as [number, number];
  const length = Math.hypot(d[i]!, d[j]!);
  return d.map((_, k) => (k === i ? -d[j]! / length : k === j ? d[i]! / length : 0));
}
