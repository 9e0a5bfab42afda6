/** Writes GGUF files, version 3: the container of llama.cpp's models.
 * @source https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; differs: float32 tensors only */

export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly f32s: readonly number[] }
  | { readonly i32s: readonly number[] };

/** @shape data: the product of `shape`, whose last entry counts fastest, as in a row-major matrix [rows, columns] */
export interface GgufTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const ALIGNMENT = 32;

export function encodeGguf(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: Readonly<Record<string, GgufTensor>>,
): Uint8Array {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3)];
  const put = (...more: Buffer[]) => parts.push(...more);
  put(u64(Object.keys(tensors).length), u64(Object.keys(metadata).length));
  for (const [key, value] of Object.entries(metadata)) put(text(key), encodeValue(value));
  let offset = 0;
  const blocks: Buffer[] = [];
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (shape.reduce((product, n) => product * n, 1) !== data.length)
      throw new Error(`${name} has another size`);
    put(text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(0), u64(offset));
    const block = aligned(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    blocks.push(block);
    offset += block.length;
  }
  return Buffer.concat([aligned(Buffer.concat(parts)), ...blocks]);
}

function encodeValue(value: GgufValue): Buffer {
  if ('u32' in value) return Buffer.concat([u32(4), u32(value.u32)]);
  if ('f32' in value) return Buffer.concat([u32(6), f32(value.f32)]);
  if ('bool' in value) return Buffer.concat([u32(7), Buffer.from([value.bool ? 1 : 0])]);
  if ('text' in value) return Buffer.concat([u32(8), text(value.text)]);
  if ('texts' in value) return array(8, value.texts.map(text));
  if ('f32s' in value) return array(6, value.f32s.map(f32));
  return array(5, value.i32s.map(u32));
}

function array(kind: number, entries: readonly Buffer[]): Buffer {
  return Buffer.concat([u32(9), u32(kind), u64(entries.length), ...entries]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function aligned(bytes: Buffer): Buffer {
  const rest = bytes.length % ALIGNMENT;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)]);
}
