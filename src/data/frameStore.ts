import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { VernierError } from '#core/errors';
import { type Picture, pictureHash } from '#core/frame';

/** Pictures kept by their hash, each stored once: an append-only file in a run's folder, written by one process at a time.
 *
 * | bytes | what |
 * |---|---|
 * | 0-7 | `VERNFRM` and the byte 1 |
 * | then, per picture | u32 mark, u32 length L, u16 width, u16 height, 32 bytes of hash, L bytes: the pixels under Brotli |
 *
 * Numbers are little-endian. The index lies in memory and is read from the file when it is opened; what a killed process or a
 * full disk left unfinished at its end is cut off, as is what stands behind a header that is none. */

const MAGIC = Buffer.from([0x56, 0x45, 0x52, 0x4e, 0x46, 0x52, 0x4d, 1]);
const MARK = 0x4d524656;
const HEADER = 44;
const MAX_SIDE = 0xffff;
/** On pictures of the simulator quality 1 takes less time than deflate's and leaves less (docs/results/render.md). */
const QUALITY = 1;

export interface FrameStoreOptions {
  /** Most that the file may grow to, bytes; what does not fit is left out. Default: 4 GiB. */
  readonly maxBytes?: number;
}

export class FrameStore {
  readonly file: string;
  /** Bytes of an unfinished picture that were cut off on opening. */
  readonly cutBytes: number;
  readonly #descriptor: number;
  readonly #maxBytes: number;
  /** Where the record of each picture begins. */
  readonly #at: Map<string, number>;
  #end: number;
  #leftOut = 0;
  #closed = false;

  private constructor(file: string, descriptor: number, maxBytes: number) {
    this.file = file;
    this.#descriptor = descriptor;
    this.#maxBytes = maxBytes;
    const size = fstatSync(descriptor).size;
    const { at, end } = readIndex(file, descriptor, size);
    this.#at = at;
    this.#end = end;
    this.cutBytes = size - end;
    if (this.cutBytes > 0) ftruncateSync(descriptor, end);
    if (end === 0) this.#append(MAGIC);
  }

  /** Opens `<folder>/frames.pack`, or begins it. @throws IO when it cannot be opened, or is another kind of file */
  static open(folder: string, { maxBytes = 2 ** 32 }: FrameStoreOptions = {}): FrameStore {
    const file = join(folder, 'frames.pack');
    const descriptor = attempt(file, () => {
      mkdirSync(folder, { recursive: true });
      return openSync(file, existsSync(file) ? 'r+' : 'w+');
    });
    try {
      return attempt(file, () => new FrameStore(file, descriptor, maxBytes));
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Pictures in the store. */
  get size(): number {
    return this.#at.size;
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#end;
  }

  /** Pictures that were left out since opening because the file was full. */
  get leftOut(): number {
    return this.#leftOut;
  }

  has(hash: string): boolean {
    return this.#at.has(hash);
  }

  /** Keeps a picture under its hash; whether it is in the store afterwards.
   * @throws IO when it cannot be written: the store is then as it was before, and may be used further */
  put({ width, height, rgb, hash }: Picture & { readonly hash: string }): boolean {
    this.#requireOpen();
    if (this.#at.has(hash)) return true;
    if (width > MAX_SIDE || height > MAX_SIDE || rgb.length !== 3 * width * height)
      throw new VernierError('SHAPE', `a picture of ${width} x ${height} pixels with ${rgb.length} bytes`);
    const packed = brotliCompressSync(rgb, {
      params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: rgb.length },
    });
    if (this.#end + HEADER + packed.length > this.#maxBytes) {
      this.#leftOut++;
      return false;
    }
    const record = Buffer.alloc(HEADER + packed.length);
    record.writeUInt32LE(MARK, 0);
    record.writeUInt32LE(packed.length, 4);
    record.writeUInt16LE(width, 8);
    record.writeUInt16LE(height, 10);
    record.write(hash, 12, 'hex');
    packed.copy(record, HEADER);
    const start = this.#end;
    attempt(this.file, () => this.#append(record));
    this.#at.set(hash, start);
    return true;
  }

  /** The picture of this hash; undefined where the store has none, or none that is whole any more.
   * @throws IO when the file cannot be read */
  get(hash: string): Picture | undefined {
    this.#requireOpen();
    const start = this.#at.get(hash);
    if (start === undefined) return undefined;
    const picture = attempt(this.file, () => readPicture(this.#descriptor, start, this.#end));
    if (picture && pictureHash(picture) === hash) return picture;
    this.#at.delete(hash); // so that it can be kept anew
    return undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }

  #append(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#end + done);
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#end);
      throw error;
    }
    this.#end += bytes.length;
  }

  #requireOpen(): void {
    if (this.#closed) throw new VernierError('STATE', `${this.file} is closed`);
  }
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly hash: string;
  /** Where the record's bytes end. */
  readonly end: number;
}

/** The header at `start`, or undefined where there is none whose bytes are all there. */
function readHeader(descriptor: number, start: number, size: number): Header | undefined {
  const header = Buffer.alloc(HEADER);
  if (readSync(descriptor, header, 0, HEADER, start) < HEADER || header.readUInt32LE(0) !== MARK)
    return undefined;
  const end = start + HEADER + header.readUInt32LE(4);
  if (end > size) return undefined;
  const [width, height] = [header.readUInt16LE(8), header.readUInt16LE(10)];
  return { width, height, hash: header.toString('hex', 12, HEADER), end };
}

function readPicture(descriptor: number, start: number, size: number): Picture | undefined {
  const header = readHeader(descriptor, start, size);
  if (!header) return undefined;
  const { width, height, end } = header;
  const packed = Buffer.alloc(end - start - HEADER);
  if (readSync(descriptor, packed, 0, packed.length, start + HEADER) < packed.length) return undefined;
  try {
    const rgb = new Uint8Array(brotliDecompressSync(packed, { maxOutputLength: 3 * width * height }));
    return rgb.length === 3 * width * height ? { width, height, rgb } : undefined;
  } catch {
    return undefined; // damaged
  }
}

/** Where each picture begins, and where the last whole one ends. The last one's bytes are looked at: the length of a file may
 * reach the disk before what is in it. */
function readIndex(file: string, descriptor: number, size: number): { at: Map<string, number>; end: number } {
  const magic = Buffer.alloc(MAGIC.length);
  const read = readSync(descriptor, magic, 0, MAGIC.length, 0);
  if (!MAGIC.subarray(0, read).equals(magic.subarray(0, read)))
    throw new VernierError('IO', `${file} is no file of frames`, { hint: 'move it away' });
  const at = new Map<string, number>();
  if (read < MAGIC.length) return { at, end: 0 };
  let last: { readonly hash: string; readonly start: number } | undefined;
  let end = MAGIC.length;
  for (;;) {
    const header = readHeader(descriptor, end, size);
    if (!header) break;
    last = { hash: header.hash, start: end };
    at.set(header.hash, end);
    end = header.end;
  }
  if (last) {
    const picture = readPicture(descriptor, last.start, size);
    if (!picture || pictureHash(picture) !== last.hash) {
      at.delete(last.hash);
      end = last.start;
    }
  }
  return { at, end };
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof VernierError) throw cause;
    throw new VernierError('IO', `${file}: ${(cause as Error).message}`, { cause });
  }
}
