import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StlTraceFlags } from '#cli/stl';
import { checkFormula, evaluateFormula, plotFormula } from '#cli/stlSession';
import { parseCsv, readTrace } from '#cli/stlTrace';
import { VernierError } from '#core/errors';
import { saveDemos } from '#data/demos';

const folder = mkdtempSync(join(tmpdir(), 'vernier-stl-'));
afterAll(() => rmSync(folder, { recursive: true }));

const flags: StlTraceFlags = { interpolation: 'linear', episode: 0, out: join(folder, 'out.svg') };

function lines(
  run: (context: { overrides: []; out: (line: string) => void; setExitCode: () => void }) => void,
): string[] {
  const all: string[] = [];
  run({ overrides: [], out: (line) => all.push(line), setExitCode: () => {} });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  return all.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof VernierError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('check', () => {
  it('prints the canonical form, the reach and the warnings', () => {
    expect(lines((context) => checkFormula('G[0,1 s] x > 3 and y < 2', { period: 0.1 }, context))).toEqual([
      'always[0,10] (x > 3) and y < 2',
      '  looks ahead  10 steps',
      '  looks back   0 steps',
      '  predicate 0  x > 3   (robustness x - 3)',
      '  predicate 1  y < 2   (robustness 2 - y)',
      'warning: formula:1:1: G binds tighter than and: this reads (G a) and b; write the parentheses, some tools read G (a and b)',
    ]);
  });

  it('names the file and the place of a mistake', () => {
    const path = write('spec.stl', 'G (x > 3\n  and)\n');
    expect(message(() => lines((context) => checkFormula(path, {}, context)))).toBe(
      `${path}:2:6: expected a formula: an operator, "(", or an expression, received ")"`,
    );
  });

  it('gives JSON without infinities', () => {
    const [line] = lines((context) => checkFormula('G x > 3', { json: true }, context));
    expect(JSON.parse(line!)).toMatchObject({
      canonical: 'always (x > 3)',
      reach: { future: 'inf', past: 0 },
    });
  });
});

describe('CSV', () => {
  it('reads numbers, conditions, quoted names and stamps', () => {
    const trace = parseCsv('time,"left, wheel", on\n0,1.5,true\n0.1,-2e3,False\n0.2,0,true\n\n', 'f.csv');
    expect(trace).toEqual({
      columns: { 'left, wheel': Float64Array.of(1.5, -2000, 0), on: [true, false, true] },
      time: Float64Array.of(0, 0.1, 0.2),
      period: 0.1,
    });
  });

  it.each([
    ['', 'f.csv:1:1: expected a line with the names of the signals'],
    ['x', 'f.csv:2:1: expected at least one sample'],
    ['x,x\n1,2', 'f.csv:1:1: the name "x" stands twice'],
    ['x,y\n1,2\n3', 'f.csv:3:1: expected 2 values, received 1'],
    ['x,y\n1,2\n3,?', 'f.csv:3:3: y: expected a number, true or false, received "?"'],
    ['x,y\n1,2\n3,', 'f.csv:3:3: y: expected a number, true or false, received ""'],
    ['x\n1\ntrue', 'f.csv:3:1: x: numbers and conditions in one column'],
  ])('%j is refused', (text, expected) => {
    expect(message(() => parseCsv(text, 'f.csv'))).toBe(expected);
  });
});

describe('eval', () => {
  const trace = write('trace.csv', 'x,p.x,p.y\n5,0,0\n4,3,4\n6,0,1\n2,0,0\n5,0,0\n');

  it('tells verdict, parts, and what decided', () => {
    expect(lines((context) => evaluateFormula('G[0,3] (x > 3)', trace, flags, context))).toEqual([
      'always[0,3] (x > 3)',
      'holds: no   (robustness -1, decided at step 3, time robustness -1 steps)',
      '',
      'part                 at 0 step  least  greatest',
      'x > 3                2          -1     3',
      'always[0,3] (x > 3)  -1         -1     2',
      '',
      'decided by',
      '  always[0,3] (x > 3)  step 0  -1',
      '  x > 3                step 3  -1',
    ]);
  });

  it('makes vectors of components', () => {
    const [line] = lines((context) =>
      evaluateFormula('F norm(p) >= 5', trace, { ...flags, json: true }, context),
    );
    expect(JSON.parse(line!)).toMatchObject({ verdict: true, robustness: 0, decidedAt: 1 });
  });

  it('names what the trace does not have', () => {
    expect(
      message(() =>
        evaluateFormula('F (y > 5)', trace, flags, { overrides: [], out: () => {}, setExitCode: () => {} }),
      ),
    ).toMatch(/^formula:1:4: unknown name "y", expected a signal/);
  });

  it('takes stamps of any distance in dense time, and only there', () => {
    const uneven = write('uneven.csv', 'time,x,on\n0,1,false\n1,3,true\n4,-3,false\n');
    const evaluate = (text: string, dense: boolean): string[] =>
      lines((context) => evaluateFormula(text, uneven, { ...flags, dense }, context));
    expect(message(() => evaluate('F (x > 2)', false))).toBe(`${uneven}: the stamps are not evenly spaced`);
    expect(evaluate('G[0, 2500 ms] (x > 0)', true)[1]).toBe('holds: no   (robustness 0)');
    expect(evaluate('F[0, 1 s] (on and x > 2)', true)[1]).toBe('holds: yes   (robustness 1)');
  });

  it('reads an episode with the names of its observation', () => {
    const path = join(folder, 'demos.vrn');
    saveDemos(path, {
      task: 't',
      taskHash: 'a',
      robotHash: 'b',
      controlPeriod: 0.5,
      observationFields: [
        { name: 'ee.position', length: 3, unit: 'm' },
        { name: 'gap', length: 1, unit: 'm' },
      ],
      actionNames: ['x'],
      O: 4,
      A: 1,
      episodes: [
        {
          seed: 0,
          environment: 0,
          episode: 0,
          length: 1,
          terminated: false,
          truncated: true,
          success: false,
        },
        { seed: 0, environment: 0, episode: 1, length: 2, terminated: true, truncated: false, success: true },
      ],
      observation: Float32Array.of(9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 0.5, 4, 5, 6, 0.25, 7, 8, 9, 0),
      action: Float32Array.of(9, 0.5, -0.5),
      reward: Float32Array.of(9, 0, 1),
    });
    expect(readTrace(path, 1)).toMatchObject({
      columns: {
        'ee.position.y': Float64Array.of(2, 5),
        gap: Float64Array.of(0.5, 0.25),
        reward: Float64Array.of(0, 1),
      },
      period: 0.5,
    });
    const holds = lines((context) =>
      evaluateFormula(
        'F[0, 0.5 s] (ee.position.z > 5 and gap < 0.3 and norm(ee.position) > 8)',
        path,
        { ...flags, episode: 1 },
        context,
      ),
    );
    expect(holds[1]).toMatch(/^holds: yes {3}\(robustness 0.05,/);
    expect(message(() => readTrace(path, 2))).toBe(`${path}: expected an episode from 0 to 1, received 2`);
  });
});

it('plots one panel per part', async () => {
  const trace = write('plot.csv', 'x\n5\n4\n6\n2\n5\n');
  await plotFormula('G[0,3] (x > 3)', trace, flags, { overrides: [], out: () => {}, setExitCode: () => {} });
  const svg = readFileSync(flags.out, 'utf8');
  for (const text of ['x &gt; 3', 'always[0,3] (x &gt; 3)', 'does not hold, robustness -1'])
    expect(svg).toContain(text);
  // An area above and one below zero, and a line, in both panels.
  expect(svg.match(/aria-roledescription="(area|line) mark"/g)!.length).toBeGreaterThanOrEqual(4);
});
