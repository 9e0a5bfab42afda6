import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zstd from '@foxglove/wasm-zstd';
import { McapWriter, TempBuffer } from '@mcap/core';
import { afterAll, describe, expect, it } from 'vitest';
import type { StlTraceFlags } from '#cli/stl';
import { runFormula } from '#cli/stlRun';
import { checkFormula, evaluateFormula, plotFormula } from '#cli/stlSession';
import { parseCsv, readTrace, type StampedSignals } from '#cli/stlTrace';
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
    expect(readTrace(path, 1, '')).toMatchObject({
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
    expect(message(() => readTrace(path, 2, ''))).toBe(
      `${path}: expected an episode from 0 to 1, received 2`,
    );
  });
});

/** Messages of JSON as { topic, seconds, value }; `drop` leaves bytes of the end away. */
async function mcap(
  name: string,
  messages: readonly { readonly topic: string; readonly at: number; readonly value: unknown }[],
  drop = 0,
): Promise<string> {
  const buffer = new TempBuffer();
  const writer = new McapWriter({ writable: buffer });
  await writer.start({ profile: '', library: 'test' });
  const channels = new Map<string, number>();
  for (const topic of new Set(messages.map((message) => message.topic))) {
    const schemaId = await writer.registerSchema({
      name: topic,
      encoding: 'jsonschema',
      data: new TextEncoder().encode('{"type":"object"}'),
    });
    channels.set(
      topic,
      await writer.registerChannel({ topic, messageEncoding: 'json', schemaId, metadata: new Map() }),
    );
  }
  for (const [sequence, { topic, at, value }] of messages.entries()) {
    const logTime = BigInt(Math.round(at * 1e9)) + 1_700_000_000_000_000_000n;
    const data = new TextEncoder().encode(JSON.stringify(value));
    await writer.addMessage({
      channelId: channels.get(topic)!,
      sequence,
      logTime,
      publishTime: logTime,
      data,
    });
  }
  await writer.end();
  const path = join(folder, name);
  const bytes = buffer.get();
  writeFileSync(path, bytes.subarray(0, bytes.length - drop));
  return path;
}

describe('MCAP', () => {
  const gap = (at: number, value: number) => ({
    topic: '/arm/gap',
    at,
    value: { data: value, ok: value < 3 },
  });
  const joints = (at: number, ...position: number[]) => ({
    topic: '/joint_states',
    at,
    value: { name: ['shoulder', 'elbow'], position, frame: 'base', extra: at > 0.1 ? [1] : [] },
  });
  const messages = [gap(0, 5), joints(0.05, 1, 2), gap(0.1, 4), joints(0.15, 3, 4), gap(0.2, 2), gap(0.3, 1)];

  function evaluate(text: string, path: string, over: Partial<StlTraceFlags> = {}): Record<string, unknown> {
    const [line] = lines((context) =>
      evaluateFormula(text, path, { ...flags, ...over, json: true }, context),
    );
    return JSON.parse(line!) as Record<string, unknown>;
  }

  it('reads the topics that the formula names', async () => {
    const path = await mcap('gap.mcap', messages);
    expect(readTrace(path, 0, 'arm.gap.data < 3')).toEqual({
      signals: {
        'arm.gap.data': { time: Float64Array.of(0, 0.1, 0.2, 0.3), value: Float64Array.of(5, 4, 2, 1) },
        'arm.gap.ok': { time: Float64Array.of(0, 0.1, 0.2, 0.3), value: [false, false, true, true] },
      },
    });
    expect(evaluate('F[0, 200 ms] (arm.gap.ok and arm.gap.data < 3)', path)).toMatchObject({
      canonical: 'eventually[0,2] (arm.gap.ok and arm.gap.data < 3)',
      robustness: 1,
    });
    expect(message(() => evaluate('F (gap < 3)', path))).toBe(`${path}: no topic stands in the formula`);
  });

  it('brings stamps of several topics together in dense time or by sampling', async () => {
    const path = await mcap('joints.mcap', messages);
    const text = 'F (joint_states.position[1] > 3 and arm.gap.data < 5)';
    expect(message(() => evaluate(text, path))).toMatch(/stamps of their own/);
    // Held: at 0.05 [5; 2], at 0.15 [4; 4].
    expect(evaluate(text, path, { period: 0.05 })).toMatchObject({ robustness: 1, timeUnit: 'step' });
    expect(evaluate(text, path, { dense: true, interpolation: 'previous' })).toMatchObject({ robustness: 1 });
    // Straight: at 0.15 the gap is 3.
    expect(
      evaluate('F (joint_states.position[1] > 3 and arm.gap.data < 3.5)', path, { dense: true }),
    ).toMatchObject({
      robustness: expect.closeTo(0.5, 9),
    });
    expect(evaluate("G ('joint_states.position.elbow' < 5)", path, { period: 0.05 })).toMatchObject({
      robustness: 1,
    });
    // `extra` changes its length, `frame` is a text.
    const signals = Object.keys((readTrace(path, 0, 'joint_states') as StampedSignals).signals);
    expect(signals).toEqual([
      'joint_states.position[0]',
      'joint_states.position[1]',
      'joint_states.position.shoulder',
      'joint_states.position.elbow',
    ]);
  });

  it('reads messages of ROS 2 by the definition in the file, stamped by their headers', async () => {
    const definition = `std_msgs/Header header
float64 data
===
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
===
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
`;
    const stamped = (sec: number, value: number): Uint8Array => {
      const bytes = new Uint8Array(28);
      const view = new DataView(bytes.buffer);
      bytes[1] = 1;
      view.setInt32(4, sec, true);
      view.setUint32(8, 500_000_000, true);
      view.setUint32(12, 1, true);
      view.setFloat64(20, value, true);
      return bytes;
    };
    const write = async (
      name: string,
      messageEncoding: string,
      compression: string,
      compress = (plain: Uint8Array): Uint8Array => plain,
    ): Promise<string> => {
      const buffer = new TempBuffer();
      const writer = new McapWriter({
        writable: buffer,
        compressChunk: (plain) => ({ compression, compressedData: compress(plain) }),
      });
      await writer.start({ profile: 'ros2', library: 'test' });
      const data = new TextEncoder().encode(definition);
      const schemaId = await writer.registerSchema({ name: 'a/msg/Stamped', encoding: 'ros2msg', data });
      const metadata = new Map<string, string>();
      const channelId = await writer.registerChannel({ topic: '/x', messageEncoding, schemaId, metadata });
      for (const [sequence, value] of [3, 4, 2].entries()) {
        // Logged in the order of neither stamps nor values.
        const logTime = BigInt(10 - sequence);
        await writer.addMessage({
          channelId,
          sequence,
          logTime,
          publishTime: logTime,
          data: stamped(100 + sequence, value),
        });
      }
      await writer.end();
      const path = join(folder, name);
      writeFileSync(path, buffer.get());
      return path;
    };
    await zstd.isLoaded;
    for (const file of [
      await write('plain.mcap', 'cdr', ''),
      await write('zstd.mcap', 'cdr', 'zstd', (plain) => zstd.compress(plain)),
      await write('lz4.mcap', 'cdr', 'lz4', storedLz4),
    ]) {
      const { signals } = readTrace(file, 0, 'x.data') as StampedSignals;
      expect(signals['x.data']).toEqual({ time: Float64Array.of(0, 1, 2), value: Float64Array.of(3, 4, 2) });
    }
    const other = await write('other.mcap', 'protobuf', '');
    expect(message(() => readTrace(other, 0, 'x.data'))).toMatch(/expected messages in json or cdr/);
    for (const compression of ['lz4', 'zstd', 'bz2']) {
      const damaged = await write('damaged.mcap', 'cdr', compression);
      expect(message(() => readTrace(damaged, 0, 'x.data'))).toMatch(/damaged\.mcap: .+/);
    }
  });

  it('refuses a torn file', async () => {
    const path = await mcap('torn.mcap', messages, 30);
    expect(message(() => readTrace(path, 0, 'arm.gap'))).toMatch(/torn\.mcap: /);
  });
});

it('runs an episode of a task under its own formula', async () => {
  const all: string[] = [];
  const out = join(folder, 'run.svg');
  await runFormula(
    'tasks/reach_hold.yaml',
    { policy: 'expert', episode: 1, out },
    {
      overrides: [
        'expert.noise=0',
        'guard=[{name: slow, holds: norm(ee.velocity) < 0.05, violation: count}]',
      ],
      out: (line) => all.push(line),
      setExitCode: () => {},
    },
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const text = all.join('\n').replaceAll(/\u001b\[\d+m/g, '');
  expect(text).toMatch(/^holds: yes {3}\(robustness 0\.0/m);
  expect(text).toMatch(/^guard slow: violated at \d+ steps, first at step \d+$/m);
  expect(text).toMatch(/^the episode ended with success after \d+ steps$/m);
  expect(readFileSync(out, 'utf8')).toContain('gap &lt; 0.02');
  await expect(
    runFormula('reach', { episode: 0 }, { overrides: [], out: () => {}, setExitCode: () => {} }),
  ).rejects.toThrow(/no `spec`/);
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

/** An LZ4 frame of one block that is stored as it is. */
function storedLz4(plain: Uint8Array): Uint8Array {
  const frame = new Uint8Array(7 + 4 + plain.length + 4);
  const view = new DataView(frame.buffer);
  frame.set([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  view.setUint32(7, plain.length + 0x80000000, true);
  frame.set(plain, 11);
  return frame;
}
