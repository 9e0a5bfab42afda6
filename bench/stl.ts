import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { packageRoot } from '#native/addon';
import { commitWithChanges } from './commit.js';
import { compile, feedChunks, feedEpisodes, feedSingly, feedTwin } from './stl/ours.js';
import { type PeerResult, type PeerTask, prepareRtamt, runRtamt } from './stl/rtamt.js';

/** `npm run bench:stl`: microseconds per sample of the streaming monitors on one core, with rtamt run in between on the
 * same signal and compared value by value. Every figure is the best of short stretches, since the machine may be busy.
 * Writes docs/results/stl.md. */

interface Case {
  readonly name: string;
  readonly text: string;
  /** As rtamt is given it, in the form with which its online monitor agrees with its offline evaluation: the predicates
   * directly under `or` and `implies` it does not delay when it turns the future into the past. */
  readonly rtamt: string;
  /** Whether that form speaks of the future; else `offline` does. */
  readonly offline?: string;
  /** Microseconds per sample that FeSTL publishes: its value, its robust interval. */
  readonly festl?: readonly [value: number, interval: number | undefined];
}

const respond = (w: number): Case => ({
  name: `G[0,${w}](x>.5 -> F[0,100] x<0)`,
  text: `G[0,${w}](x > 0.5 -> F[0,100] x < 0)`,
  rtamt: `always[0:${w}]((not(x > 0.5)) or (eventually[0:100](x < 0)))`,
});
const until = (w: number): Case => ({
  name: `x<.9 U[0,${w}] x>.8`,
  text: `(x < 0.9) U[0,${w}] (x > 0.8)`,
  rtamt: `(x < 0.9) until[0:${w}] (x > 0.8)`,
  festl: [1.83 + 0.0089 * w, undefined],
});
const owed = (w: number): string => `G[0,${w}](x > 0.5 -> (x < 1.2 U[0,100] x < 0))`;
const table: readonly Case[] = [
  {
    name: 'x<.5 and x>-.5',
    text: 'x < 0.5 and x > -0.5',
    rtamt: '(x < 0.5) and (x > -0.5)',
    festl: [0.19, 0.18],
  },
  { ...respond(1000), festl: [0.64, 1057] },
  {
    name: 'G[0,100] x<.9 or G[100,150] x>-.9',
    text: 'G[0,100](x < 0.9) or G[100,150](x > -0.9)',
    rtamt: '(historically[50:150](x < 0.9)) or (historically[0:50](x > -0.9))',
    offline: '(always[0:100](x < 0.9)) or (always[100:150](x > -0.9))',
    festl: [0.56, 15.2],
  },
];
const windows = [10, 100, 1000, 10_000];

function signalOf(samples: number): Float64Array {
  return Float64Array.from(
    { length: samples },
    (_, i) => 0.8 * Math.sin(i / 23) + 0.5 * Math.sin(i / 7.1 + 1) * Math.sin(i / 190),
  );
}

const signal = signalOf(20_000);
/** Twice the widest window, so that it is full for half of the time. */
const long = signalOf(40_000);

const hasCpp = prepareRtamt();
if (hasCpp !== true) console.log(`rtamt's C++ monitors do not build here: ${hasCpp}`);

function peer(
  { rtamt, offline }: Case,
  how: 'python' | 'cpp',
  limits: Pick<PeerTask, 'chunk' | 'seconds'>,
): PeerResult | undefined {
  if (how === 'cpp' && hasCpp !== true) return undefined;
  return runRtamt({ spec: rtamt, pastify: offline === undefined, signal, ...limits }, how);
}

/** Largest difference of our values, which are `delay` late, from rtamt's, over the samples both have.
 * @param late how late rtamt's are */
function difference(ours: Float64Array, delay: number, theirs: PeerResult | undefined, late: number): string {
  let worst = 0;
  const count = (theirs?.values.length ?? 0) - delay;
  for (let t = 0; t < count; t++) {
    const value = theirs!.values[t + late];
    if (typeof value === 'number') worst = Math.max(worst, Math.abs(ours[t + delay]! - value));
  }
  return count > 0 ? String(worst) : '-';
}

const number = (x: number | undefined): string => (x === undefined ? '-' : String(Number(x.toPrecision(3))));
const ratio = (a: number | undefined, b: number): string => (a === undefined ? '-' : `${number(a / b)}x`);

function row(cells: readonly string[]): string {
  console.log(cells.join(' | '));
  return `| ${cells.join(' | ')} |`;
}

function speedRow(entry: Case): string {
  const ours = compile(entry.text, { outputs: 'value' });
  const values = new Float64Array(signal.length);
  const limits = { chunk: 250, seconds: 1.5 };
  const chunked = [feedChunks(ours, signal, values)];
  const single = [feedSingly(ours, signal)];
  const python = peer(entry, 'python', limits);
  chunked.push(feedChunks(ours, signal, values));
  single.push(feedSingly(ours, signal));
  const cpp = peer(entry, 'cpp', limits);
  chunked.push(feedChunks(ours, signal, values));
  single.push(feedSingly(ours, signal));
  const { delay } = ours.program;
  const spec = entry.offline ?? entry.rtamt;
  const part = signal.subarray(0, delay + 500);
  const offline = runRtamt({ spec, pastify: false, signal: part, ...limits }, 'offline');
  const best = { chunked: Math.min(...chunked), single: Math.min(...single), twin: feedTwin(ours, signal) };
  return row([
    `\`${entry.name}\``,
    number(python?.microseconds),
    number(cpp?.microseconds),
    number(entry.festl?.[0]),
    number(best.single),
    number(best.chunked),
    number(best.twin),
    ratio(python?.microseconds, best.single),
    ratio(cpp?.microseconds, best.single),
    ratio(entry.festl?.[0], best.single),
    ratio(entry.festl?.[0], best.chunked),
    difference(values, delay, offline, 0),
    difference(values, delay, python, delay),
    difference(values, delay, cpp, delay),
  ]);
}

const interval = { outputs: 'interval', end: 'pessimistic' } as const;

function windowRow(w: number): string {
  const rtamt = (entry: Case): number | undefined => {
    const seconds = 1.5 + w * 5e-3;
    return hasCpp === true
      ? runRtamt(
          { spec: entry.rtamt, pastify: true, signal: long.subarray(0, w + 2000), chunk: 200, seconds },
          'cpp',
        ).microseconds
      : undefined;
  };
  const values = new Float64Array(long.length);
  const timed = (entry: Case): [value: number, bounds: number] => [
    feedChunks(compile(entry.text, { outputs: 'value' }), long, values),
    feedEpisodes(compile(entry.text, interval), long, compile(entry.text, interval).episode),
  ];
  const [a, b] = [timed(until(w)), timed(respond(w))];
  const [slowUntil, slowRespond] = [rtamt(until(w)), rtamt(respond(w))];
  const [c, d] = [timed(until(w)), timed(respond(w))];
  const least = (i: 0 | 1, ...times: readonly [number, number][]): string =>
    number(Math.min(...times.map((t) => t[i])));
  const bounds = compile(owed(w), interval);
  const third = Math.min(...[0, 1].map(() => feedEpisodes(bounds, long, bounds.episode)));
  return row([
    String(w),
    number(slowUntil),
    number(until(w).festl![0]),
    least(0, a, c),
    least(1, a, c),
    number(slowRespond),
    least(0, b, d),
    least(1, b, d),
    number(third),
  ]);
}

function intervalRow({ name, text, festl }: Case): string {
  const ours = compile(text, interval);
  const result = Math.min(feedEpisodes(ours, signal, ours.episode), feedEpisodes(ours, signal, ours.episode));
  return row([
    `\`${name}\``,
    String(ours.episode),
    number(festl![1]),
    number(result),
    ratio(festl![1], result),
  ]);
}

const load = loadavg()[0]!.toFixed(1);
const speed = table.map(speedRow);
const flat = windows.map(windowRow);
const intervals = table.map(intervalRow);

const report = `# Streaming monitors

\`npm run bench:stl\`, commit ${commitWithChanges()}, ${cpus()[0]!.model.trim()}, one core used of ${cpus().length}, load ${load} before and ${loadavg()[0]!.toFixed(1)} after the run
(averages of a minute), Node ${process.versions.node}, rtamt 0.4.10${hasCpp === true ? '' : ` (its C++ monitors do not build here: ${hasCpp})`}. Microseconds per sample: ours the best of several passes over the
whole signal, rtamt's the best stretch of 200 to 250 samples of the same signal, run in between. Computing the predicates from x is in
every figure. FeSTL's figures are those it publishes, from another machine.

## The value, a horizon late

| formula | rtamt Python | rtamt C++ | FeSTL | ours, 1 a call | ours, 1000 a call | ours in TypeScript | rtamt Python / ours | rtamt C++ / ours | FeSTL / ours | FeSTL / ours, 1000 a call | difference from rtamt offline | from rtamt online, Python | C++ |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
${speed.join('\n')}

rtamt is driven from Python one sample a call, so its C++ figures hold Python's share, and ours fed one a call hold that of
JavaScript; ratios without a note are of these. Differences are the largest over the samples both have. rtamt is given the
second formula with \`not a or b\` for the implication and the third in its past form, since its own translation to the past
leaves predicates directly under \`or\` and \`implies\` undelayed, and its online values then differ from its offline ones.

## Width of the window

Until is \`${until(10).name.replace('10', 'w')}\`, response \`${respond(10).name.replace('10]', 'w]')}\`, owed until \`${owed(10).replace('10]', 'w]')}\`,
fed 1000 a call; the interval is that at the first sample, in episodes as long as the formula looks ahead.

| w | until: rtamt C++ | FeSTL | ours, value | ours, robust interval | response: rtamt C++ | ours, value | ours, robust interval | owed until: ours, robust interval |
|---|---|---|---|---|---|---|---|---|
${flat.join('\n')}

## The robust interval at the first sample

FeSTL's figures are for the intervals of every pending sample, which is more than the one that the verdict of an episode
needs; rtamt has no robust interval.

| formula | samples of an episode | FeSTL | ours | FeSTL / ours |
|---|---|---|---|---|
${intervals.join('\n')}
`;
const out = join(packageRoot, 'docs', 'results', 'stl.md');
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, report);
console.log(`wrote ${out}`);
