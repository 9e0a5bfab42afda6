/** Position, velocity, acceleration and jerk of the fifth-order polynomial between two points, solved from its boundary
 * conditions: an oracle of its own for what a joint trajectory controller makes of points.
 * @param from time, position, velocity, acceleration @param share of the time between them */
export function quintic(
  from: readonly [number, number, number, number],
  to: readonly [number, number, number, number],
  share: number,
): readonly [number, number, number, number] {
  const T = to[0] - from[0];
  const [, p, v, a] = from;
  // What the end asks for beyond the start's own parabola.
  const position = to[1] - (p + v * T + (a * T * T) / 2);
  const velocity = (to[2] - (v + a * T)) * T;
  const acceleration = (to[3] - a) * T * T;
  const c3 = 10 * position - 4 * velocity + acceleration / 2;
  const c4 = -15 * position + 7 * velocity - acceleration;
  const c5 = 6 * position - 3 * velocity + acceleration / 2;
  const s = share;
  return [
    p + v * s * T + (a * s * s * T * T) / 2 + s ** 3 * (c3 + s * (c4 + s * c5)),
    v + a * s * T + (s * s * (3 * c3 + s * (4 * c4 + s * 5 * c5))) / T,
    a + (s * (6 * c3 + s * (12 * c4 + s * 20 * c5))) / T ** 2,
    (6 * c3 + s * (24 * c4 + s * 60 * c5)) / T ** 3,
  ];
}
