import { describe, expect, it } from 'vitest';
import { type RunReport, renderReport } from '#view/report';

const report: RunReport = {
  title: 'peg_insertion',
  description: 'clearance < 3 mm & "tight"',
  facts: [
    ['seed', '1'],
    ['engine', 'native, 2 threads'],
  ],
  phases: [{ name: 'online', seconds: 119.7, note: '20000 steps' }],
  scores: [
    { name: 'base', score: { successes: 84, episodes: 200, low: 0.354, high: 0.489, meanLength: 80.25 } },
    { name: 'base + residual', score: { successes: 198, episodes: 200, low: 0.964, high: 0.997 } },
  ],
  pairing: { both: 83, onlyBase: 1, onlyPolicy: 115, neither: 1, pValue: 2.8e-33 },
  verdict: 'ships base + residual',
  curve: {
    title: 'success',
    series: [
      { name: 'base + residual', points: [{ environmentSteps: 10, success: 0.5, low: 0.2, high: 0.8 }] },
    ],
  },
  scalars: [
    {
      title: 'critic loss',
      unit: '',
      series: [{ name: 'critic', points: [{ environmentSteps: 10, value: 1 }] }],
    },
  ],
  strips: [{ caption: 'episode 3 <failed>', png: Uint8Array.of(137, 80, 78, 71) }],
  notes: ['the gate passed'],
  config: 'residual:\n  scale: 0.3',
  command: "npx vernier train tasks/peg_insertion.yaml --residual.note='<b>'",
};

describe('the report of a run', () => {
  it('holds the numbers of the run', async () => {
    const html = await renderReport(report);
    const texts = [
      ...['42.0%', '35.4% to 48.9%', '84 of 200', '80.3', '99.0%', '198 of 200'],
      ...['only base + residual 115', 'p = 2.8e-33', 'ships base + residual', '2 min 0 s', 'scale: 0.3'],
      ...['critic loss', 'native, 2 threads', 'the gate passed'],
    ];
    for (const text of texts) expect(html).toContain(text);
    expect(html.match(/<svg/g)).toHaveLength(2);
  });

  it('is one file that fetches nothing, runs nothing, and takes no text for markup', async () => {
    const html = await renderReport(report);
    expect(html).not.toMatch(/<script|<link|src="(?!data:)|@import|url\((?!#)/);
    expect(html).toContain('data:image/png;base64,iVBORw==');
    expect(html).toContain('clearance &lt; 3 mm &amp; &quot;tight&quot;');
    expect(html).toContain('&lt;failed&gt;');
    expect(html).not.toContain("<b>'");
  });

  it('leaves out what the run does not have', async () => {
    const bare: RunReport = {
      title: 't',
      facts: [],
      phases: [],
      scores: [],
      scalars: [],
      strips: [],
      notes: [],
      config: '',
      command: 'c',
    };
    const html = await renderReport(bare);
    expect(html.match(/<h2>[^<]*/g)).toEqual(['<h2>Reproduce']);
  });
});
