/** Numbers as the command line prints them. */

export function percent(rate: number): string {
  return `${(100 * rate).toFixed(1)} %`;
}

/** `93.5 % [89.2, 96.2]`: a rate with its interval. */
export function rateWithInterval(rate: number, [low, high]: readonly [number, number]): string {
  return `${percent(rate)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

/** `4 s`, `2 min 10 s`, `1 h 5 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Steps and rates: `950`, `12.3k`, `1.2M`. */
export function compact(value: number): string {
  const size = Math.abs(value);
  if (size < 1000) return value.toFixed(0);
  if (size < 1e6) return `${(value / 1e3).toFixed(1)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

/** Columns padded to their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}
