import { VernierError } from '#core/errors';
import type { MessageMap, MessageValue } from '#transport/zeromq/message';
import { NdArray } from '#transport/zeromq/ndarray';
import { npyHeader } from '#transport/zeromq/npy';

/** MessagePack with the arrays of robot learning's policy servers. Written here because openpi's arrays are maps with
 * binary keys, which the JavaScript packages of the format do not write. */

/** How arrays stand in a message. openpi: `{b"__ndarray__": true, b"data", b"dtype", b"shape"}`; groot:
 * `{"__ndarray_class__": true, "as_npy"}`.
 * @source Physical-Intelligence/openpi, openpi_client/msgpack_numpy.py; NVIDIA/Isaac-GR00T, gr00t/policy/server_client.py */
export type ArrayEncoding = 'openpi' | 'groot';

/** The bytes Python's msgpack writes for the same value; whole numbers that are exact as integers, others as
 * float64.
 * @throws DATA for a bigint of more than 64 bits */
export function encodeMessage(value: MessageValue, arrays: ArrayEncoding): Uint8Array {
  const writer = new Writer(arrays, mostBytes(value));
  writer.value(value);
  return writer.finish();
}

/** More bytes than the value takes, so that images are copied once. */
function mostBytes(value: MessageValue): number {
  if (typeof value === 'string') return 5 + 3 * value.length;
  if (typeof value !== 'object' || value === null) return 9;
  if (value instanceof NdArray) return 300 + 24 * value.shape.length + value.data.byteLength;
  if (value instanceof Uint8Array) return 5 + value.length;
  let most = 5;
  if (Array.isArray(value)) for (const item of value) most += mostBytes(item);
  else for (const [key, inner] of Object.entries(value)) most += mostBytes(key) + mostBytes(inner ?? null);
  return most;
}

class Writer {
  readonly #arrays: ArrayEncoding;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(arrays: ArrayEncoding, mostBytes: number) {
    this.#arrays = arrays;
    this.#bytes = new Uint8Array(mostBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  value(value: MessageValue): void {
    if (value === null) this.#byte(0xc0);
    else if (typeof value === 'boolean') this.#byte(value ? 0xc3 : 0xc2);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'bigint') this.#bigint(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value instanceof NdArray) this.#array(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else if (Array.isArray(value)) this.#list(value);
    else this.#map(value as MessageMap);
  }

  #array(array: NdArray): void {
    if (this.#arrays === 'groot') {
      this.#byte(0x82);
      this.#text('__ndarray_class__');
      this.value(true);
      this.#text('as_npy');
      this.#binary(npyHeader(array), array.bytes);
      return;
    }
    this.#byte(0x84);
    this.#key('__ndarray__');
    this.value(true);
    this.#key('data');
    this.#binary(array.bytes);
    this.#key('dtype');
    this.#text(array.dtype);
    this.#key('shape');
    this.#list(array.shape);
  }

  /** A key of bytes, as Python's b"" is. */
  #key(name: string): void {
    this.#binary(Buffer.from(name, 'latin1'));
  }

  #map(map: MessageMap): void {
    const entries = Object.entries(map).filter((entry) => entry[1] !== undefined);
    this.#head(entries.length, 0x80, 16, undefined, 0xde);
    for (const [key, inner] of entries) {
      this.#text(key);
      this.value(inner as MessageValue);
    }
  }

  #list(list: readonly MessageValue[]): void {
    this.#head(list.length, 0x90, 16, undefined, 0xdc);
    for (const item of list) this.value(item);
  }

  #text(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.#head(bytes.length, 0xa0, 32, 0xd9, 0xda);
    this.#raw(bytes);
  }

  /** The parts, one behind the other. */
  #binary(...parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#head(length, 0, 0, 0xc4, 0xc5);
    for (const part of parts) this.#raw(part);
  }

  /** A length: in the first byte below `small`, else in one, two or four bytes; `two + 1` is the tag of four. */
  #head(length: number, fixed: number, small: number, one: number | undefined, two: number): void {
    if (length < small) this.#byte(fixed | length);
    else if (one !== undefined && length < 0x100) {
      this.#byte(one);
      this.#byte(length);
    } else if (length < 0x10000) {
      this.#byte(two);
      this.#view.setUint16(this.#step(2), length);
    } else {
      this.#byte(two + 1);
      this.#view.setUint32(this.#step(4), length);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#byte(0xcb);
      this.#view.setFloat64(this.#step(8), value);
    } else if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  #unsigned(value: number): void {
    if (value < 0x80) this.#byte(value);
    else if (value < 0x100) {
      this.#byte(0xcc);
      this.#byte(value);
    } else if (value < 0x10000) {
      this.#byte(0xcd);
      this.#view.setUint16(this.#step(2), value);
    } else if (value < 0x100000000) {
      this.#byte(0xce);
      this.#view.setUint32(this.#step(4), value);
    } else this.#bigint(BigInt(value));
  }

  #negative(value: number): void {
    if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) {
      this.#byte(0xd0);
      this.#byte(value & 0xff);
    } else if (value >= -0x8000) {
      this.#byte(0xd1);
      this.#view.setInt16(this.#step(2), value);
    } else if (value >= -0x80000000) {
      this.#byte(0xd2);
      this.#view.setInt32(this.#step(4), value);
    } else this.#bigint(BigInt(value));
  }

  #bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value < 0x100000000n && value >= -0x80000000n) {
      this.#number(Number(value));
    } else if (value >= 0n && value < 1n << 64n) {
      this.#byte(0xcf);
      this.#view.setBigUint64(this.#step(8), value);
    } else if (value >= -(1n << 63n) && value < 0n) {
      this.#byte(0xd3);
      this.#view.setBigInt64(this.#step(8), value);
    } else throw new VernierError('DATA', `${value} has more than 64 bits`);
  }

  #byte(value: number): void {
    this.#bytes[this.#step(1)] = value;
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#step(bytes.length));
  }

  /** Where the next `size` bytes go. */
  #step(size: number): number {
    const at = this.#at;
    this.#at += size;
    return at;
  }
}
