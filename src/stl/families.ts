import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import type { WorldSpace } from '#stl/familySpaces';
import { childrenOf, type Formula } from '#stl/formula';
import { mazeTree } from '#stl/maze';
import { parseFormula } from '#stl/parse';
import { type Leg, type Reach, type ReachTree, scheduleTree, type Walker } from '#stl/reachTree';
import {
  alongPath,
  type Ball,
  between,
  type Point,
  pathAround,
  pathLength,
  type Region,
  regionExpression,
  rounded,
} from '#stl/regions';

/** Families of formulas to train and to compare on, as the papers on learning from signal temporal logic use them:
 * sequence     reach a, then b, then c, ...
 * conjunction  reach each in its own time
 * nested       a random tree of both and of alternatives
 * until        b not before a, c not before b, ..., and the last
 * stay         reach each and stay inside
 * patrol       come back to each, again and again
 * avoid        a conjunction among more regions to keep out of
 * maze         rooms in a row, doors between them that open with their keys, and a goal in the last room */
export const families = [
  'sequence',
  'conjunction',
  'nested',
  'until',
  'stay',
  'patrol',
  'avoid',
  'maze',
] as const;

export type Family = (typeof families)[number];

export interface FamilyOptions {
  readonly space: WorldSpace;
  /** Regions to reach, 1 to 5; doors in a maze. */
  readonly subgoals: number;
  /** Control steps of an episode, as far as the formula looks ahead. */
  readonly horizon: number;
  /** Regions to keep out of; 2 without it, 4 for `avoid`. */
  readonly obstacles?: number;
  readonly seed: number;
}

export interface FamilyFormula {
  readonly name: string;
  readonly family: Family;
  /** Whether a temporal operator stands inside another. */
  readonly layers: 'two-layer' | 'multi-layer';
  /** For the `signals` of a task: the robustness of being in each region. */
  readonly signals: Readonly<Record<string, string>>;
  readonly formula: string;
  readonly horizon: number;
  readonly regions: readonly Region[];
  /** A walk from the start, in straight pieces, that satisfies the formula. */
  readonly witness: readonly Leg[];
}

/** Draws a formula and its world. It can be satisfied: the world is kept only with a walk on straight pieces, around
 * what is to be avoided, at the space's speed with a tenth of the time to spare; the intervals are laid around the
 * walk's times. Alternatives that the walk does not take have times as if it took them, without a promise.
 * @throws USAGE when no such world is found, as when the horizon is short for the speed */
export function generateFormula(family: Family, options: FamilyOptions): FamilyFormula {
  const { space, subgoals, horizon, seed } = options;
  const draws = new Draws(seed, families.indexOf(family));
  const obstacles = options.obstacles ?? (family === 'avoid' ? 4 : 2);
  for (let attempt = 0; attempt < attempts; attempt++) {
    // Smaller and smaller regions.
    const world = new World(space, draws, 1 - (0.7 * attempt) / attempts);
    const found = world.draw(family, subgoals, obstacles, horizon);
    if (!found) continue;
    const { regions, text, legs } = found;
    return {
      name: `${space.name}-${family}-${subgoals}-${horizon}-${seed}`,
      family,
      layers: nesting(parseFormula(text).formula) > 1 ? 'multi-layer' : 'two-layer',
      signals: Object.fromEntries(
        regions.map((region) => [region.name, regionExpression(region, space.position)]),
      ),
      formula: text,
      horizon,
      regions,
      witness: legs,
    };
  }
  const asked = `${family} of ${subgoals} in ${horizon} steps among ${obstacles} regions to avoid`;
  throw new VernierError('USAGE', `${space.name}: found no world for ${asked}`, {
    hint: 'lengthen the horizon, or ask for fewer regions',
  });
}

/** Where a walk is at a control step. */
export function walkPosition(start: Point, legs: readonly Leg[], step: number): Point {
  let at = start;
  let departure = 0;
  for (const leg of legs) {
    if (step < leg.arrival) {
      const share = (step - departure) / (leg.arrival - departure);
      return alongPath(at, leg.path, Math.max(0, share) * pathLength(at, leg.path));
    }
    at = leg.path.at(-1)!;
    departure = leg.departure;
  }
  return at;
}

const attempts = 600;
const placements = 60;

interface Drawn {
  readonly regions: readonly Region[];
  readonly text: string;
  readonly legs: Leg[];
}

/** One attempt at a world. */
class World {
  readonly #space: WorldSpace;
  readonly #draws: Draws;
  /** Share of the range of radii in use. */
  readonly #largest: number;
  readonly #regions: Ball[] = [];

  constructor(space: WorldSpace, draws: Draws, largest: number) {
    this.#space = space;
    this.#draws = draws;
    this.#largest = largest;
  }

  draw(family: Family, subgoals: number, obstacles: number, horizon: number): Drawn | undefined {
    if (family === 'maze') {
      const maze = mazeTree(this.#space, this.#draws, subgoals);
      if (!maze) return undefined;
      return this.#schedule(maze.tree, [...maze.regions, ...maze.walls], maze.walls, [], horizon);
    }
    const goals = this.#place([...'abcdefgh'].slice(0, subgoals), () => this.#anywhere());
    const names = Array.from({ length: obstacles }, (_, i) => `o${i + 1}`);
    const avoided = goals && this.#place(names, () => this.#inTheWay(goals));
    if (!avoided) return undefined;
    const regions = [...goals, ...avoided];
    if (family === 'patrol') return this.#patrol(goals, avoided, horizon);
    return this.#schedule(this.#tree(family, goals), regions, avoided, avoided, horizon);
  }

  #schedule(
    tree: ReachTree,
    regions: readonly Region[],
    avoided: readonly Region[],
    obstacles: readonly Ball[],
    horizon: number,
  ): Drawn | undefined {
    const scheduled = scheduleTree(tree, this.#walker(obstacles), horizon);
    if (!scheduled) return undefined;
    const { text, legs } = scheduled;
    const whole = tree.kind === 'any' ? `(${text})` : text;
    return { regions, text: `${whole}${keepingOut(avoided, horizon)}`, legs };
  }

  #walker(obstacles: readonly Ball[]): Walker {
    const { start, speed, clearance, low, high } = this.#space;
    const isInside = (point: Point): boolean => point.every((x, i) => x >= low[i]! && x <= high[i]!);
    return { start, speed, clearance, obstacles, isInside };
  }

  #tree(family: Family, goals: readonly Ball[]): ReachTree {
    switch (family) {
      case 'sequence':
        return this.#chain(goals);
      case 'until':
        return {
          kind: 'all',
          parts: goals.map((goal, i) => {
            const next = goals[i + 1];
            const later = goals.slice(i + 1);
            return this.#reach(goal, { onWay: later, early: 1, ...(next ? { keepOut: next } : {}) });
          }),
        };
      case 'stay':
        return {
          kind: 'all',
          parts: goals.map((goal) => this.#reach(goal, { dwell: this.#between(2, 6) })),
        };
      case 'nested':
        return this.#nested(goals);
      default:
        return { kind: 'all', parts: goals.map((goal) => this.#reach(goal)) };
    }
  }

  #chain([first, ...rest]: readonly Ball[]): Reach {
    return this.#reach(first!, rest.length > 0 ? { next: this.#chain(rest) } : {});
  }

  /** A random tree with an alternative somewhere, and where there are regions enough with something else. */
  #nested(goals: readonly Ball[]): ReachTree {
    for (;;) {
      const tree = this.#grow(goals);
      const kinds = kindsOf(tree);
      if (goals.length === 1 || (kinds.has('any') && kinds.size >= Math.min(2, goals.length - 1)))
        return tree;
    }
  }

  #grow(goals: readonly Ball[]): ReachTree {
    const [first, ...rest] = goals;
    if (rest.length === 0) return this.#reach(first!);
    const kind = this.#draws.below(3);
    if (kind === 0) return this.#reach(first!, { next: this.#grow(rest) });
    const cut = 1 + this.#draws.below(rest.length);
    const parts = [this.#grow(goals.slice(0, cut)), this.#grow(goals.slice(cut))];
    return kind === 1 ? { kind: 'all', parts } : { kind: 'any', parts, taken: this.#draws.below(2) };
  }

  #reach(region: Ball, more: Partial<Reach> = {}): Reach {
    // Half of the intervals begin at once.
    const early = this.#draws.below(2) === 0 ? 1 : this.#between(0.3, 0.8);
    return { kind: 'reach', region, dwell: 0, late: this.#between(0.2, 0.5), early, ...more };
  }

  #patrol(goals: readonly Ball[], avoided: readonly Ball[], horizon: number): Drawn | undefined {
    const { start, speed, clearance } = this.#space;
    const { isInside } = this.#walker(avoided);
    const period = Math.floor(horizon / (3 + this.#draws.below(3)));
    const way = (from: Point, to: Point): Point[] | undefined =>
      pathAround(from, to, avoided, clearance, isInside);
    const legs: Leg[] = [];
    let at = start;
    let time = 0;
    // A round takes what it takes, and a quarter more.
    for (let visit = 0; time < horizon; visit++) {
      const goal = goals[visit % goals.length]!;
      const path = way(at, goal.centre);
      if (!path) return undefined;
      const arrival = Math.ceil(time + 1.25 * (pathLength(at, path) / speed + 1));
      legs.push({ path, arrival, departure: arrival });
      at = goal.centre;
      time = arrival;
    }
    for (let g = 0; g < goals.length; g++) {
      const visits = legs.filter((_, i) => i % goals.length === g).map(({ arrival }) => arrival);
      const gaps = visits.map((t, i) => t - (visits[i - 1] ?? -1));
      if (Math.max(...gaps) > period + 1 || visits.length < 2) return undefined;
    }
    const text = goals
      .map(({ name }) => `always[0,${horizon - period}] eventually[0,${period}] (${name})`)
      .join(' and ');
    return { regions: [...goals, ...avoided], text: `${text}${keepingOut(avoided, horizon)}`, legs };
  }

  /** Balls that keep clear of the start and of each other. */
  #place(names: readonly string[], centre: () => Point): Ball[] | undefined {
    const { clearance, start, startSpread, radius, low, high } = this.#space;
    const placed: Ball[] = [];
    for (const name of names) {
      let ball: Ball | undefined;
      for (let i = 0; i < placements && !ball; i++) {
        const size = rounded(this.#between(radius[0], radius[0] + this.#largest * (radius[1] - radius[0])));
        const at = centre().map(rounded);
        const isFree =
          at.every((x, k) => x >= low[k]! + size && x <= high[k]! - size) &&
          between(at, start) > size + startSpread + clearance &&
          this.#regions.every((other) => between(other.centre, at) > other.radius + size + 2 * clearance);
        if (isFree) ball = { kind: 'ball', name, centre: at, radius: size };
      }
      if (!ball) return undefined;
      placed.push(ball);
      this.#regions.push(ball);
    }
    return placed;
  }

  #anywhere(): Point {
    const { low, high } = this.#space;
    return low.map((x, i) => this.#between(x, high[i]!));
  }

  /** Half of the time near the straight way between two places to go. */
  #inTheWay(goals: readonly Ball[]): Point {
    if (this.#draws.below(2) === 0) return this.#anywhere();
    const i = this.#draws.below(goals.length);
    const from = i === 0 ? this.#space.start : goals[i - 1]!.centre;
    const share = this.#between(0.3, 0.7);
    const spread = this.#space.radius[0];
    return from.map((x, k) => x + share * (goals[i]!.centre[k]! - x) + this.#between(-spread, spread));
  }

  #between(low: number, high: number): number {
    return low + (high - low) * this.#draws.uniform();
  }
}

/** Kinds of nodes in a tree, a reach with something next among them. */
function kindsOf(tree: ReachTree): Set<string> {
  if (tree.kind !== 'reach') return new Set([tree.kind, ...tree.parts.flatMap((part) => [...kindsOf(part)])]);
  return tree.next ? new Set(['next', ...kindsOf(tree.next)]) : new Set();
}

function keepingOut(avoided: readonly Region[], horizon: number): string {
  if (avoided.length === 0) return '';
  return ` and always[0,${horizon}] (${avoided.map(({ name }) => `not (${name})`).join(' and ')})`;
}

/** Temporal operators inside each other, at most. */
function nesting(formula: Formula): number {
  const inner = Math.max(0, ...childrenOf(formula).map(nesting));
  return inner + ('interval' in formula ? 1 : 0);
}
