import { Resvg } from '@resvg/resvg-js';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** Static plots of a run, drawn without a browser: vega-lite to SVG, resvg to PNG. */

/** A success rate with the interval it was measured to. */
export interface Rate {
  readonly success: number;
  readonly low: number;
  readonly high: number;
}

export interface CurvePoint extends Rate {
  readonly environmentSteps: number;
}

export interface LearningCurve {
  readonly title: string;
  readonly subtitle?: string;
  /** One line each, in the order of the legend. */
  readonly series: readonly { readonly name: string; readonly points: readonly CurvePoint[] }[];
  /** The policy that learning starts from: a horizontal line over the whole width. */
  readonly base?: Rate & { readonly name: string };
}

const BASE_COLOR = '#8a8f98';
const SERIES_COLORS = ['#2563eb', '#d97706', '#059669', '#9333ea', '#dc2626', '#0891b2'];
const LEGEND = {
  title: null,
  orient: 'bottom',
  symbolType: 'stroke',
  symbolOpacity: 1,
  symbolStrokeWidth: 2,
} as const;
const FONT = 'DejaVu Sans, Helvetica, Arial, sans-serif';

/** Success against environment steps: a line and an interval band per series, the base dashed. */
export function learningCurveSpec(curve: LearningCurve): TopLevelSpec {
  const points = curve.series.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const end = Math.max(1, ...points.map((point) => point.environmentSteps));
  const base = curve.base ? [0, end].map((environmentSteps) => ({ ...curve.base, environmentSteps })) : [];
  const names = [...curve.series.map(({ name }) => name), ...(curve.base ? [curve.base.name] : [])];
  const colors = names.map((_, i) =>
    i < curve.series.length ? SERIES_COLORS[i % SERIES_COLORS.length]! : BASE_COLOR,
  );
  const x = {
    field: 'environmentSteps',
    type: 'quantitative',
    title: 'environment steps',
    scale: { domain: [0, end] as number[], nice: false },
    axis: { format: '~s', grid: false },
  } as const;
  const y = {
    field: 'success',
    type: 'quantitative',
    title: 'success',
    scale: { domain: [0, 1] as number[] },
    axis: { format: '.0%' },
  } as const;
  const color = {
    field: 'name',
    type: 'nominal',
    sort: names,
    scale: { domain: names, range: colors },
    legend: names.length > 1 ? LEGEND : null,
  } as const;
  const band = {
    mark: { type: 'area', opacity: 0.16 },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 560,
    height: 300,
    background: 'white',
    padding: 12,
    title: {
      text: curve.title,
      anchor: 'start',
      ...(curve.subtitle === undefined ? {} : { subtitle: curve.subtitle }),
    },
    config: {
      font: FONT,
      view: { stroke: null },
      axis: { gridColor: '#e5e7eb', domainColor: '#9ca3af', tickColor: '#9ca3af', labelColor: '#374151' },
      title: { fontSize: 14, subtitleColor: '#6b7280', offset: 10 },
    },
    layer: [
      {
        data: { values: base },
        layer: [band, { mark: { type: 'line', strokeDash: [6, 4] }, encoding: { x, y, color } }],
      },
      {
        data: { values: points },
        layer: [
          band,
          { mark: { type: 'line', point: { size: 28 }, strokeWidth: 2 }, encoding: { x, y, color } },
        ],
      },
    ],
  };
}

export interface ScalarCurve {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly { readonly environmentSteps: number; readonly value: number }[];
  }[];
  readonly logarithmic?: boolean;
  /** Ends of the vertical axis; what the values need when left out. */
  readonly range?: readonly [number, number];
}

/** Any measured quantity (a loss, a rate) against environment steps; values that are not finite leave a gap. */
export function scalarCurveSpec(curve: ScalarCurve): TopLevelSpec {
  const names = curve.series.map(({ name }) => name);
  const drawable = (value: number) => Number.isFinite(value) && (!curve.logarithmic || value > 0);
  const values = curve.series.flatMap(({ name, points }) =>
    points.map(({ environmentSteps, value }) => ({
      name,
      environmentSteps,
      value: drawable(value) ? value : null,
    })),
  );
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 260,
    height: 140,
    background: 'white',
    padding: 8,
    title: { text: curve.title, anchor: 'start' },
    config: { font: FONT, view: { stroke: null }, axis: { gridColor: '#e5e7eb' } },
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5, invalid: 'break-paths-show-path-domains' },
    encoding: {
      x: {
        field: 'environmentSteps',
        type: 'quantitative',
        title: null,
        axis: { format: '~s', grid: false },
      },
      y: {
        field: 'value',
        type: 'quantitative',
        title: curve.unit,
        scale: {
          ...(curve.logarithmic ? { type: 'log' } : { zero: false }),
          ...(curve.range ? { domain: [...curve.range] } : {}),
        },
      },
      color: {
        field: 'name',
        type: 'nominal',
        sort: names,
        scale: { domain: names, range: SERIES_COLORS },
        legend: names.length > 1 ? LEGEND : null,
      },
    },
  };
}

export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Rasterises an SVG; `scale` 2 suits a README on a dense screen. Text needs a font of the system. */
export function svgToPng(svg: string, scale = 2): Uint8Array {
  return new Resvg(svg, { fitTo: { mode: 'zoom', value: scale }, font: { loadSystemFonts: true } })
    .render()
    .asPng();
}
