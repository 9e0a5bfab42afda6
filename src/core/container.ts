import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, VernierError } from '#core/errors';

/** One file format for demonstrations, bundles and checkpoints: a JSON header, named arrays, a checksum.
 *
 * | bytes | what |
 * |---|---|
 * | 0-7 | `VERNIER` and the byte 1 |
 * | 8-11 | length L of the header, u32 little-endian |
 * | 12 .. 12+L | UTF-8 JSON {kind, version, meta, arrays: [{name, type, shape, offset}]}, padded with spaces |
 * | from 12+L, a multiple of 64 | the arrays, little-endian, each at its offset from here (a multiple of 64) |
 * | last 32 | SHA-256 of everything before |
 */

const MAGIC = [0x56, 0x45, 0x52, 0x4e, 0x49, 0x45, 0x52, 1];
const PREFIX = 12;
const ALIGN = 64;
const CHECKSUM = 32;

const TYPES = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
  u8: Uint8Array,
} as const;

type TypeName = keyof typeof TYPES;
export type ContainerData = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

export interface ContainerArray {
  readonly shape: readonly number[];
  readonly data: ContainerData;
}

export interface Container {
  readonly kind: string;
  readonly version: number;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, ContainerArray>;
}

interface ArrayEntry {
  readonly name: string;
  readonly type: TypeName;
  readonly shape: readonly number[];
  readonly offset: number;
}

const align = (n: number): number => Math.ceil(n / ALIGN) * ALIGN;
const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

function typeOf(data: ContainerData): TypeName {
  for (const [name, type] of Object.entries(TYPES)) if (data instanceof type) return name as TypeName;
  throw new TypeError(`no container type for ${Object.prototype.toString.call(data)}`);
}

/** The bytes of a container, checksum included. */
export function encodeContainer(container: Container): Uint8Array {
  const entries: ArrayEntry[] = [];
  let body = 0;
  for (const [name, { shape, data }] of container.arrays) {
    if (elements(shape) !== data.length)
      throw new VernierError(
        'SHAPE',
        `array ${name}: shape [${shape.join(', ')}] does not hold ${data.length} numbers`,
      );
    entries.push({ name, type: typeOf(data), shape, offset: body });
    body = align(body + data.byteLength);
  }
  const { kind, version, meta } = container;
  const json = new TextEncoder().encode(JSON.stringify({ kind, version, meta, arrays: entries }));
  const start = align(PREFIX + json.length);
  const bytes = new Uint8Array(start + body + CHECKSUM);
  bytes.set(MAGIC, 0);
  new DataView(bytes.buffer).setUint32(8, start - PREFIX, true);
  bytes.set(json, PREFIX);
  bytes.fill(0x20, PREFIX + json.length, start);
  for (const entry of entries) {
    const { data } = container.arrays.get(entry.name)!;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + entry.offset);
  }
  const end = bytes.length - CHECKSUM;
  bytes.set(createHash('sha256').update(bytes.subarray(0, end)).digest(), end);
  return bytes;
}

export interface DecodeOptions {
  /** What the file must be; anything, for inspection, where kind and version are left out. */
  readonly kind?: string;
  readonly version?: number;
  /** Code of the error for a file that is torn, foreign or of another version. */
  readonly code: ErrorCode;
  /** What the messages call the file: its path. */
  readonly label: string;
}

/** Reads what encodeContainer wrote; arrays are copies.
 * @throws VernierError options.code when the bytes are torn, foreign, of another kind or version */
export function decodeContainer(bytes: Uint8Array, options: DecodeOptions): Container {
  const fail = (what: string): never => {
    throw new VernierError(options.code, `${options.label}: ${what}`, { context: { file: options.label } });
  };
  if (bytes.length < PREFIX + CHECKSUM || MAGIC.some((byte, i) => bytes[i] !== byte))
    fail(`not a Vernier file (expected the magic VERNIER at its start, ${bytes.length} bytes read)`);
  const end = bytes.length - CHECKSUM;
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!digest.every((byte, i) => bytes[end + i] === byte))
    fail('the checksum does not match: the file is torn or was changed');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = PREFIX + view.getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX, start))) as {
    kind: string;
    version: number;
    meta: Record<string, unknown>;
    arrays: ArrayEntry[];
  };
  if (options.kind !== undefined && header.kind !== options.kind)
    fail(`expected a file of kind ${options.kind}, found ${header.kind}`);
  if (options.version !== undefined && header.version !== options.version)
    fail(`expected version ${options.version} of ${options.kind}, found ${header.version}`);
  const arrays = new Map<string, ContainerArray>();
  for (const { name, type, shape, offset } of header.arrays) {
    const byteLength = elements(shape) * TYPES[type].BYTES_PER_ELEMENT;
    if (start + offset + byteLength > end) fail(`array ${name} reaches past the end of the file`);
    // Not bytes.slice: a Buffer's shares memory.
    const copy = Uint8Array.from(bytes.subarray(start + offset, start + offset + byteLength));
    arrays.set(name, { shape, data: new TYPES[type](copy.buffer) });
  }
  return { kind: header.kind, version: header.version, meta: header.meta, arrays };
}

/** The array of that name, checked for its type and, where `shape` gives a number (not -1), its sizes. */
export function containerArray<T extends TypeName>(
  container: Container,
  name: string,
  type: T,
  shape: readonly number[],
  options: { readonly code: ErrorCode; readonly label: string },
): InstanceType<(typeof TYPES)[T]> {
  const array = container.arrays.get(name);
  const fits =
    array !== undefined &&
    typeOf(array.data) === type &&
    array.shape.length === shape.length &&
    array.shape.every((d, i) => shape[i] === -1 || shape[i] === d);
  if (fits) return array.data as InstanceType<(typeof TYPES)[T]>;
  const found = array === undefined ? 'no such array' : `${typeOf(array.data)} [${array.shape.join(', ')}]`;
  const wanted = shape.map((d) => (d === -1 ? 'any' : d)).join(', ');
  throw new VernierError(
    options.code,
    `${options.label}: ${name}: expected ${type} [${wanted}], found ${found}`,
    {
      context: { file: options.label },
    },
  );
}

/** Writes all of `bytes` or nothing: temporary file, fsync, rename, fsync of the folder.
 * @throws VernierError IO; the file that was there before stays as it was */
export function writeFileAtomic(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (cause) {
    rmSync(temporary, { force: true });
    const code = (cause as NodeJS.ErrnoException).code;
    throw new VernierError('IO', `${path}: cannot be written: ${(cause as Error).message}`, {
      hint:
        code === 'ENOSPC'
          ? 'the disk is full: free some space; the previous file is intact'
          : 'check that the folder exists and is writable; the previous file is intact',
      context: { file: path },
      cause,
    });
  }
}

/** The bytes of a file, or an IO error that names it. */
export function readFileBytes(path: string, hint?: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new VernierError('IO', `${path}: cannot be read: ${(cause as Error).message}`, {
      ...(hint === undefined ? {} : { hint }),
      context: { file: path },
      cause,
    });
  }
}
