import { closeSync, openSync, writeSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';

/** Animated PNG, which browsers play: films without a program or a library to encode them, and without loss. Frames are
 * written as they come; of each only the rectangle in which it differs from the one before.
 * @source W3C PNG (Third Edition), sec. 11.3.6 */

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Where the chunk with the number of frames begins, behind the signature and the header's chunk. */
const CONTROL_AT = 8 + 25;

export class ApngWriter {
  readonly #path: string;
  readonly #delayMs: number;
  readonly #descriptor: number;
  #size: readonly [width: number, height: number] | undefined;
  #last: Uint8Array | undefined;
  #frames = 0;
  #sequence = 0;
  #open = true;

  /** @throws IO when the file cannot be written */
  constructor(path: string, framesPerSecond: number) {
    this.#path = path;
    this.#delayMs = Math.min(0xffff, Math.round(1000 / framesPerSecond));
    this.#descriptor = this.#attempt(() => openSync(path, 'w'));
  }

  /** @throws SHAPE for a picture of another size than the first, IO when it cannot be written */
  write({ width, height, rgb }: Picture): void {
    this.#size ??= this.#begin(width, height);
    if (width !== this.#size[0] || height !== this.#size[1])
      throw new VernierError(
        'SHAPE',
        `a frame of ${width} x ${height} pixels in a film of ${this.#size.join(' x ')}`,
      );
    const box = this.#last ? changed(this.#last, rgb, width, height) : { x: 0, y: 0, width, height };
    this.#chunk('fcTL', this.#control(box));
    const data = deflateSync(filtered(rgb, width, box), { level: 3 });
    if (this.#frames === 0) this.#chunk('IDAT', data);
    else this.#chunk('fdAT', Buffer.concat([u32(this.#sequence++), data]));
    this.#last = rgb.slice();
    this.#frames++;
  }

  /** Writes the end, and at the beginning how many frames there are. @throws SHAPE without any */
  end(): void {
    if (this.#frames === 0) throw new VernierError('SHAPE', `no frames to write to ${this.#path}`);
    this.#chunk('IEND', Buffer.alloc(0));
    const control = chunk('acTL', Buffer.concat([u32(this.#frames), u32(0)]));
    this.#attempt(() => writeSync(this.#descriptor, control, 0, control.length, CONTROL_AT));
    this.close();
  }

  close(): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }

  #begin(width: number, height: number): [number, number] {
    const [bits, colour] = [8, 2];
    this.#attempt(() => writeSync(this.#descriptor, SIGNATURE));
    this.#chunk('IHDR', Buffer.concat([u32(width), u32(height), Buffer.from([bits, colour, 0, 0, 0])]));
    this.#chunk('acTL', Buffer.concat([u32(1), u32(0)]));
    return [width, height];
  }

  #control({ x, y, width, height }: Box): Buffer {
    const times = Buffer.alloc(6);
    times.writeUInt16BE(this.#delayMs, 0);
    times.writeUInt16BE(1000, 2);
    return Buffer.concat([...[this.#sequence++, width, height, x, y].map(u32), times]);
  }

  #chunk(type: string, data: Uint8Array): void {
    const bytes = chunk(type, data);
    this.#attempt(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    });
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw new VernierError('IO', `cannot write ${this.#path}: ${(cause as Error).message}`, { cause });
    }
  }
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The smallest rectangle outside of which the pictures are the same; one pixel where they are the same altogether. */
function changed(before: Uint8Array, after: Uint8Array, width: number, height: number): Box {
  let [left, right, top, bottom] = [width, -1, height, -1];
  const [a, b] = [Buffer.from(before.buffer), Buffer.from(after.buffer)];
  for (let y = 0; y < height; y++) {
    const [start, end] = [3 * y * width, 3 * (y + 1) * width];
    const [offsetA, offsetB] = [before.byteOffset, after.byteOffset];
    if (a.compare(b, offsetB + start, offsetB + end, offsetA + start, offsetA + end) === 0) continue;
    top = Math.min(top, y);
    bottom = y;
    let first = start;
    while (before[first] === after[first]) first++;
    let last = end - 1;
    while (before[last] === after[last]) last--;
    left = Math.min(left, Math.floor((first - start) / 3));
    right = Math.max(right, Math.floor((last - start) / 3));
  }
  if (bottom < 0) return { x: 0, y: 0, width: 1, height: 1 };
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The rows of the box, each pixel as its difference from the one to its left: PNG's filter 1. */
function filtered(rgb: Uint8Array, width: number, box: Box): Uint8Array {
  const row = 3 * box.width;
  const out = new Uint8Array((row + 1) * box.height);
  for (let y = 0; y < box.height; y++) {
    const from = 3 * ((box.y + y) * width + box.x);
    const to = y * (row + 1) + 1;
    out[to - 1] = 1;
    out.set(rgb.subarray(from, from + 3), to);
    for (let i = 3; i < row; i++) out[to + i] = rgb[from + i]! - rgb[from + i - 3]!;
  }
  return out;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  return Buffer.concat([u32(data.length), body, u32(crc32(body))]);
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
