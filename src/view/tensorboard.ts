import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { VernierError } from '#core/errors';
import { ProtoWriter } from '#core/protobuf';

/** TensorBoard event files: one scalar per tag and step, in the TFRecord framing.
 *
 * Each session of a run writes its own file, so what an earlier session wrote is never touched and a tail
 * torn by a crash stays where readers expect one: at the end of a file. A resumed session says at which step
 * it goes on, and TensorBoard drops what the killed session had written from there.
 * @source tensorflow/core/util/event.proto and lib/io/record_writer.cc; differs: none */

export interface EventFileOptions {
  /** The first step this session will write; events of earlier sessions from this step on are superseded. */
  readonly firstStep?: number;
  /** Seconds since the epoch. */
  readonly now?: () => number;
}

/** The session log's START; readers purge by it in files of version 2. */
const SESSION_START = 1;
const FILE_VERSION = 'brain.Event:2';

export class EventFileWriter {
  readonly path: string;
  readonly #now: () => number;
  #file: number | undefined;

  /** Opens a new event file in `directory`, which is made if it is not there. */
  constructor(directory: string, options: EventFileOptions = {}) {
    this.#now = options.now ?? (() => Date.now() / 1000);
    [this.path, this.#file] = createFile(directory, this.#now());
    this.#append((event) => event.string(3, FILE_VERSION));
    const firstStep = options.firstStep ?? 0;
    if (firstStep > 0) {
      this.#append((event) => event.varint(2, firstStep).message(7, (log) => log.varint(1, SESSION_START)));
    }
  }

  /** Writes the values of one step, tag to value, as one event. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#append((event) =>
      event.varint(2, step).message(5, (summary) => {
        for (const [tag, value] of Object.entries(values)) {
          summary.message(1, (entry) => entry.string(1, tag).float(2, value));
        }
      }),
    );
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #append(write: (event: ProtoWriter) => void): void {
    if (this.#file === undefined) throw new VernierError('STATE', `the event file ${this.path} is closed`);
    const event = new ProtoWriter().double(1, this.#now());
    write(event);
    const record = frameRecord(event.finish());
    try {
      for (let written = 0; written < record.length; ) {
        written += writeSync(this.#file, record, written);
      }
    } catch (cause) {
      throw new VernierError('IO', `cannot write ${this.path}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** TensorBoard reads a folder's files in the order of their names, so the second comes first and a counter
 * keeps two sessions of one second apart. */
function createFile(directory: string, now: number): [path: string, file: number] {
  try {
    mkdirSync(directory, { recursive: true });
    const second = String(Math.floor(now)).padStart(10, '0');
    for (let session = 0; ; session++) {
      const counter = String(session).padStart(3, '0');
      const path = join(directory, `events.out.tfevents.${second}.${counter}.${hostname()}.v2`);
      try {
        return [path, openSync(path, 'wx')];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  } catch (cause) {
    throw new VernierError('IO', `cannot write event files in ${directory}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** One TFRecord: length, its checksum, the data, its checksum; little-endian. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** TFRecord's checksum: CRC32C, rotated right by 15 and offset, so that a checksum of checksums stays sound. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32 with the Castagnoli polynomial (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = castagnoli[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
