import type { TopLevelSpec } from 'vega-lite';

/** Robustness over time, one panel per sub-formula above the other. */
export interface RobustnessPlot {
  readonly title: string;
  readonly subtitle?: string;
  /** `step` or `s`. */
  readonly timeUnit: string;
  readonly panels: readonly RobustnessPanel[];
}

export interface RobustnessPanel {
  readonly title: string;
  /** Values that are not finite leave a gap. */
  readonly points: readonly { readonly time: number; readonly value: number }[];
  /** Samples hold until the next one, or run straight to it. */
  readonly run: 'held' | 'straight';
  /** The sample that decided the whole formula. */
  readonly decisive?: { readonly time: number; readonly value: number };
}

const holdsColor = '#059669';
const failsColor = '#dc2626';

/** Green where a sub-formula holds, red where it does not, a dot on the sample that decided. */
export function robustnessSpec(plot: RobustnessPlot): TopLevelSpec {
  const times = plot.panels.flatMap(({ points }) => points.map(({ time }) => time));
  const domain = [Math.min(...times), Math.max(...times)];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 12,
    title: {
      text: plot.title,
      anchor: 'start',
      ...(plot.subtitle === undefined ? {} : { subtitle: plot.subtitle }),
    },
    config: {
      font: 'DejaVu Sans, Helvetica, Arial, sans-serif',
      view: { stroke: null },
      axis: { gridColor: '#e5e7eb', domainColor: '#9ca3af', tickColor: '#9ca3af', labelColor: '#374151' },
      title: { fontSize: 13, subtitleColor: '#6b7280' },
    },
    spacing: 14,
    vconcat: plot.panels.map((panel, i) =>
      panelSpec(panel, domain, i === plot.panels.length - 1 && plot.timeUnit),
    ),
  } as TopLevelSpec;
}

function panelSpec(panel: RobustnessPanel, domain: readonly number[], timeTitle: string | false): object {
  const interpolate = panel.run === 'held' ? 'step-after' : 'linear';
  const values = panel.points.map(({ time, value }) => ({
    time,
    value: Number.isFinite(value) ? value : null,
    above: Number.isFinite(value) ? Math.max(0, value) : null,
    below: Number.isFinite(value) ? Math.min(0, value) : null,
  }));
  const x = {
    field: 'time',
    type: 'quantitative',
    title: timeTitle || null,
    scale: { domain, nice: false },
    axis: { grid: false, labels: timeTitle !== false, ...(timeTitle === 'step' ? { tickMinStep: 1 } : {}) },
  };
  const y = (field: string) => ({ field, type: 'quantitative', title: null, axis: { tickCount: 3 } });
  const area = (field: string, color: string) => ({
    mark: { type: 'area', interpolate, color, opacity: 0.18 },
    encoding: { x, y: y(field) },
  });
  const { decisive } = panel;
  return {
    width: 620,
    height: 70,
    title: { text: panel.title, anchor: 'start', frame: 'group', fontSize: 11, fontWeight: 'normal' },
    data: { values },
    layer: [
      area('above', holdsColor),
      area('below', failsColor),
      { mark: { type: 'rule', color: '#9ca3af' }, encoding: { y: { datum: 0 } } },
      {
        mark: {
          type: 'line',
          interpolate,
          color: '#374151',
          strokeWidth: 1.5,
          invalid: 'break-paths-show-path-domains',
        },
        encoding: { x, y: y('value') },
      },
      ...(decisive && Number.isFinite(decisive.value)
        ? [
            {
              data: { values: [decisive] },
              mark: {
                type: 'point',
                filled: true,
                size: 60,
                opacity: 1,
                color: decisive.value > 0 ? holdsColor : failsColor,
              },
              encoding: { x, y: y('value') },
            },
          ]
        : []),
    ],
  };
}
