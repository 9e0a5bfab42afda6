import { VernierError } from '#core/errors';
import { arrayFromBytes, checkShape, itemSize, NdArray } from '#transport/zeromq/ndarray';

/** numpy's file format of one array, without pickle.
 * @source NEP 1, "A simple file format for NumPy arrays"; differs: arrays of numbers alone */

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;
/** Version 1.0: magic, version, a length of two bytes. */
const PREFIX = 10;
const ALIGNMENT = 64;
/** Room numpy leaves for the first dimension to grow in place. */
const GROWTH_DIGITS = 21;

/** What `numpy.save` writes before the numbers. */
export function npyHeader({ dtype, shape }: NdArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  let header = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  if (shape.length > 0) header += ' '.repeat(GROWTH_DIGITS - String(shape[0]).length);
  header += ' '.repeat(ALIGNMENT - ((PREFIX + header.length + 1) % ALIGNMENT));
  header += '\n';
  const out = new Uint8Array(PREFIX + header.length);
  out.set(MAGIC);
  out[6] = 1;
  new DataView(out.buffer).setUint16(8, header.length, true);
  for (let i = 0; i < header.length; i++) out[PREFIX + i] = header.charCodeAt(i);
  return out;
}

const HEADER =
  /^\{\s*'descr':\s*'([^']{1,16})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d,\s]*)\),?\s*\}\s*$/;

/** @throws DATA for anything that is not an array of numbers, byte for byte */
export function decodeNpy(file: Uint8Array): NdArray {
  const { header, body } = splitNpy(file);
  const match = HEADER.exec(header);
  if (!match) throw notNpy(`its header is ${JSON.stringify(header.trim().slice(0, 100))}`);
  const [, dtype, order, dimensions] = match;
  const shape = dimensions!.split(',').flatMap((n) => (n.trim() === '' ? [] : [Number(n)]));
  checkShape(shape);
  if (order === 'False') return arrayFromBytes(dtype!, shape, body);
  const transposed = arrayFromBytes(dtype!, [...shape].reverse(), body);
  return new NdArray(transposed.dtype, shape, arrayFromBytes(dtype!, shape, inCOrder(transposed)).data);
}

function splitNpy(file: Uint8Array): { header: string; body: Uint8Array } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < PREFIX || MAGIC.some((byte, i) => file[i] !== byte)) throw notNpy('the magic is missing');
  const version = file[6]!;
  if (version < 1 || version > 3) throw notNpy(`it is of version ${version}`);
  const start = version === 1 ? PREFIX : PREFIX + 2;
  if (file.length < start) throw notNpy('it is cut off');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > file.length - start) throw notNpy('it is cut off');
  const header = Buffer.from(file.buffer, file.byteOffset + start, length).toString('latin1');
  return { header, body: file.subarray(start + length) };
}

function notNpy(why: string): VernierError {
  return new VernierError('DATA', `not an array as numpy.save writes it: ${why}`);
}

/** The bytes of the transpose in C order: axes reversed. */
function inCOrder({ dtype, shape, bytes }: NdArray): Uint8Array {
  const size = itemSize(dtype);
  const out = new Uint8Array(bytes.length);
  const index = new Array<number>(shape.length).fill(0);
  const strides = strideOf([...shape].reverse()).reverse();
  for (let from = 0; from < bytes.length; from += size) {
    const to = index.reduce((sum, k, axis) => sum + k * strides[axis]!, 0) * size;
    for (let i = 0; i < size; i++) out[to + i] = bytes[from + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return out;
}

/** Elements between neighbours along each axis, in C order. */
function strideOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}
