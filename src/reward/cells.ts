import type { Values } from '#reward/method';

/** The cell of a grid that a value lies in, as a key. */
export function cellOf(values: Values, size: number): string {
  let key = '';
  for (let i = 0; i < values.length; i++) key += `${Math.floor(values[i]! / size)},`;
  return key;
}
