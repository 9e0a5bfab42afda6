import { headerSize } from '#transport/cdrReader';
import type {
  ArrayExtent,
  ElementType,
  FieldDefinition,
  StructDefinition,
} from '#transport/messageDefinition';
import { FieldMistake } from '#transport/messageValue';
import { hostIsLittleEndian, type NumberKind, numberFacts } from '#transport/numberKinds';

/** Writing of plain CDR, little-endian. Every value is checked before it is written. */

export type Write = (writer: CdrWriter, value: unknown) => void;

/** Bytes that grow; written up to `at`. */
export class CdrWriter {
  /** A Buffer, because it writes UTF-8 in place. */
  bytes: Buffer;
  view: DataView;
  at = 0;

  /** @param out is written to as far as it reaches; behind that, to new memory */
  constructor(out: Uint8Array) {
    this.bytes = Buffer.from(out.buffer, out.byteOffset, out.byteLength);
    this.view = new DataView(out.buffer, out.byteOffset, out.byteLength);
    const at = this.#extend(headerSize);
    this.view.setUint32(at, 0x0001_0000);
  }

  get written(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset, this.at);
  }

  /** The place for `size` bytes at a multiple of `alignment`, with zeros before it; `bytes` and `view` may be new ones. */
  reserve(alignment: number, size: number): number {
    const gap = -(this.at - headerSize) & (alignment - 1);
    const at = this.#extend(gap + size);
    for (let i = 0; i < gap; i++) this.bytes[at + i] = 0;
    return at + gap;
  }

  #extend(size: number): number {
    const at = this.at;
    const needed = at + size;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = Buffer.from(grown.buffer);
      this.view = new DataView(grown.buffer);
    }
    this.at = needed;
    return at;
  }
}

/** A writer for a type, made once. */
export function compileWriter(struct: StructDefinition, known = new Map<StructDefinition, Write>()): Write {
  let write = known.get(struct);
  if (!write) {
    write = structWriter(
      struct.fields.map(({ name }) => name),
      struct.fields.map((field) => fieldWriter(field, known)),
    );
    known.set(struct, write);
  }
  return write;
}

function structWriter(names: readonly string[], writes: readonly Write[]): Write {
  const known = new Set(names);
  return (writer, value) => {
    if (typeof value !== 'object' || value === null || isArray(value)) throw unexpected('an object', value);
    const message = value as Readonly<Record<string, unknown>>;
    for (const name in message) {
      if (!known.has(name))
        throw FieldMistake.within(
          new FieldMistake(`is no field (expected: ${names.join(', ')})`),
          `.${name}`,
        );
    }
    if (names.length === 0) writer.bytes[writer.reserve(1, 1)] = 0;
    let i = 0;
    try {
      for (; i < names.length; i++) writes[i]!(writer, message[names[i]!]);
    } catch (error) {
      throw FieldMistake.within(error, `.${names[i]}`);
    }
  };
}

function fieldWriter({ element, array }: FieldDefinition, known: Map<StructDefinition, Write>): Write {
  if (array && element.kind === 'number') return numberArrayWriter(element.number, array);
  const write = elementWriter(element, known);
  return array ? arrayWriter(write, array) : write;
}

function elementWriter(element: ElementType, known: Map<StructDefinition, Write>): Write {
  if (element.kind === 'struct') return compileWriter(element.struct, known);
  if (element.kind === 'string') return stringWriter(element.bound);
  const { size } = numberFacts(element.number);
  const put = numberPutters[element.number];
  return (writer, value) => {
    const at = writer.reserve(size, size);
    put(writer.view, at, value);
  };
}

/** Checks the number of elements, and writes it where the type does not say it. */
function writeCount(writer: CdrWriter, array: ArrayExtent, count: number): void {
  if (array.kind === 'fixed') {
    if (count !== array.length)
      throw new FieldMistake(`expected ${array.length} elements, received ${count}`);
    return;
  }
  const most = array.bound ?? 0xffff_ffff;
  if (count > most) throw new FieldMistake(`expected at most ${most} elements, received ${count}`);
  const at = writer.reserve(4, 4);
  writer.view.setUint32(at, count, true);
}

function arrayWriter(write: Write, array: ArrayExtent): Write {
  return (writer, value) => {
    if (!Array.isArray(value)) throw unexpected('an array', value);
    const count = value.length;
    writeCount(writer, array, count);
    let i = 0;
    try {
      for (; i < count; i++) write(writer, value[i]);
    } catch (error) {
      throw FieldMistake.within(error, `[${i}]`);
    }
  };
}

/** From this many elements on, an array of the same type is copied whole. */
const worthCopying = 16;

function numberArrayWriter(kind: NumberKind, array: ArrayExtent): Write {
  const { size, array: ArrayType } = numberFacts(kind);
  const put = numberPutters[kind];
  return (writer, value) => {
    if (!isArray(value)) throw unexpected('an array of numbers', value);
    const count = value.length;
    writeCount(writer, array, count);
    if (count === 0) return;
    const at = writer.reserve(size, count * size);
    if (count >= worthCopying && hostIsLittleEndian && ArrayType && value instanceof ArrayType) {
      writer.bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), at);
      return;
    }
    let i = 0;
    try {
      for (; i < count; i++) put(writer.view, at + i * size, value[i]);
    } catch (error) {
      throw FieldMistake.within(error, `[${i}]`);
    }
  };
}

type Put = (view: DataView, at: number, value: unknown) => void;

function integerPutter(kind: NumberKind, set: (view: DataView, at: number, value: number) => void): Put {
  const [least, most] = numberFacts(kind).range as readonly [number, number];
  return (view, at, value) => {
    if (typeof value !== 'number') throw unexpected(`a number (${kind})`, value);
    if (!Number.isInteger(value) || value < least || value > most) throw notOf(kind, value);
    set(view, at, value);
  };
}

function bigintPutter(kind: NumberKind, set: (view: DataView, at: number, value: bigint) => void): Put {
  const [least, most] = numberFacts(kind).range as readonly [bigint, bigint];
  return (view, at, value) => {
    if (typeof value !== 'bigint') throw unexpected(`a bigint (${kind})`, value);
    if (value < least || value > most) throw notOf(kind, value);
    set(view, at, value);
  };
}

const setByte = (view: DataView, at: number, value: number): void => view.setUint8(at, value);

const numberPutters: Readonly<Record<NumberKind, Put>> = {
  bool: (view, at, value) => {
    if (typeof value !== 'boolean') throw unexpected('a boolean', value);
    view.setUint8(at, value ? 1 : 0);
  },
  byte: integerPutter('byte', setByte),
  char: integerPutter('char', setByte),
  uint8: integerPutter('uint8', setByte),
  int8: integerPutter('int8', (view, at, value) => view.setInt8(at, value)),
  uint16: integerPutter('uint16', (view, at, value) => view.setUint16(at, value, true)),
  int16: integerPutter('int16', (view, at, value) => view.setInt16(at, value, true)),
  uint32: integerPutter('uint32', (view, at, value) => view.setUint32(at, value, true)),
  int32: integerPutter('int32', (view, at, value) => view.setInt32(at, value, true)),
  uint64: bigintPutter('uint64', (view, at, value) => view.setBigUint64(at, value, true)),
  int64: bigintPutter('int64', (view, at, value) => view.setBigInt64(at, value, true)),
  float32: (view, at, value) => {
    if (typeof value !== 'number') throw unexpected('a number (float32)', value);
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) throw notOf('float32', value);
    view.setFloat32(at, value, true);
  },
  float64: (view, at, value) => {
    if (typeof value !== 'number') throw unexpected('a number (float64)', value);
    view.setFloat64(at, value, true);
  },
};

function stringWriter(bound: number | undefined): Write {
  return (writer, value) => {
    if (typeof value !== 'string') throw unexpected('a string', value);
    if (value.includes('\0')) throw new FieldMistake('a text with a NUL inside');
    if (/\p{Surrogate}/u.test(value)) throw new FieldMistake('a text with half a surrogate pair');
    const size = Buffer.byteLength(value);
    if (bound !== undefined && size > bound)
      throw new FieldMistake(`a text of ${size} bytes, at most ${bound} are allowed`);
    const at = writer.reserve(4, 4 + size + 1);
    writer.view.setUint32(at, size + 1, true);
    writer.bytes.write(value, at + 4);
    writer.bytes[at + 4 + size] = 0;
  };
}

function isArray(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function unexpected(what: string, value: unknown): FieldMistake {
  if (value === undefined) return new FieldMistake(`is missing, expected ${what}`);
  const received = value === null ? 'null' : isArray(value) ? 'an array' : `a value of type ${typeof value}`;
  return new FieldMistake(`expected ${what}, received ${received}`);
}

function notOf(kind: NumberKind, value: number | bigint): FieldMistake {
  return new FieldMistake(`${value} is no ${kind}`);
}
