import type { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import type { WorldSpace } from '#stl/familySpaces';
import type { Reach, ReachTree } from '#stl/reachTree';
import { type Ball, type Box, between, type Point, rounded } from '#stl/regions';

export interface Maze {
  readonly tree: ReachTree;
  /** Keys, doors and the goal. */
  readonly regions: readonly (Ball | Box)[];
  readonly walls: readonly Box[];
}

/** In parts of the half width of the world: where the walls begin, how wide a door is, how thick a wall. */
const proportions = { centre: 0.5, door: 0.32, wall: 0.16 };

/** A room around the start and up to four at its sides, each behind a wall with one door in it. The key of the first
 * door lies in the middle room, that of the next in the room behind the first, and the goal behind the last: not door
 * until key for each, and the goal at last. The walk crosses doors in the middle, at a right angle, and rooms, which are
 * convex, straight; walls are thicker than a step is long.
 * @returns undefined where a key does not fit
 * @source the key-door maze of Meng, Chen, Fan 2025, arXiv:2510.00225; differs: drawn, not fixed */
export function mazeTree(space: WorldSpace, draws: Draws, doors: number): Maze | undefined {
  const dimensions = space.low.length;
  if (dimensions < 2 || dimensions > 3 || doors < 1 || doors > 4) {
    const received = `${doors} in ${dimensions} dimensions`;
    throw new VernierError(
      'USAGE',
      `${space.name}: expected 1 to 4 doors in 2 or 3 dimensions, received ${received}`,
    );
  }
  // Left and right first: their walls reach from end to end, those of bottom and top lie between them.
  const firstSides = [draws.below(2), draws.below(2)];
  const sides = Array.from(
    { length: doors },
    (_, i) => new Side(space, draws, i >> 1, (i & 1) === firstSides[i >> 1]! ? 1 : -1),
  );
  const rooms = [middleRoom(space, sides), ...sides.map(({ room }) => room)];
  const regions: (Ball | Box)[] = [];
  const parts: Reach[] = [];
  let way: Point[] = [];
  for (const [i, room] of rooms.entries()) {
    const [side, before] = [sides[i], sides[i - 1]];
    const target = ballIn(room, side ? `key${i + 1}` : 'goal', space, draws);
    if (!target) return undefined;
    const door = side?.door(`door${i + 1}`);
    regions.push(target, ...(door ? [door] : []));
    parts.push({
      kind: 'reach',
      region: target,
      dwell: 0,
      path: [...way, target.centre],
      late: 0.2 + 0.3 * draws.uniform(),
      early: 1,
      ...(door ? { keepOut: door } : {}),
    });
    // Back out of this room, and through the next door.
    if (side) way = [...(before ? [before.outside, before.inside] : []), side.inside, side.outside];
  }
  return {
    tree: { kind: 'all', parts },
    regions,
    walls: sides.flatMap((side, i) => side.walls(i + 1)),
  };
}

interface Rectangle {
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
}

/** A room beside the middle one, on axis 0 left or right, on axis 1 below or above, and the wall before it. */
class Side {
  readonly axis: number;
  readonly sign: 1 | -1;
  /** Where the wall begins, seen from the middle. */
  readonly near: number;
  readonly room: Rectangle;
  /** In the middle of the door, before and behind the wall. */
  readonly inside: Point;
  readonly outside: Point;
  readonly #far: number;
  readonly #door: readonly [number, number];
  readonly #span: readonly [number, number];

  constructor(space: WorldSpace, draws: Draws, axis: number, sign: 1 | -1) {
    const { start, low, high, clearance, speed } = space;
    const half = (k: number): number => (high[k]! - low[k]!) / 2;
    this.axis = axis;
    this.sign = sign;
    this.near = rounded(start[axis]! + sign * proportions.centre * half(axis));
    const thickness = Math.max(proportions.wall * half(axis), 1.6 * speed);
    this.#far = rounded(this.near + sign * thickness);
    const along = 1 - axis;
    const width = proportions.door * half(along);
    const free = proportions.centre * half(along) - width;
    const middle = start[along]! + free * (2 * draws.uniform() - 1);
    this.#door = [rounded(middle - width / 2), rounded(middle + width / 2)];
    const reach = proportions.centre * half(along);
    this.#span = axis === 0 ? [low[1]!, high[1]!] : [rounded(start[0]! - reach), rounded(start[0]! + reach)];
    this.room = this.#rectangle(this.#far, sign === 1 ? high[axis]! : low[axis]!, ...this.#span);
    const at = (x: number): Point => start.map((s, k) => (k === axis ? x : k === along ? middle : s));
    this.inside = at(this.near - sign * clearance);
    this.outside = at(this.#far + sign * clearance);
  }

  door(name: string): Box {
    return { kind: 'box', name, ...this.#wall(...this.#door) };
  }

  /** On both sides of the door, and a little past the ends, so that nobody slips along them. */
  walls(number: number): Box[] {
    const past = Math.abs(this.#far - this.near);
    return [
      { kind: 'box', name: `wall${number}a`, ...this.#wall(rounded(this.#span[0] - past), this.#door[0]) },
      { kind: 'box', name: `wall${number}b`, ...this.#wall(this.#door[1], rounded(this.#span[1] + past)) },
    ];
  }

  #wall(from: number, to: number): Rectangle {
    return this.#rectangle(this.near, this.#far, from, to);
  }

  #rectangle(x: number, y: number, from: number, to: number): Rectangle {
    const [low, high] = [Math.min(x, y), Math.max(x, y)];
    return this.axis === 0 ? { low: [low, from], high: [high, to] } : { low: [from, low], high: [to, high] };
  }
}

function middleRoom({ low, high }: WorldSpace, sides: readonly Side[]): Rectangle {
  const room = {
    low: [low[0]!, low[1]!] as [number, number],
    high: [high[0]!, high[1]!] as [number, number],
  };
  for (const { axis, sign, near } of sides) (sign === 1 ? room.high : room.low)[axis] = near;
  return room;
}

/** A ball inside a room, clear of the start. */
function ballIn(room: Rectangle, name: string, space: WorldSpace, draws: Draws): Ball | undefined {
  const { start, startSpread, radius } = space;
  const least = Math.min(...room.low.map((low, k) => room.high[k]! - low)) / 2;
  const size = rounded(Math.min(least, radius[0] + 0.3 * draws.uniform() * (radius[1] - radius[0])));
  if (size < radius[0]) return undefined;
  for (let i = 0; i < 60; i++) {
    const centre = start.map((s, k) => {
      const [low, high] = [room.low[k], room.high[k]];
      if (low === undefined || high === undefined) return s;
      return rounded(low + size + draws.uniform() * (high - low - 2 * size));
    });
    if (between(centre, start) > size + startSpread) return { kind: 'ball', name, centre, radius: size };
  }
  return undefined;
}
