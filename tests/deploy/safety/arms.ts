import type { MotionLimits } from '#deploy/safety/limits';

/** Limits of arms whose binding constraints differ: Panda's jerk hardly binds, UR5e's does. */
export function testLimits(kind: 'panda' | 'ur5e', period: number): MotionLimits {
  const rows =
    kind === 'panda'
      ? [
          [-2.8773, 2.8773, 2.175, 15, 7500],
          [-1.7428, 1.7428, 2.175, 7.5, 3750],
          [-3.0518, -0.0898, 2.175, 12.5, 6250],
        ]
      : [
          [-6.26, 6.26, Math.PI, 13.96, 209.4],
          [-3.12, 3.12, Math.PI, 13.96, 209.4],
          [-0.1, 0.1, Math.PI, 13.96, 209.4],
        ];
  const column = (k: number) => Float64Array.from(rows, (row) => row[k]!);
  return {
    names: ['a', 'b', 'c'],
    period,
    lower: column(0),
    upper: column(1),
    hardLower: column(0).map((x) => x - 0.02),
    hardUpper: column(1).map((x) => x + 0.02),
    velocity: column(2),
    acceleration: column(3),
    jerk: column(4),
  };
}

/** A planar arm of three hinges; the third lifts the point. */
export function planarPoint(q: Float64Array, out: Float64Array): void {
  out[0] = 0.4 * Math.cos(q[0]!) + 0.3 * Math.cos(q[0]! + q[1]!);
  out[1] = 0.4 * Math.sin(q[0]!) + 0.3 * Math.sin(q[0]! + q[1]!);
  out[2] = 0.2 * Math.sin(q[2]!);
}
