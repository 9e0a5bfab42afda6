import { type Ball, type Box, type Point, pathAround, pathLength, type Region } from '#stl/regions';

/** Plans that become formulas: what to reach, one after the other, together or instead of each other. A walk through
 * the plan gives every part its time, and from the times come the intervals, so that the walk satisfies the formula. */

export interface Reach {
  readonly kind: 'reach';
  readonly region: Region;
  /** Control steps to stay inside, before scaling. */
  readonly dwell: number;
  /** What follows, with times that count from the arrival. */
  readonly next?: ReachTree;
  /** Kept out of until the arrival: makes an until of it. */
  readonly keepOut?: Region;
  /** Further regions that the walk keeps out of on the way. */
  readonly onWay?: readonly Ball[];
  /** The walk's way where it is given; else around what is to be avoided. */
  readonly path?: readonly Point[];
  /** The interval ends by this share later than the walk arrives, and begins by the other share earlier. */
  readonly late: number;
  readonly early: number;
}

export type ReachTree =
  | Reach
  /** In the order of the walk. */
  | { readonly kind: 'all'; readonly parts: readonly ReachTree[] }
  /** The walk takes one; the others have times as if it were free to. */
  | { readonly kind: 'any'; readonly parts: readonly ReachTree[]; readonly taken: number };

export interface Walker {
  readonly start: Point;
  readonly speed: number;
  readonly clearance: number;
  readonly obstacles: readonly Ball[];
  readonly isInside: (point: Point) => boolean;
}

/** Steps at a stop beside the way itself. */
const pause = 2;

/** One way of the walk. Times in control steps. */
export interface Leg {
  readonly path: readonly Point[];
  readonly arrival: number;
  readonly departure: number;
}

interface Visit {
  readonly base: number;
  readonly arrival: number;
  /** Length of the way to it. */
  readonly length: number;
  readonly path: readonly Point[];
}

interface Place {
  at: Point;
  time: number;
}

/** The earliest walk. @returns visits in the order of the walk, undefined where a way is blocked */
export function walkTree(
  tree: ReachTree,
  walker: Walker,
): { visits: Map<Reach, Visit>; walked: Reach[] } | undefined {
  const visits = new Map<Reach, Visit>();
  const walked: Reach[] = [];
  const walk = (node: ReachTree, place: Place, base: number, counts: boolean): boolean => {
    if (node.kind === 'all') return node.parts.every((part) => walk(part, place, base, counts));
    if (node.kind === 'any') {
      const others = node.parts.filter((_, i) => i !== node.taken);
      return (
        others.every((part) => walk(part, { ...place }, base, false)) &&
        walk(node.parts[node.taken]!, place, base, counts)
      );
    }
    const path = node.path ?? around(place.at, node, walker);
    if (!path) return false;
    const length = pathLength(place.at, path);
    const arrival = place.time + length / walker.speed + pause;
    visits.set(node, { base, arrival, length, path });
    if (counts) walked.push(node);
    place.at = path.at(-1)!;
    place.time = arrival + node.dwell;
    return node.next === undefined || walk(node.next, place, arrival, counts);
  };
  return walk(tree, { at: walker.start, time: 0 }, 0, true) ? { visits, walked } : undefined;
}

function around(from: Point, { region, onWay }: Reach, walker: Walker): Point[] | undefined {
  const obstacles = [...walker.obstacles, ...(onWay ?? [])];
  return pathAround(from, centreOf(region), obstacles, walker.clearance, walker.isInside);
}

export function centreOf(region: Region): Point {
  return region.kind === 'ball' ? region.centre : middle(region);
}

function middle({ low, high }: Box): Point {
  return low.map((x, i) => (x + high[i]!) / 2);
}

/** Least stretch of the earliest walk that counts as feasible. */
const slack = 1.1;

interface Times {
  from: number;
  to: number;
  dwell: number;
  arrival: number;
}

/** Stretches the earliest walk so that the formula looks `horizon` steps ahead.
 * @returns its text and the legs of the walk; undefined where the walk does not fit with a tenth to spare */
export function scheduleTree(
  tree: ReachTree,
  walker: Walker,
  horizon: number,
): { text: string; legs: Leg[] } | undefined {
  const walk = walkTree(tree, walker);
  if (!walk) return undefined;
  const { visits, walked } = walk;
  const least = height(
    tree,
    (node) => (visits.get(node)!.arrival - visits.get(node)!.base) * (1 + node.late),
    ({ dwell }) => dwell,
  );
  const stretch = horizon / least;
  if (stretch < slack) return undefined;
  const times = new Map<Reach, Times>();
  for (const [node, { base, arrival }] of visits) {
    const gap = Math.round(arrival * stretch) - Math.round(base * stretch);
    const to = Math.max(gap, Math.floor((arrival - base) * (1 + node.late) * stretch));
    const from = Math.floor(gap * (1 - node.early));
    times.set(node, {
      from,
      to,
      dwell: Math.floor(node.dwell * stretch),
      arrival: Math.round(arrival * stretch),
    });
  }
  const reach = (node: Reach): number => times.get(node)!.to;
  const stay = (node: Reach): number => times.get(node)!.dwell;
  const rest = horizon - height(tree, reach, stay);
  if (rest < 0) return undefined;
  times.get(critical(tree, reach, stay))!.to += rest;
  const legs: Leg[] = [];
  let departure = 0;
  for (const node of walked) {
    const { arrival, dwell } = times.get(node)!;
    if (visits.get(node)!.length > (arrival - departure) * walker.speed) return undefined;
    departure = arrival + dwell;
    legs.push({ path: visits.get(node)!.path, arrival, departure });
  }
  return { text: textOf(tree, times), legs };
}

/** How far the formula looks ahead. */
function height(tree: ReachTree, reach: (node: Reach) => number, stay: (node: Reach) => number): number {
  if (tree.kind !== 'reach') return Math.max(...tree.parts.map((part) => height(part, reach, stay)));
  return reach(tree) + Math.max(stay(tree), tree.next ? height(tree.next, reach, stay) : 0);
}

/** The outermost part that decides the height. */
function critical(tree: ReachTree, reach: (node: Reach) => number, stay: (node: Reach) => number): Reach {
  if (tree.kind === 'reach') return tree;
  const heights = tree.parts.map((part) => height(part, reach, stay));
  return critical(tree.parts[heights.indexOf(Math.max(...heights))]!, reach, stay);
}

function textOf(tree: ReachTree, times: ReadonlyMap<Reach, Times>): string {
  if (tree.kind !== 'reach') {
    const word = tree.kind === 'all' ? ' and ' : ' or ';
    const parts = tree.parts.map((part) => {
      const text = textOf(part, times);
      return part.kind !== 'reach' && part.kind !== tree.kind ? `(${text})` : text;
    });
    return parts.join(word);
  }
  const { from, to, dwell } = times.get(tree)!;
  const inside = dwell > 0 ? `always[0,${dwell}] (${tree.region.name})` : tree.region.name;
  const next = tree.next ? textOf(tree.next, times) : '';
  const rest = tree.next?.kind === 'any' ? `(${next})` : next;
  const body = rest ? `${inside} and ${rest}` : inside;
  return tree.keepOut
    ? `((not (${tree.keepOut.name})) until[${from},${to}] (${body}))`
    : `eventually[${from},${to}] (${body})`;
}
