import { VernierError } from '#core/errors';

/** Messages of ROS 2 in CDR, read by the definition that a recording carries (`ros2msg`): the text of the type, then of
 * every type it uses behind a line of `=` and `MSG: package/Type`. */

interface FieldType {
  readonly name: string;
  readonly kind: Primitive | StructType;
  /** undefined: no array; `sequence`: as many as the message says. */
  readonly count: number | 'sequence' | undefined;
}

interface StructType {
  readonly fields: FieldType[];
}

type Primitive = keyof typeof primitives;

const primitives = {
  bool: 1,
  byte: 1,
  char: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
  string: 4,
} as const;

/** Objects, arrays, numbers, booleans and texts; arrays of bytes as they lie in the message. */
export type RosValue =
  | number
  | boolean
  | string
  | Uint8Array
  | readonly RosValue[]
  | { readonly [name: string]: RosValue };

/** @param type `sensor_msgs/msg/JointState` @throws DATA when the definition cannot be read */
export function rosMessageReader(type: string, definition: string): (bytes: Uint8Array) => RosValue {
  const root = new Definitions(type, definition).resolve(shortName(type));
  return (bytes) => new CdrReader(bytes).message(root);
}

function shortName(type: string): string {
  return type.replace('/msg/', '/');
}

function malformed(what: string): VernierError {
  return new VernierError('DATA', what);
}

class Definitions {
  readonly #texts = new Map<string, string>();
  readonly #known = new Map<string, StructType>();
  readonly #open = new Set<string>();

  constructor(type: string, definition: string) {
    const [own, ...used] = definition.split(/^=+\s*$/m);
    this.#texts.set(shortName(type), own!);
    for (const part of used) {
      const [, name, text] = /^\s*MSG:\s*(\S+)\s*$([\s\S]*)/m.exec(part) ?? [];
      if (name === undefined) throw malformed(`${type}: expected "MSG: package/Type" behind a line of =`);
      this.#texts.set(shortName(name), text!);
    }
  }

  resolve(name: string): StructType {
    const known = this.#known.get(name);
    if (known) return known;
    const text = this.#texts.get(name);
    if (text === undefined) throw malformed(`the definition of ${name} is missing`);
    if (this.#open.has(name)) throw malformed(`${name} contains itself`);
    this.#open.add(name);
    const fields = text.split('\n').flatMap((line) => this.#field(line, name));
    this.#open.delete(name);
    const struct = { fields };
    this.#known.set(name, struct);
    return struct;
  }

  /** `float64[<=3] name default  # comment`; constants (`int8 A=1`) take no bytes. */
  #field(line: string, owner: string): FieldType[] {
    const text = line.replace(/#.*/, '').trim();
    if (text === '' || /^\S+\s+\w+\s*=/.test(text)) return [];
    const match = /^([\w/]+)(?:<=\d+)?(?:\[(<=)?(\d*)\])?\s+(\w+)(?:\s.*)?$/.exec(text);
    if (!match) throw malformed(`${owner}: expected "type name", received "${text}"`);
    const [, type, bounded, size, name] = match;
    const isArray = /\[/.test(text.split(/\s/)[0]!);
    const count = !isArray ? undefined : bounded || size === '' ? 'sequence' : Number(size);
    return [{ name: name!, kind: this.#kind(type!, owner), count }];
  }

  #kind(type: string, owner: string): FieldType['kind'] {
    if (Object.hasOwn(primitives, type)) return type as Primitive;
    if (type.includes('/')) return this.resolve(shortName(type));
    const sibling = `${owner.split('/')[0]}/${type}`;
    return this.resolve(type === 'Header' && !this.#texts.has(sibling) ? 'std_msgs/Header' : sibling);
  }
}

/** Plain CDR of either byte order, as every ROS 2 middleware writes it. */
class CdrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  #at = 4;

  constructor(bytes: Uint8Array) {
    const kind = bytes.length >= 4 ? bytes[0]! * 256 + bytes[1]! : -1;
    if (kind !== 0 && kind !== 1) throw malformed('a message is not plain CDR');
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = kind === 1;
  }

  message(root: StructType): RosValue {
    try {
      return this.#struct(root);
    } catch (error) {
      if (error instanceof RangeError) throw malformed('a message is shorter than its type says');
      throw error;
    }
  }

  #struct({ fields }: StructType): RosValue {
    if (fields.length === 0) this.#at++;
    return Object.fromEntries(fields.map((field) => [field.name, this.#field(field)]));
  }

  #field({ kind, count }: FieldType): RosValue {
    if (count === undefined) return this.#value(kind);
    const length = count === 'sequence' ? (this.#value('uint32') as number) : count;
    if (length > this.#bytes.length - this.#at) throw new RangeError('an array reaches behind the message');
    if (kind === 'uint8' || kind === 'byte' || kind === 'char') {
      this.#at += length;
      return this.#bytes.subarray(this.#at - length, this.#at);
    }
    return Array.from({ length }, () => this.#value(kind));
  }

  #value(kind: FieldType['kind']): RosValue {
    if (typeof kind === 'object') return this.#struct(kind);
    const size = primitives[kind];
    const at = 4 + Math.ceil((this.#at - 4) / size) * size;
    this.#at = at + size;
    switch (kind) {
      case 'bool':
        return this.#view.getUint8(at) !== 0;
      case 'byte':
      case 'char':
      case 'uint8':
        return this.#view.getUint8(at);
      case 'int8':
        return this.#view.getInt8(at);
      case 'int16':
        return this.#view.getInt16(at, this.#little);
      case 'uint16':
        return this.#view.getUint16(at, this.#little);
      case 'int32':
        return this.#view.getInt32(at, this.#little);
      case 'uint32':
        return this.#view.getUint32(at, this.#little);
      case 'float32':
        return this.#view.getFloat32(at, this.#little);
      case 'int64':
        return Number(this.#view.getBigInt64(at, this.#little));
      case 'uint64':
        return Number(this.#view.getBigUint64(at, this.#little));
      case 'float64':
        return this.#view.getFloat64(at, this.#little);
      case 'string': {
        const length = this.#view.getUint32(at, this.#little);
        if (length > this.#bytes.length - this.#at) throw new RangeError('a text reaches behind the message');
        const text = this.#bytes.subarray(this.#at, this.#at + Math.max(0, length - 1));
        this.#at += length;
        return new TextDecoder().decode(text);
      }
      default:
        throw kind satisfies never;
    }
  }
}
