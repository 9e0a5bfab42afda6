import {
  type LearningCurve,
  learningCurveSpec,
  renderSvg,
  type ScalarCurve,
  scalarCurveSpec,
} from '#view/plots';

/** One run as one HTML file: no script, no link, nothing to fetch. */

/** Success of one policy over a fixed set of episodes, with its 95 % Wilson interval. */
export interface Score {
  readonly successes: number;
  readonly episodes: number;
  readonly low: number;
  readonly high: number;
  /** Control steps of an episode, on average. */
  readonly meanLength?: number;
}

/** Two policies on the same initial states, episode by episode. */
export interface Pairing {
  readonly both: number;
  readonly onlyBase: number;
  readonly onlyPolicy: number;
  readonly neither: number;
  /** Two-sided exact p-value of McNemar's test. */
  readonly pValue: number;
}

export interface RunReport {
  readonly title: string;
  readonly description?: string;
  /** What the run was: label and value, in order. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly phases: readonly { readonly name: string; readonly seconds: number; readonly note?: string }[];
  readonly scores: readonly { readonly name: string; readonly score: Score }[];
  readonly pairing?: Pairing;
  /** What is shipped, and why; the evaluation gate's words. */
  readonly verdict?: string;
  readonly curve?: LearningCurve;
  readonly scalars: readonly ScalarCurve[];
  readonly strips: readonly { readonly caption: string; readonly png: Uint8Array }[];
  readonly notes: readonly string[];
  /** The resolved configuration, as text. */
  readonly config: string;
  /** The command line that makes this run again. */
  readonly command: string;
}

export async function renderReport(report: RunReport): Promise<string> {
  const curve = report.curve ? await renderSvg(learningCurveSpec(report.curve)) : '';
  const scalars = await Promise.all(report.scalars.map((scalar) => renderSvg(scalarCurveSpec(scalar))));
  const sections = [
    section('Result', resultTable(report) + verdictLine(report.verdict)),
    section('Learning curve', curve),
    section('Episodes', report.strips.map(strip).join('\n')),
    section(
      'Training',
      phaseTable(report) + scalars.map((svg) => `<span class="plot">${svg}</span>`).join('\n'),
    ),
    section('Notes', list(report.notes)),
    section('Reproduce', `<pre>${escapeHtml(report.command)}</pre>`),
    section(
      'Configuration',
      report.config &&
        `<details><summary>resolved</summary><pre>${escapeHtml(report.config)}</pre></details>`,
    ),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(report.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(report.title)}</h1>
${report.description === undefined ? '' : `<p>${escapeHtml(report.description)}</p>`}
<dl>${report.facts.map(([label, value]) => `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>
${sections.filter(Boolean).join('\n')}
</body>
</html>
`;
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #e5e7eb; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 2rem; } dt { color: #6b7280; font-size: .8rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem 1rem .3rem 0; font-variant-numeric: tabular-nums; } th { color: #6b7280; font-weight: 500; }
pre { background: #f3f4f6; padding: .8rem; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } figure img { max-width: 100%; border-radius: 4px; } figcaption { color: #6b7280; font-size: .85rem; }
svg { max-width: 100%; height: auto; } .plot { display: inline-block; } .verdict { font-weight: 600; }
.bar { position: relative; width: 16rem; height: .9rem; background: #f3f4f6; border-radius: 3px; }
.bar i { position: absolute; top: 0; bottom: 0; background: #bfdbfe; } .bar b { position: absolute; top: 0; bottom: 0; width: 2px; background: #2563eb; }
`;

function section(title: string, body: string): string {
  return body === '' ? '' : `<section><h2>${escapeHtml(title)}</h2>\n${body}\n</section>`;
}

function resultTable({ scores, pairing }: RunReport): string {
  if (scores.length === 0) return '';
  const rows = scores.map(({ name, score }) => {
    const { successes, episodes, low, high, meanLength } = score;
    const rate = successes / episodes;
    const bar = `<div class="bar"><i style="left:${percent(low)};width:${percent(high - low)}"></i><b style="left:${percent(rate)}"></b></div>`;
    const cells = [
      escapeHtml(name),
      percent(rate),
      `${percent(low)} to ${percent(high)}`,
      `${successes} of ${episodes}`,
      meanLength === undefined ? '' : meanLength.toFixed(1),
      bar,
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const heads = ['policy', 'success', '95 % interval', 'episodes', 'mean steps', ''];
  const head = `<tr>${heads.map((text) => `<th>${text}</th>`).join('')}</tr>`;
  return `<table>${head}${rows.join('')}</table>${pairing ? pairingLine(pairing) : ''}`;
}

function pairingLine({ both, onlyBase, onlyPolicy, neither, pValue }: Pairing): string {
  const p = pValue < 1e-4 ? pValue.toExponential(1) : pValue.toFixed(4);
  return (
    `<p>On the same initial states: both succeed ${both}, only the base ${onlyBase}, only base + residual ` +
    `${onlyPolicy}, neither ${neither}; McNemar's exact test gives p = ${p}.</p>`
  );
}

function verdictLine(verdict: string | undefined): string {
  return verdict === undefined ? '' : `<p class="verdict">${escapeHtml(verdict)}</p>`;
}

function phaseTable({ phases }: RunReport): string {
  if (phases.length === 0) return '';
  const rows = phases.map(
    ({ name, seconds, note = '' }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${duration(seconds)}</td><td>${escapeHtml(note)}</td></tr>`,
  );
  return `<table><tr><th>phase</th><th>time</th><th></th></tr>${rows.join('')}</table>\n`;
}

function strip({ caption, png }: { caption: string; png: Uint8Array }): string {
  const data = Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64');
  const text = escapeHtml(caption);
  return `<figure><img alt="${text}" src="data:image/png;base64,${data}"><figcaption>${text}</figcaption></figure>`;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '' : `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
