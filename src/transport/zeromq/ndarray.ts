import { VernierError } from '#core/errors';
import type { NumberArray } from '#transport/numberKinds';

/** Arrays of numbers as numpy names them, in C order and little-endian. */

const KINDS = {
  '|b1': Uint8Array,
  '|u1': Uint8Array,
  '|i1': Int8Array,
  '<u2': Uint16Array,
  '<i2': Int16Array,
  '<u4': Uint32Array,
  '<i4': Int32Array,
  '<u8': BigUint64Array,
  '<i8': BigInt64Array,
  '<f4': Float32Array,
  '<f8': Float64Array,
} as const;

export type DType = keyof typeof KINDS;
/** numpy allows so many dimensions. */
const MAX_DIMENSIONS = 32;

export class NdArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: NumberArray;

  /** @throws SHAPE where `data` has not as many numbers as `shape` */
  constructor(dtype: DType, shape: readonly number[], data: NumberArray) {
    if (elementsOf(shape) !== data.length)
      throw new VernierError('SHAPE', `an array [${shape.join(', ')}] of ${data.length} numbers`);
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  /** The bytes of the numbers, borrowed. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.data.buffer, this.data.byteOffset, this.data.byteLength);
  }
}

export function float32Array(shape: readonly number[], data: Float32Array): NdArray {
  return new NdArray('<f4', shape, data);
}

/** An array from what a peer sent. Bytes that are aligned are borrowed, others copied.
 * @throws DATA for a dtype that is not one of numbers (objects, strings, structures), or bytes that do not fit */
export function arrayFromBytes(dtype: string, shape: readonly number[], bytes: Uint8Array): NdArray {
  const Kind = kindOf(dtype);
  checkShape(shape);
  const size = Kind.BYTES_PER_ELEMENT;
  const wanted = elementsOf(shape) * size;
  if (bytes.byteLength !== wanted)
    throw new VernierError(
      'DATA',
      `an array ${dtype} [${shape.join(', ')}] needs ${wanted} bytes, received ${bytes.byteLength}`,
    );
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const data = new Kind(aligned.buffer as ArrayBuffer, aligned.byteOffset, wanted / size);
  return new NdArray(dtype as DType, shape, data);
}

/** Bytes of one number. @throws DATA as `arrayFromBytes` */
export function itemSize(dtype: string): number {
  return kindOf(dtype).BYTES_PER_ELEMENT;
}

function kindOf(dtype: string): (typeof KINDS)[DType] {
  if (Object.hasOwn(KINDS, dtype)) return KINDS[dtype as DType];
  throw new VernierError('DATA', `arrays of dtype ${JSON.stringify(dtype.slice(0, 40))} are not read`, {
    hint: `send one of ${Object.keys(KINDS).join(', ')}`,
  });
}

/** @throws DATA */
export function checkShape(shape: readonly unknown[]): asserts shape is readonly number[] {
  const fits = shape.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  if (!fits || shape.length > MAX_DIMENSIONS || !Number.isSafeInteger(elementsOf(shape as number[]) * 8))
    throw new VernierError(
      'DATA',
      `[${shape.slice(0, 8).map(shown).join(', ')}] is not the shape of an array`,
    );
}

/** Maps out of messages cannot be made text. */
function shown(dimension: unknown): string {
  return typeof dimension === 'number' ? String(dimension) : typeof dimension;
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
