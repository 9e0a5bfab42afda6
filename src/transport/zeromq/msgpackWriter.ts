import { VernierError } from '#core/errors';
import type { MessageMap, MessageValue } from '#transport/zeromq/message';
import { NdArray } from '#transport/zeromq/ndarray';
import { encodeNpy } from '#transport/zeromq/npy';

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
  const writer = new Writer(arrays);
  writer.value(value);
  return writer.finish();
}

const FIRST_SIZE = 512;

class Writer {
  readonly #arrays: ArrayEncoding;
  #bytes = new Uint8Array(FIRST_SIZE);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor(arrays: ArrayEncoding) {
    this.#arrays = arrays;
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
      this.#map({ __ndarray_class__: true, as_npy: encodeNpy(array) });
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

  #binary(bytes: Uint8Array): void {
    this.#head(bytes.length, 0, 0, 0xc4, 0xc5);
    this.#raw(bytes);
  }

  /** A length: in the first byte below `small`, else in one, two or four bytes; `two + 1` is the tag of four. */
  #head(length: number, fixed: number, small: number, one: number | undefined, two: number): void {
    if (length < small) this.#byte(fixed | length);
    else if (one !== undefined && length < 0x100) {
      this.#byte(one);
      this.#byte(length);
    } else if (length < 0x10000) {
      this.#byte(two);
      this.#room(2).setUint16(this.#at - 2, length);
    } else {
      this.#byte(two + 1);
      this.#room(4).setUint32(this.#at - 4, length);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#byte(0xcb);
      this.#room(8).setFloat64(this.#at - 8, value);
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
      this.#room(2).setUint16(this.#at - 2, value);
    } else if (value < 0x100000000) {
      this.#byte(0xce);
      this.#room(4).setUint32(this.#at - 4, value);
    } else this.#bigint(BigInt(value));
  }

  #negative(value: number): void {
    if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) {
      this.#byte(0xd0);
      this.#byte(value & 0xff);
    } else if (value >= -0x8000) {
      this.#byte(0xd1);
      this.#room(2).setInt16(this.#at - 2, value);
    } else if (value >= -0x80000000) {
      this.#byte(0xd2);
      this.#room(4).setInt32(this.#at - 4, value);
    } else this.#bigint(BigInt(value));
  }

  #bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value < 0x100000000n && value >= -0x80000000n) {
      this.#number(Number(value));
    } else if (value >= 0n && value < 1n << 64n) {
      this.#byte(0xcf);
      this.#room(8).setBigUint64(this.#at - 8, value);
    } else if (value >= -(1n << 63n) && value < 0n) {
      this.#byte(0xd3);
      this.#room(8).setBigInt64(this.#at - 8, value);
    } else throw new VernierError('DATA', `${value} has more than 64 bits`);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at - 1] = value;
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at - bytes.length);
  }

  /** Makes room for so many more bytes and steps behind them; the view is the one to write them with. */
  #room(size: number): DataView {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return this.#view;
  }
}
