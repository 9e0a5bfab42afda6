import type { Point } from '#stl/regions';

/** Where the formulas of a family play: a box of positions that regions are put into. */
export interface WorldSpace {
  readonly name: string;
  readonly low: Point;
  readonly high: Point;
  /** Least and greatest radius of a region. */
  readonly radius: readonly [number, number];
  /** The expression of the position, as long as `low`. */
  readonly position: string;
  readonly start: Point;
  /** No region comes nearer to the start than this: as far as an episode may begin from it. */
  readonly startSpread: number;
  /** Distance per control step to count on, turning and starting included. */
  readonly speed: number;
  /** What stays free between a region to avoid, the regions to reach and the path that shows feasibility. */
  readonly clearance: number;
}

/** The worlds of TGPO's tasks: +-5 m, radii 0.5 to 1.5 m. Speeds are what the robots of `robots/` keep at: the point's 1
 * m/s for 0.5 s along one axis; the others with room to turn and to brake. `position` is a signal of those tasks. */
export const familySpaces = {
  linear: {
    name: 'linear',
    low: [-5, -5],
    high: [5, 5],
    radius: [0.5, 1.5],
    position: 'position',
    start: [0, 0],
    startSpread: 1.1,
    speed: 0.5,
    clearance: 0.2,
  },
  unicycle: {
    name: 'unicycle',
    low: [-5, -5],
    high: [5, 5],
    radius: [0.5, 1.5],
    position: 'position',
    start: [0, 0],
    startSpread: 1.1,
    speed: 0.4,
    clearance: 0.4,
  },
  quadrotor: {
    name: 'quadrotor',
    low: [-5, -5, 0],
    high: [5, 5, 5],
    radius: [0.5, 1.5],
    position: 'position',
    start: [0, 0, 2.5],
    startSpread: 0.9,
    speed: 0.2,
    clearance: 0.4,
  },
  ant: {
    name: 'ant',
    low: [-5, -5],
    high: [5, 5],
    radius: [0.75, 1.5],
    position: 'position',
    start: [0, 0],
    startSpread: 0.3,
    speed: 0.05,
    clearance: 0.4,
  },
  /** The hand of a Panda, in front of it. */
  panda: {
    name: 'panda',
    low: [0.35, -0.3, 0.2],
    high: [0.65, 0.3, 0.6],
    radius: [0.05, 0.09],
    position: 'position',
    start: [0.5, 0, 0.25],
    startSpread: 0.02,
    speed: 0.015,
    clearance: 0.02,
  },
  /** The Panda's joint angles around its home pose. */
  pandaJoints: {
    name: 'pandaJoints',
    low: [-1, -1, -1, -3, -1, 1.29, -0.21],
    high: [1, 1, 1, -1.33, 1, 3.29, 1.79],
    radius: [0.4, 0.7],
    position: 'arm.position',
    start: [0, -0.04, 0, -2.33, 0, 2.29, 0.79],
    startSpread: 0.1,
    speed: 0.05,
    clearance: 0.05,
  },
} as const satisfies Readonly<Record<string, WorldSpace>>;
