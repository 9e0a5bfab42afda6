export interface Latency {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export function latency(microseconds: readonly number[]): Latency {
  const sorted = Float64Array.from(microseconds).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
  return { p50: at(0.5), p99: at(0.99) };
}
