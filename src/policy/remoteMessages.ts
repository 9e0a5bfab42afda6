import { VernierError } from '#core/errors';
import type { RemoteInput, RemoteModel } from '#policy/remoteModel';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import { float32Array, NdArray } from '#transport/zeromq/ndarray';

/** What goes to a policy server and what comes back, by protocol. */

/** The data of get_action for n rows. @shape rows [n,O] */
export function requestData(model: RemoteModel, rows: Float32Array, O: number): MessageMap {
  const n = rows.length / O;
  const { inputs, text, protocol } = model;
  if (inputs === undefined) return { observation: float32Array([n, O], rows), ...text };
  const state = Object.fromEntries(inputs.map((input) => [input.name, inputArray(input, rows, O)]));
  if (protocol !== 'groot-n1.6') {
    const repeated = Object.entries(text).map(([name, line]) => [name, new Array<string>(n).fill(line)]);
    return { ...state, ...Object.fromEntries(repeated) };
  }
  const language = Object.entries(text).map(([name, line]) => [
    name,
    Array.from({ length: n }, () => [line]),
  ]);
  return { observation: { state, video: {}, language: Object.fromEntries(language) }, options: null };
}

/** @shape result [n,1,width]: a time step each */
function inputArray({ columns }: RemoteInput, rows: Float32Array, O: number): NdArray {
  const [n, width] = [rows.length / O, columns.length];
  const out = Float32Array.from({ length: n * width }, (_, i) => {
    return rows[Math.floor(i / width) * O + columns[i % width]!]!;
  });
  return float32Array([n, 1, width], out);
}

export interface RemoteChunks {
  /** H */
  readonly chunk: number;
  /** [n,H,A], clipped to [-1, 1] */
  readonly actions: Float32Array;
}

/** The chunks of n rows out of an answer to get_action.
 * @throws DATA where they do not fit; NUMERIC for NaN */
export function readChunks(model: RemoteModel, answer: MessageValue, n: number, A: number): RemoteChunks {
  const { endpoint, actions: keys } = model;
  const fail = (what: string): never => {
    throw new VernierError('DATA', `${endpoint}: get_action answered ${what}`, {
      hint: `expected arrays [rows, chunk, width] under ${keys.join(', ')}, widths of ${A} together`,
    });
  };
  const map = Array.isArray(answer) ? (answer[0] as MessageValue | undefined) : answer;
  if (!isMap(map)) return fail('no map');
  const parts = keys.map((key) => {
    const part = map[key];
    if (!(part instanceof NdArray))
      return fail(`no array ${JSON.stringify(key)}, but ${Object.keys(map).join(', ')}`);
    return part;
  });
  const H = chunkOf(parts, n) ?? fail(parts.map(({ shape }) => `[${shape.join(', ')}]`).join(', '));
  const widths = parts.map(({ data }) => data.length / (n * H));
  if (widths.reduce((sum, width) => sum + width, 0) !== A)
    return fail(`${parts.map(({ shape }) => `[${shape.join(', ')}]`).join(', ')} for ${n} rows`);
  return { chunk: H, actions: interleave(parts, widths, n * H, A, endpoint) };
}

/** The chunk length that all parts agree on: [n,H,width], or [n,H] where the width is 1. */
function chunkOf(parts: readonly NdArray[], n: number): number | undefined {
  const lengths = new Set(
    parts.map(({ shape }) => (shape[0] === n && (shape.length === 2 || shape.length === 3) ? shape[1]! : 0)),
  );
  const [H] = lengths;
  return lengths.size === 1 && H! > 0 ? H : undefined;
}

function interleave(
  parts: readonly NdArray[],
  widths: readonly number[],
  steps: number,
  A: number,
  endpoint: string,
): Float32Array {
  const out = new Float32Array(steps * A);
  let offset = 0;
  for (const [k, { data }] of parts.entries()) {
    const width = widths[k]!;
    for (let i = 0; i < data.length; i++) {
      const value = Number(data[i]);
      if (Number.isNaN(value)) throw new VernierError('NUMERIC', `${endpoint}: the remote base answered NaN`);
      out[Math.floor(i / width) * A + offset + (i % width)] = Math.min(1, Math.max(-1, value));
    }
    offset += width;
  }
  return out;
}
