import { readFileBytes } from '#core/container';
import { VernierError } from '#core/errors';
import { episodeOffsets, loadDemos } from '#data/demos';
import { readMcap, type StampedSignal, topicName } from '#data/mcap';
import type { SampledTrace } from '#stl/signals';

/** Signals with stamps of their own. */
export interface StampedSignals {
  readonly signals: Readonly<Record<string, StampedSignal>>;
}

/** Reads recorded signals: a CSV file, one episode of a file of episodes, or of an MCAP file the topics whose names stand
 * in the formula.
 * @throws DATA with the place of what cannot be read */
export function readTrace(path: string, episode: number, formula: string): SampledTrace | StampedSignals {
  if (path.endsWith('.vrn')) return readEpisode(path, episode);
  if (!path.endsWith('.mcap')) return parseCsv(new TextDecoder().decode(readFileBytes(path)), path);
  const topics = new Set<string>();
  const signals = readMcap(path, (topic) => {
    topics.add(topicName(topic));
    return formula.includes(topicName(topic));
  });
  if (Object.keys(signals).length > 0) return { signals };
  throw new VernierError('DATA', `${path}: no topic stands in the formula`, {
    hint: `the topics are ${[...topics].sort().join(', ') || 'none'}`,
  });
}

/** One row of all signals per period from where all have a value to where one ends: the last value of each holds. Without
 * a period, the stamps as they are, where all signals have the same.
 * @throws DATA when that leaves nothing */
export function sampleAndHold({ signals }: StampedSignals, path: string, period?: number): SampledTrace {
  const all = Object.values(signals);
  const [first] = all;
  const rows = period === undefined ? first!.time : clock(all, period);
  if (period === undefined && !all.every(({ time }) => sameStamps(time, first!.time))) {
    throw new VernierError('DATA', `${path}: the signals have stamps of their own`, {
      hint: 'evaluate in dense time with --dense, or name the period to sample them at with --period',
    });
  }
  if (rows.length === 0)
    throw new VernierError('DATA', `${path}: the signals have no span of time in common`);
  const columns = Object.fromEntries(
    Object.entries(signals).map(([name, signal]) => [name, held(signal, rows)]),
  );
  const even = period ?? evenPeriod(rows);
  return { columns, time: rows, ...(even === undefined ? {} : { period: even }) };
}

function clock(signals: readonly StampedSignal[], period: number): Float64Array {
  const from = Math.max(...signals.map(({ time }) => time[0]!));
  const to = Math.min(...signals.map(({ time }) => time.at(-1)!));
  const length = Math.max(0, Math.floor((to - from) / period + 1e-6) + 1);
  return Float64Array.from({ length }, (_, k) => from + k * period);
}

function sameStamps(a: Float64Array, b: Float64Array): boolean {
  return a === b || (a.length === b.length && a.every((t, i) => t === b[i]));
}

function held({ time, value }: StampedSignal, rows: Float64Array): Float64Array | boolean[] {
  let i = 0;
  // A stamp that rounding puts just behind its row still counts.
  const indices = Array.from(rows, (t) => {
    while (i + 1 < time.length && time[i + 1]! <= t + 1e-9) i++;
    return i;
  });
  return value instanceof Float64Array
    ? Float64Array.from(indices, (k) => value[k]!)
    : indices.map((k) => value[k]!);
}

/** One line of names, then one of values per sample: numbers, or true and false. The column `time`, in seconds, gives the
 * stamps; evenly spaced ones also give the period. */
export function parseCsv(text: string, file: string): SampledTrace {
  const lines = text.split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  const fail = (line: number, column: number, message: string): never => {
    throw new VernierError('DATA', message, { at: { file, line, column } });
  };
  const names = splitRow(lines[0] ?? '').map(({ text }) => text);
  if (names.every((name) => name === '')) return fail(1, 1, 'expected a line with the names of the signals');
  if (lines.length < 2) return fail(2, 1, 'expected at least one sample');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return fail(1, 1, `the name "${twice}" stands twice`);
  const values = names.map((): (number | boolean)[] => []);
  for (const [i, line] of lines.slice(1).entries()) {
    const cells = splitRow(line);
    if (cells.length !== names.length) {
      return fail(i + 2, 1, `expected ${names.length} values, received ${cells.length}`);
    }
    for (const [c, { text: cell, column }] of cells.entries()) {
      const value = parseCell(cell);
      if (value === undefined)
        return fail(i + 2, column, `${names[c]}: expected a number, true or false, received "${cell}"`);
      if (typeof value !== typeof (values[c]![0] ?? value)) {
        return fail(i + 2, column, `${names[c]}: numbers and conditions in one column`);
      }
      values[c]!.push(value);
    }
  }
  const columns = Object.fromEntries(names.map((name, c) => [name, toColumn(values[c]!)]));
  const { time, ...rest } = columns;
  if (!(time instanceof Float64Array)) return { columns: rest };
  const period = evenPeriod(time);
  return { columns: rest, time, ...(period === undefined ? {} : { period }) };
}

function toColumn(values: readonly (number | boolean)[]): Float64Array | readonly boolean[] {
  return typeof values[0] === 'boolean' ? (values as boolean[]) : Float64Array.from(values as number[]);
}

/** Cells of a row with the columns they start at; quotes may enclose a cell and double inside it. */
function splitRow(line: string): { readonly text: string; readonly column: number }[] {
  const cells: { text: string; column: number }[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)/y;
  while (pattern.lastIndex <= line.length) {
    const column = pattern.lastIndex + 1;
    const match = pattern.exec(line);
    if (!match) return [...cells, { text: line.slice(column - 1), column }];
    cells.push({ text: match[1]?.replaceAll('""', '"') ?? match[2]!, column });
    if (!match[0].endsWith(',')) break;
  }
  return cells;
}

function parseCell(cell: string): number | boolean | undefined {
  if (/^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  const value = cell === '' ? Number.NaN : Number(cell);
  return Number.isNaN(value) ? undefined : value;
}

/** The distance of the stamps, where it is the same throughout. */
function evenPeriod(time: Float64Array): number | undefined {
  if (time.length < 2) return undefined;
  const period = (time.at(-1)! - time[0]!) / (time.length - 1);
  const isEven = time.every((t, i) => Math.abs(t - time[0]! - i * period) <= 1e-3 * period);
  return isEven && period > 0 ? Number(period.toPrecision(9)) : undefined;
}

const componentNames = ['x', 'y', 'z', 'w'] as const;

/** The observation by its fields, the action and the reward of each step; the last observation has no step. */
function readEpisode(path: string, index: number): SampledTrace {
  const demos = loadDemos(path);
  const episode = demos.episodes[index];
  if (!episode) {
    throw new VernierError(
      'DATA',
      `${path}: expected an episode from 0 to ${demos.episodes.length - 1}, received ${index}`,
    );
  }
  const { step, observation } = episodeOffsets(demos)[index]!;
  const columns: Record<string, Float64Array> = {};
  const put = (name: string, data: Float32Array, row: number, width: number, offset: number): void => {
    columns[name] = Float64Array.from(
      { length: episode.length },
      (_, t) => data[(row + t) * width + offset]!,
    );
  };
  let offset = 0;
  for (const field of demos.observationFields) {
    for (let i = 0; i < field.length; i++) {
      const name = field.length === 1 ? field.name : componentOf(field.name, i, field.length);
      put(name, demos.observation, observation, demos.O, offset++);
    }
  }
  for (const [i, name] of demos.actionNames.entries()) put(`action.${name}`, demos.action, step, demos.A, i);
  put('reward', demos.reward, step, 1, 0);
  return { columns, period: demos.controlPeriod };
}

function componentOf(name: string, i: number, length: number): string {
  return length <= 3 ? `${name}.${componentNames[i]}` : `${name}[${i}]`;
}
