/** The fixed-size primitives of ROS 2 messages. */

interface NumberFacts {
  /** Bytes, which is also the alignment in CDR. */
  readonly size: 1 | 2 | 4 | 8;
  /** Both ends included; undefined: no integer. */
  readonly range: readonly [number, number] | readonly [bigint, bigint] | undefined;
  /** What an array of them is in JavaScript; undefined: a plain array. */
  readonly array: NumberArrayConstructor | undefined;
}

export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

interface NumberArrayConstructor {
  new (length: number): NumberArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumberArray;
  readonly BYTES_PER_ELEMENT: number;
}

const unsignedByte = { size: 1, range: [0, 0xff], array: Uint8Array } as const;

/** `byte` and `char` are unsigned bytes in ROS 2. */
export const numberKinds = {
  bool: { size: 1, range: undefined, array: undefined },
  byte: unsignedByte,
  char: unsignedByte,
  uint8: unsignedByte,
  int8: { size: 1, range: [-0x80, 0x7f], array: Int8Array },
  uint16: { size: 2, range: [0, 0xffff], array: Uint16Array },
  int16: { size: 2, range: [-0x8000, 0x7fff], array: Int16Array },
  uint32: { size: 4, range: [0, 0xffff_ffff], array: Uint32Array },
  int32: { size: 4, range: [-0x8000_0000, 0x7fff_ffff], array: Int32Array },
  uint64: { size: 8, range: [0n, 0xffff_ffff_ffff_ffffn], array: BigUint64Array },
  int64: { size: 8, range: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn], array: BigInt64Array },
  float32: { size: 4, range: undefined, array: Float32Array },
  float64: { size: 8, range: undefined, array: Float64Array },
} as const satisfies Readonly<Record<string, NumberFacts>>;

export type NumberKind = keyof typeof numberKinds;

export function isNumberKind(name: string): name is NumberKind {
  return Object.hasOwn(numberKinds, name);
}

/** The facts of a kind without its literal types. */
export function numberFacts(kind: NumberKind): NumberFacts {
  return numberKinds[kind];
}

export const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Turns the byte order of every number in `outBytes`. */
export function swapBytes(outBytes: Uint8Array, size: NumberFacts['size']): void {
  const buffer = Buffer.from(outBytes.buffer, outBytes.byteOffset, outBytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}
