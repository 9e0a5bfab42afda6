/** A map of vectors that exchanges entries and turns signs: out[i] = sign[i] * in[source[i]].
 * @shape source, sign [n] */
export interface SignedPermutation {
  readonly source: Int32Array;
  readonly sign: Float32Array;
}

/** The map that changes nothing. */
export function identityPermutation(n: number): SignedPermutation {
  return { source: Int32Array.from({ length: n }, (_, i) => i), sign: new Float32Array(n).fill(1) };
}

/** The first entry that applying the map twice does not bring back; undefined for an involution. */
export function firstNotRestored({ source, sign }: SignedPermutation): number | undefined {
  const found = source.findIndex((from, i) => source[from] !== i || sign[i]! * sign[from]! !== 1);
  return found < 0 ? undefined : found;
}

/** Applies the map to each of the rows in `values`. @shape values, result [rows,n] */
export function permuted(values: Float32Array, map: SignedPermutation): Float32Array {
  const out = values.slice();
  const n = map.source.length;
  for (let row = 0; row * n < out.length; row++) permuteRow(out, row, map, values);
  return out;
}

/** Applies the map to one row. @shape from, out [rows,n], not the same array */
export function permuteRow(
  out: Float32Array,
  row: number,
  { source, sign }: SignedPermutation,
  from: Float32Array,
): void {
  const n = source.length;
  for (let i = 0; i < n; i++) out[row * n + i] = sign[i]! * from[row * n + source[i]!]!;
}
