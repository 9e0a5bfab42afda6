import { saveBundle } from '#policy/bundle';
import { reachBundle } from '../robot/reachBundle.js';

/** A bundle of `reach` that never arrives: it leads the end effector around a circle of 10 cm at 0.3 m/s, for as long as an
 * episode lasts. */
export async function circlingBundle(path: string, overrides: readonly string[]): Promise<void> {
  const bundle = await reachBundle(path, undefined, overrides);
  if (bundle.base.kind !== 'chunk') throw new Error('expected a cloned base');
  const { O, A } = bundle;
  const { values } = bundle.base.network.block;
  values.fill(0);
  // Observation entries 0 to 2 are the end effector about (0.5, 0, 0.2), in units of 0.2 m; the centre is at y = 0.1.
  const centre = [0, 0.5, 0.25];
  const turn = [
    [-0.15, -1, 0],
    [1, -0.15, 0],
    [0, 0, -1],
  ];
  for (let a = 0; a < A; a++) {
    for (let o = 0; o < 3; o++) {
      values[o * A + a] = turn[a]![o]!;
      values[O * A + a]! -= turn[a]![o]! * centre[o]!;
    }
  }
  saveBundle(path, bundle);
}
