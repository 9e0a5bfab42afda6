import { nearestName, VernierError } from '#core/errors';
import type { ServedPolicy } from '#policy/servedPolicy';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import { float32Array, NdArray } from '#transport/zeromq/ndarray';

/** Observations as clients send them, and actions as they expect them. Three forms are read:
 *
 * - `{observation: [O] or [B,O]}`, all fields in their order;
 * - a field each, `{"state.<field>": [n], [1,n] or [B,1,n]}`, as GR00T N1.5 sends them; the prefix may be left out;
 * - `{observation: {state: {<field>: [B,1,n]}}, options}`, as GR00T N1.6 does.
 *
 * What the policy has no use for (images, instructions) is left aside. */
export interface ObservationRequest {
  /** [B,O] */
  readonly observation: Float32Array;
  /** Whether the answer has a dimension of rows. */
  readonly batched: boolean;
  /** Whether the answer is a pair of actions and information. */
  readonly paired: boolean;
}

const MAX_ROWS = 4096;

/** @throws DATA naming the field that is missing or does not fit */
export function readObservation(data: MessageMap, info: ServedPolicy): ObservationRequest {
  const given = data['observation'];
  if (given instanceof NdArray) return { ...wholeRows(given, info), paired: false };
  const nested = isMap(given);
  const source = nested ? given : data;
  const state = isMap(source['state']) ? source['state'] : {};
  const find = (name: string): MessageValue | undefined =>
    state[name] ?? source[`state.${name}`] ?? source[name];
  return { ...fieldRows(find, [...Object.keys(state), ...Object.keys(source)], info), paired: nested };
}

function wholeRows(array: NdArray, info: ServedPolicy): { observation: Float32Array; batched: boolean } {
  const O = info.observation.reduce((sum, { length }) => sum + length, 0);
  const { shape } = array;
  if (shape.length < 1 || shape.length > 2 || shape[shape.length - 1] !== O)
    throw new VernierError(
      'DATA',
      `observation: expected [${O}] or [rows, ${O}], received [${shape.join(', ')}]`,
    );
  const observation = numbersOf('observation', array);
  checkRows(observation.length / O);
  return { observation, batched: shape.length === 2 };
}

function fieldRows(
  find: (name: string) => MessageValue | undefined,
  names: readonly string[],
  { observation: fields }: ServedPolicy,
): { observation: Float32Array; batched: boolean } {
  const O = fields.reduce((sum, { length }) => sum + length, 0);
  let out: Float32Array | undefined;
  let batched = false;
  let offset = 0;
  for (const { name, length } of fields) {
    const array = find(name);
    if (!(array instanceof NdArray)) throw missing(name, array, names);
    const { shape } = array;
    const fits = shape[shape.length - 1] === length && (shape.length < 2 || shape[shape.length - 2] === 1);
    if (!fits || shape.length < 1 || shape.length > 3)
      throw new VernierError(
        'DATA',
        `${name}: expected [${length}], [1, ${length}] or [rows, 1, ${length}], received [${shape.join(', ')}]`,
      );
    const numbers = numbersOf(name, array);
    const rows = numbers.length / length;
    checkRows(rows);
    batched = shape.length === 3;
    out ??= new Float32Array(rows * O);
    if (rows * O !== out.length)
      throw new VernierError('DATA', `${name}: ${rows} rows, other fields have ${out.length / O}`);
    for (let row = 0; row < rows; row++)
      out.set(numbers.subarray(row * length, (row + 1) * length), row * O + offset);
    offset += length;
  }
  return { observation: out!, batched };
}

function missing(name: string, found: MessageValue | undefined, names: readonly string[]): VernierError {
  if (found !== undefined) return new VernierError('DATA', `${name}: expected an array of numbers`);
  const near = nearestName(name, names.map((sent) => sent.replace(/^state\./, '')).slice(0, 100));
  return new VernierError('DATA', `the observation has no ${JSON.stringify(name)}`, {
    hint: near === undefined ? 'ask for `metadata` to see what the policy observes' : `was ${near} meant?`,
  });
}

function numbersOf(name: string, { data, dtype }: NdArray): Float32Array {
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number);
  const bad = numbers.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new VernierError('DATA', `${name}: number ${bad} is ${numbers[bad]}, ${dtype} must be finite here`);
  return numbers;
}

function checkRows(rows: number): void {
  if (rows < 1 || rows > MAX_ROWS)
    throw new VernierError('DATA', `expected 1 to ${MAX_ROWS} rows, received ${rows}`);
}

/** The answer to a request: `{actions: [H,A] or [B,H,A], policy: fingerprint}`, or a pair of that and information. */
export function actionAnswer(
  actions: Float32Array,
  { chunk: H, actions: names, fingerprint }: ServedPolicy,
  { batched, paired }: ObservationRequest,
): MessageValue {
  const A = names.length;
  const shape = batched ? [actions.length / (H * A), H, A] : [H, A];
  const answer = { actions: float32Array(shape, actions), policy: fingerprint };
  return paired ? [answer, {}] : answer;
}

/** What GR00T's clients ask for: the names of every modality, and which time steps each has. */
export function modalityConfig({ observation, chunk }: ServedPolicy): MessageMap {
  return {
    state: { delta_indices: [0], modality_keys: observation.map(({ name }) => name) },
    action: { delta_indices: Array.from({ length: chunk }, (_, k) => k), modality_keys: ['actions'] },
  };
}
