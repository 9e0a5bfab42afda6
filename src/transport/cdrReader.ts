import type {
  ArrayExtent,
  ElementType,
  FieldDefinition,
  StructDefinition,
} from '#transport/messageDefinition';
import { leastElementSize } from '#transport/messageDefinition';
import { FieldMistake, type Message, type MessageValue } from '#transport/messageValue';
import { hostIsLittleEndian, type NumberKind, numberFacts, swapBytes } from '#transport/numberKinds';

/** Reading of plain CDR. Nothing is read or allocated before the bytes for it are known to be there. */

export type Read = (reader: CdrReader) => MessageValue;

/** Bytes before the body; alignment counts from behind them. */
export const headerSize = 4;

/** A place in a message's bytes. */
export class CdrReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly isLittle: boolean;
  /** Whether arrays of bytes may lie in the message's memory. */
  readonly borrows: boolean;
  at = headerSize;

  /** @throws FieldMistake where the header is not that of plain CDR */
  constructor(bytes: Uint8Array, borrows: boolean) {
    if (bytes.length < headerSize) throw new FieldMistake(`${bytes.length} bytes hold no header`);
    const kind = bytes[0]! * 256 + bytes[1]!;
    if (kind > 1) throw new FieldMistake(`the bytes are not plain CDR (encapsulation ${kind})`);
    // A Buffer's own slice would not copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.isLittle = kind === 1;
    this.borrows = borrows;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** The place of `size` bytes that start at a multiple of `alignment`; reading goes on behind them. */
  take(alignment: number, size: number): number {
    const at = this.at + (-(this.at - headerSize) & (alignment - 1));
    if (at + size > this.bytes.length)
      throw new FieldMistake(`${size} bytes reach behind the ${this.bytes.length} bytes of the message`);
    this.at = at + size;
    return at;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A reader for a type, made once. */
export function compileReader(struct: StructDefinition, known = new Map<StructDefinition, Read>()): Read {
  let read = known.get(struct);
  if (!read) {
    read = structReader(
      struct.fields.map(({ name }) => name),
      struct.fields.map((field) => fieldReader(field, known)),
    );
    known.set(struct, read);
  }
  return read;
}

function structReader(names: readonly string[], reads: readonly Read[]): Read {
  if (names.length === 0) {
    return (reader) => {
      reader.take(1, 1);
      return {};
    };
  }
  return (reader) => {
    const message: Record<string, MessageValue> = {};
    let i = 0;
    try {
      for (; i < names.length; i++) message[names[i]!] = reads[i]!(reader);
    } catch (error) {
      throw FieldMistake.within(error, `.${names[i]}`);
    }
    return message as Message;
  };
}

function fieldReader({ element, array }: FieldDefinition, known: Map<StructDefinition, Read>): Read {
  if (array && element.kind === 'number' && element.number !== 'bool')
    return numberArrayReader(element.number, array);
  const read = elementReader(element, known);
  return array ? arrayReader(read, array, leastElementSize(element)) : read;
}

function elementReader(element: ElementType, known: Map<StructDefinition, Read>): Read {
  if (element.kind === 'struct') return compileReader(element.struct, known);
  return element.kind === 'string' ? stringReader(element.bound) : numberReaders[element.number];
}

/** The number of elements, once that many of the least size are known to fit. */
function countReader(array: ArrayExtent, leastSize: number): (reader: CdrReader) => number {
  return (reader) => {
    const isFixed = array.kind === 'fixed';
    const count = isFixed ? array.length : reader.view.getUint32(reader.take(4, 4), reader.isLittle);
    if (!isFixed && array.bound !== undefined && count > array.bound)
      throw new FieldMistake(`${count} elements, at most ${array.bound} are allowed`);
    if (count * leastSize > reader.left)
      throw new FieldMistake(
        `${count} elements reach behind the ${reader.bytes.length} bytes of the message`,
      );
    return count;
  };
}

function arrayReader(read: Read, array: ArrayExtent, leastSize: number): Read {
  const countOf = countReader(array, leastSize);
  return (reader) => {
    const count = countOf(reader);
    const values: MessageValue[] = [];
    try {
      while (values.length < count) values.push(read(reader));
    } catch (error) {
      throw FieldMistake.within(error, `[${values.length}]`);
    }
    return values;
  };
}

function numberArrayReader(kind: Exclude<NumberKind, 'bool'>, array: ArrayExtent): Read {
  const { size, array: ArrayType } = numberFacts(kind);
  const countOf = countReader(array, size);
  return (reader) => {
    const count = countOf(reader);
    if (count === 0) return new ArrayType!(0);
    const at = reader.take(size, count * size);
    const { buffer, byteOffset } = reader.bytes;
    if (size === 1 && reader.borrows) return new ArrayType!(buffer, byteOffset + at, count);
    const copy = reader.bytes.slice(at, at + count * size);
    if (reader.isLittle !== hostIsLittleEndian) swapBytes(copy, size);
    return new ArrayType!(copy.buffer, 0, count);
  };
}

const unsignedByteReader: Read = (reader) => reader.view.getUint8(reader.take(1, 1));

const numberReaders: Readonly<Record<NumberKind, Read>> = {
  bool: (reader) => {
    const byte = reader.view.getUint8(reader.take(1, 1));
    if (byte > 1) throw new FieldMistake(`${byte} is no bool`);
    return byte === 1;
  },
  byte: unsignedByteReader,
  char: unsignedByteReader,
  uint8: unsignedByteReader,
  int8: (reader) => reader.view.getInt8(reader.take(1, 1)),
  uint16: (reader) => reader.view.getUint16(reader.take(2, 2), reader.isLittle),
  int16: (reader) => reader.view.getInt16(reader.take(2, 2), reader.isLittle),
  uint32: (reader) => reader.view.getUint32(reader.take(4, 4), reader.isLittle),
  int32: (reader) => reader.view.getInt32(reader.take(4, 4), reader.isLittle),
  uint64: (reader) => reader.view.getBigUint64(reader.take(8, 8), reader.isLittle),
  int64: (reader) => reader.view.getBigInt64(reader.take(8, 8), reader.isLittle),
  float32: (reader) => reader.view.getFloat32(reader.take(4, 4), reader.isLittle),
  float64: (reader) => reader.view.getFloat64(reader.take(8, 8), reader.isLittle),
};

/** Length with the NUL, bytes, NUL. Some writers give the empty text a length of 0. */
function stringReader(bound: number | undefined): Read {
  return (reader) => {
    const size = reader.view.getUint32(reader.take(4, 4), reader.isLittle);
    if (size === 0) return '';
    if (bound !== undefined && size - 1 > bound)
      throw new FieldMistake(`a text of ${size - 1} bytes, at most ${bound} are allowed`);
    const at = reader.take(1, size);
    if (reader.bytes[at + size - 1] !== 0) throw new FieldMistake('a text without a NUL behind it');
    return textOf(reader.bytes, at, at + size - 1);
  };
}

/** Names are short and ASCII: those are not worth a decoder. */
const shortText = 40;

function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > shortText) return decodeText(bytes.slice(from, to));
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 0 || byte > 0x7f) return decodeText(bytes.slice(from, to));
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeText(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw new FieldMistake('a text with a NUL inside');
  try {
    return utf8.decode(bytes);
  } catch {
    throw new FieldMistake('a text that is not UTF-8');
  }
}
