import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { VernierError } from '#core/errors';
import type { Answer } from '#reward/service/scoreCache';

/** Answers of models in an append-only file, written by one process at a time.
 *
 * | bytes | what |
 * |---|---|
 * | 0-7 | `VNSCORE` and the byte 1 |
 * | then, per answer | the first 4 bytes of the SHA-256 of what follows, u32 number of moments n, 32 bytes of key, n f64 phi, n f64 confidence |
 *
 * Numbers are little-endian. Opening reads the file once; what a killed process left unfinished at its end is cut off. */

const MAGIC = Buffer.from('VNSCORE\u0001', 'latin1');
const HEADER = 8;
const KEY = 32;
/** Far above any episode: a number of moments beyond it is a torn header. */
const MAX_MOMENTS = 1 << 20;

export class ScoreLog {
  readonly file: string;
  readonly #descriptor: number;
  /** Where the answer to each key begins. */
  readonly #at = new Map<string, number>();
  #end: number;

  /** @throws IO when the file cannot be opened, DATA when it is another kind of file */
  constructor(file: string) {
    this.file = file;
    try {
      this.#descriptor = openSync(file, 'a+');
    } catch (cause) {
      throw new VernierError('IO', `${file}: ${(cause as Error).message}`, { cause });
    }
    const size = fstatSync(this.#descriptor).size;
    this.#end = Math.min(size, MAGIC.length);
    if (!this.#read(0, this.#end).equals(MAGIC.subarray(0, this.#end)))
      throw new VernierError('DATA', `${file} is no log of scores`, { hint: 'move it away' });
    if (size < MAGIC.length) {
      ftruncateSync(this.#descriptor, 0);
      this.#end = 0;
      this.#append(MAGIC);
    }
    for (let next = this.#scan(size); next !== undefined; next = this.#scan(size)) this.#end = next;
    if (this.#end < size) ftruncateSync(this.#descriptor, this.#end);
  }

  get size(): number {
    return this.#at.size;
  }

  get(key: string): Answer | undefined {
    const at = this.#at.get(key);
    if (at === undefined) return undefined;
    const n = this.#read(at + 4, 4).readUInt32LE(0);
    const bytes = this.#read(at + HEADER + KEY, 16 * n);
    const numbers = Float64Array.from({ length: 2 * n }, (_, i) => bytes.readDoubleLE(8 * i));
    return { phi: numbers.slice(0, n), confidence: numbers.slice(n) };
  }

  /** @throws IO when it cannot be written, on a full disk for one; what was there before stays */
  put(key: string, { phi, confidence }: Answer): void {
    if (this.#at.has(key)) return;
    const n = phi.length;
    const record = Buffer.alloc(HEADER + KEY + 16 * n);
    record.writeUInt32LE(n, 4);
    record.write(key, HEADER, 'hex');
    for (let i = 0; i < n; i++) {
      record.writeDoubleLE(phi[i]!, HEADER + KEY + 8 * i);
      record.writeDoubleLE(confidence[i]!, HEADER + KEY + 8 * (n + i));
    }
    checkOf(record).copy(record);
    const at = this.#end;
    this.#append(record);
    this.#at.set(key, at);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** Takes in the answer at the end of what is known. @returns where it ends; undefined where there is no whole one */
  #scan(size: number): number | undefined {
    const at = this.#end;
    if (at + HEADER + KEY > size) return undefined;
    const n = this.#read(at + 4, 4).readUInt32LE(0);
    const end = at + HEADER + KEY + 16 * n;
    if (n > MAX_MOMENTS || end > size) return undefined;
    const record = this.#read(at, end - at);
    if (!checkOf(record).equals(record.subarray(0, 4))) return undefined;
    this.#at.set(record.toString('hex', HEADER, HEADER + KEY), at);
    return end;
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, length, at));
  }

  #append(bytes: Buffer): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    } catch (cause) {
      ftruncateSync(this.#descriptor, this.#end);
      throw new VernierError('IO', `${this.file}: ${(cause as Error).message}`, { cause });
    }
    this.#end += bytes.length;
  }
}

function checkOf(record: Buffer): Buffer {
  return createHash('sha256').update(record.subarray(4)).digest().subarray(0, 4);
}
