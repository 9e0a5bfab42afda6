import { VernierError } from '#core/errors';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import type { ArrayEncoding } from '#transport/zeromq/msgpackWriter';
import { arrayFromBytes, checkShape, type NdArray } from '#transport/zeromq/ndarray';
import { decodeNpy } from '#transport/zeromq/npy';

/** Reading what a peer sent, who may mean harm: every length is held against the bytes that are left before anything
 * is allocated, depth and number of values are limited, and nothing is ever made of a message but numbers, text, bytes,
 * lists, maps and arrays of numbers. */

const MAX_DEPTH = 32;
/** Numbers travel as arrays, so that more values than this are no observation. */
const MAX_VALUES = 100_000;

export interface DecodedMessage {
  readonly value: MessageValue;
  /** How the first of its arrays stood in it. */
  readonly arrays: ArrayEncoding | undefined;
}

/** @throws DATA, with the offset, for anything but one whole value */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at < bytes.length) throw reader.refuse(`${bytes.length - reader.at} bytes follow the value`);
  return { value, arrays: reader.arrays };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;
  arrays: ArrayEncoding | undefined;
  #values = 0;

  constructor(bytes: Uint8Array) {
    // A Buffer is one with another meaning of slice().
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  refuse(why: string): VernierError {
    return new VernierError('DATA', `not a MessagePack message: ${why}, at byte ${this.at}`);
  }

  value(depth: number): MessageValue {
    if (++this.#values > MAX_VALUES) throw this.refuse(`it has more than ${MAX_VALUES} values`);
    const tag = this.#view.getUint8(this.#take(1));
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#list(tag & 0x0f, depth);
    if (tag < 0xc0) return this.#text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    return this.#tagged(tag, depth);
  }

  #tagged(tag: number, depth: number): MessageValue {
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return tag === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#length(tag - 0xc4));
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(tag - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#length(tag - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(tag - 0xdd), depth);
      default:
        return this.#integer(tag);
    }
  }

  #integer(tag: number): number | bigint {
    switch (tag) {
      case 0xcc:
        return this.#view.getUint8(this.#take(1));
      case 0xcd:
        return this.#view.getUint16(this.#take(2));
      case 0xce:
        return this.#view.getUint32(this.#take(4));
      case 0xcf:
        return exact(this.#view.getBigUint64(this.#take(8)));
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return exact(this.#view.getBigInt64(this.#take(8)));
      default:
        this.at--;
        throw this.refuse(`values of type 0x${tag.toString(16)} are not read`);
    }
  }

  /** A length of 1 << power bytes. */
  #length(power: number): number {
    if (power === 0) return this.#view.getUint8(this.#take(1));
    return power === 1 ? this.#view.getUint16(this.#take(2)) : this.#view.getUint32(this.#take(4));
  }

  /** Where the next `size` bytes begin. */
  #take(size: number): number {
    if (size > this.#bytes.length - this.at)
      throw this.refuse(`${size} bytes are announced, ${this.#bytes.length - this.at} are left`);
    const at = this.at;
    this.at += size;
    return at;
  }

  #binary(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #text(length: number): string {
    const bytes = this.#binary(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.refuse('its text is not UTF-8');
    }
  }

  #enter(items: number, depth: number): void {
    if (items > this.#bytes.length - this.at) throw this.refuse(`${items} values are announced`);
    if (depth >= MAX_DEPTH) throw this.refuse(`it is nested more than ${MAX_DEPTH} deep`);
  }

  #list(length: number, depth: number): MessageValue[] {
    this.#enter(length, depth);
    const list: MessageValue[] = [];
    for (let i = 0; i < length; i++) list.push(this.value(depth + 1));
    return list;
  }

  #map(length: number, depth: number): MessageValue {
    this.#enter(2 * length, depth);
    const map = Object.create(null) as Record<string, MessageValue>;
    for (let i = 0; i < length; i++) {
      const key = this.#keyText(this.value(depth + 1));
      if (key in map) throw this.refuse(`the key ${JSON.stringify(key)} stands twice`);
      map[key] = this.value(depth + 1);
    }
    return this.#special(map);
  }

  #keyText(key: MessageValue): string {
    if (typeof key === 'string') return key;
    if (key instanceof Uint8Array) return Buffer.from(key).toString('latin1');
    throw this.refuse('a key is neither text nor bytes');
  }

  #special(map: MessageMap): MessageValue {
    if (map['__ndarray__'] === true) return this.#array('openpi', openpiArray(map));
    if (map['__ndarray_class__'] === true) return this.#array('groot', grootArray(map));
    if (map['__npgeneric__'] === true) return generic(map);
    return map;
  }

  #array(encoding: ArrayEncoding, array: NdArray): NdArray {
    this.arrays ??= encoding;
    return array;
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function openpiArray({ data, dtype, shape }: MessageMap): NdArray {
  if (!(data instanceof Uint8Array) || typeof dtype !== 'string' || !Array.isArray(shape))
    throw new VernierError('DATA', 'an array of openpi has bytes `data`, text `dtype` and a list `shape`');
  checkShape(shape);
  return arrayFromBytes(dtype, shape, data);
}

function grootArray({ as_npy: npy }: MessageMap): NdArray {
  if (!(npy instanceof Uint8Array)) throw new VernierError('DATA', 'an array of GR00T has bytes `as_npy`');
  return decodeNpy(npy);
}

/** A number of numpy's that is no array. */
function generic({ data }: MessageMap): MessageValue {
  if (data === undefined || isMap(data) || typeof data === 'object')
    throw new VernierError('DATA', 'a scalar of numpy has `data`, a number');
  return data;
}
