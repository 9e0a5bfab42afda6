/** Paths seen from above, among the regions that a formula speaks of. */

export type PlotRegion = {
  readonly name: string;
  /** To be reached, or to be kept out of. */
  readonly role: 'reach' | 'avoid';
} & (
  | { readonly kind: 'disc'; readonly centre: readonly [number, number]; readonly radius: number }
  | {
      readonly kind: 'box';
      readonly low: readonly [number, number];
      readonly high: readonly [number, number];
    }
);

export interface PlotPath {
  /** x, y of each sample. */
  readonly points: readonly (readonly [number, number])[];
  readonly success: boolean;
}

export interface TrajectoryPlot {
  readonly title: string;
  readonly subtitle?: string;
  readonly regions: readonly PlotRegion[];
  readonly paths: readonly PlotPath[];
}

const SIZE = 520;
const MARGIN = 24;
const HEAD = 46;
const COLORS = { reach: '#2563eb', avoid: '#dc2626', success: '#047857', failure: '#b45309' } as const;

/** An SVG document: north is +y, a ring where a path begins, a dot where it ends, dots at every sample. */
export function trajectorySvg(plot: TrajectoryPlot): string {
  const { low, scale } = frame(plot);
  const x = (value: number): string => (MARGIN + (value - low[0]) * scale).toFixed(1);
  const y = (value: number): string => (HEAD + SIZE - (value - low[1]) * scale).toFixed(1);
  const regions = plot.regions.map((region) => {
    const color = COLORS[region.role];
    const style = `fill="${color}" fill-opacity="0.16" stroke="${color}" stroke-opacity="0.7"`;
    const [cx, cy] =
      region.kind === 'disc'
        ? region.centre
        : [(region.low[0] + region.high[0]) / 2, (region.low[1] + region.high[1]) / 2];
    const shape =
      region.kind === 'disc'
        ? `<circle cx="${x(cx)}" cy="${y(cy)}" r="${(region.radius * scale).toFixed(1)}" ${style}/>`
        : `<rect x="${x(region.low[0])}" y="${y(region.high[1])}" width="${((region.high[0] - region.low[0]) * scale).toFixed(1)}" height="${((region.high[1] - region.low[1]) * scale).toFixed(1)}" ${style}/>`;
    return `${shape}<text x="${x(cx)}" y="${y(cy)}" text-anchor="middle" dominant-baseline="central" fill="${color}">${escaped(region.name)}</text>`;
  });
  const paths = plot.paths.map(({ points, success }) => {
    const color = success ? COLORS.success : COLORS.failure;
    const line = points.map((point) => `${x(point[0])},${y(point[1])}`).join(' ');
    const [first, last] = [points[0]!, points.at(-1)!];
    return (
      `<polyline points="${line}" fill="none" stroke="${color}" stroke-opacity="0.75" stroke-width="1.3"${success ? '' : ' stroke-dasharray="4 3"'}/>` +
      `<circle cx="${x(first[0])}" cy="${y(first[1])}" r="3.4" fill="white" stroke="${color}"/>` +
      `<circle cx="${x(last[0])}" cy="${y(last[1])}" r="2.8" fill="${color}"/>`
    );
  });
  const width = SIZE + 2 * MARGIN;
  const height = SIZE + HEAD + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${MARGIN}" y="20" font-size="14" fill="#111827">${escaped(plot.title)}</text>`,
    `<text x="${MARGIN}" y="37" font-size="11" fill="#6b7280">${escaped(plot.subtitle ?? '')}</text>`,
    `<rect x="${MARGIN}" y="${HEAD}" width="${SIZE}" height="${SIZE}" fill="none" stroke="#d1d5db"/>`,
    ...regions,
    ...paths,
    '</svg>',
    '',
  ].join('\n');
}

/** A square that holds everything. */
function frame({ regions, paths }: TrajectoryPlot): { low: readonly [number, number]; scale: number } {
  const points = [
    ...paths.flatMap((path) => path.points),
    ...regions.flatMap((region) =>
      region.kind === 'disc'
        ? [-region.radius, region.radius].map((r) => [region.centre[0] + r, region.centre[1] + r] as const)
        : [region.low, region.high],
    ),
  ];
  const bounds = ([0, 1] as const).map((axis) => {
    const values = points.map((point) => point[axis]).filter(Number.isFinite);
    return values.length === 0 ? ([-1, 1] as const) : ([Math.min(...values), Math.max(...values)] as const);
  });
  const side = 1.06 * Math.max(...bounds.map(([least, most]) => most - least), 1e-6);
  const low = bounds.map(([least, most]) => (least + most - side) / 2) as [number, number];
  return { low, scale: SIZE / side };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
