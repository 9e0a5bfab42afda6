import { readFileSync } from 'node:fs';

interface GoldenVector {
  readonly message: Readonly<Record<string, unknown>>;
  /** Hexadecimal; up to three bytes of padding at the end. */
  readonly cdr: string;
  readonly typeHash: string;
}

/** What rmw_cyclonedds_cpp 2.2.2 (ROS 2 Jazzy) sent for these messages, with the hashes of its type descriptions. */
export const goldenVectors: readonly (readonly [type: string, vector: GoldenVector])[] = Object.entries(
  JSON.parse(readFileSync(new URL('cdrGolden.json', import.meta.url), 'utf8')),
);

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** Typed arrays as arrays. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as unknown[], plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}
