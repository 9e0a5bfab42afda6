import { closeSync, openSync, writeSync } from 'node:fs';
import { McapWriter } from '@mcap/core';
import { VernierError } from '#core/errors';
import type { ArrayExtent, ElementType, StructDefinition } from '#transport/messageDefinition';

/** Writes messages of ROS 2 into an MCAP file, byte by byte as they were sent. Nothing waits for the disk: messages are put
 * in order behind each other, and a file that cannot be written is told once. */
export class McapRecording {
  readonly path: string;
  /** Messages taken so far. */
  count = 0;
  readonly #file: number;
  readonly #writer: McapWriter;
  readonly #onError: (error: VernierError) => void;
  readonly #channels = new Map<string, Promise<number>>();
  #queue: Promise<void>;
  #failed = false;
  #position = 0n;
  #sequence = 0;

  /** @throws IO when the file cannot be made */
  constructor(path: string, onError: (error: VernierError) => void) {
    this.path = path;
    this.#onError = onError;
    try {
      this.#file = openSync(path, 'w');
    } catch (cause) {
      throw new VernierError('IO', `${path} cannot be written: ${(cause as Error).message}`, { cause });
    }
    this.#writer = new McapWriter({
      writable: {
        position: () => this.#position,
        write: async (bytes) => {
          writeSync(this.#file, bytes);
          this.#position += BigInt(bytes.byteLength);
        },
      },
    });
    this.#queue = this.#writer.start({ profile: 'ros2', library: 'vernier' });
  }

  /** @param message CDR, not to be changed afterwards
   * @param logged nanoseconds since 1970 when it came or went @param sent the same by the sender's clock */
  add(
    topic: string,
    definition: StructDefinition,
    message: Uint8Array,
    logged: bigint,
    sent: bigint = logged,
  ): void {
    if (this.#failed) return;
    this.count++;
    this.#then(async () => {
      const channelId = await this.#channel(topic, definition);
      await this.#writer.addMessage({
        channelId,
        sequence: this.#sequence++,
        logTime: logged,
        publishTime: sent,
        data: message,
      });
    });
  }

  /** Writes the index; resolves when all is on its way to the disk. */
  async close(): Promise<void> {
    this.#then(() => this.#writer.end());
    await this.#queue;
    closeSync(this.#file);
  }

  #then(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((cause: unknown) => {
      if (this.#failed) return;
      this.#failed = true;
      this.#onError(
        new VernierError('IO', `${this.path}: the recording stops: ${(cause as Error).message}`, { cause }),
      );
    });
  }

  #channel(topic: string, definition: StructDefinition): Promise<number> {
    const key = `${topic} ${definition.type}`;
    const known = this.#channels.get(key) ?? this.#newChannel(topic, definition);
    this.#channels.set(key, known);
    return known;
  }

  async #newChannel(topic: string, definition: StructDefinition): Promise<number> {
    const schemaId = await this.#writer.registerSchema({
      name: definition.type,
      encoding: 'ros2msg',
      data: new TextEncoder().encode(definitionText(definition)),
    });
    return this.#writer.registerChannel({ schemaId, topic, messageEncoding: 'cdr', metadata: new Map() });
  }
}

/** The definition with those it uses behind it, as `ros2msg` wants it. */
export function definitionText(definition: StructDefinition): string {
  const used = new Map<string, StructDefinition>();
  const visit = (struct: StructDefinition): void => {
    for (const { element } of struct.fields) {
      if (element.kind !== 'struct' || used.has(element.struct.type)) continue;
      used.set(element.struct.type, element.struct);
      visit(element.struct);
    }
  };
  visit(definition);
  const others = [...used.values()].map((struct) => `MSG: ${shortName(struct.type)}\n${fieldLines(struct)}`);
  return [fieldLines(definition), ...others].join(`${'='.repeat(80)}\n`);
}

function fieldLines({ fields }: StructDefinition): string {
  return fields
    .map(({ name, element, array }) => `${elementName(element)}${extent(array)} ${name}\n`)
    .join('');
}

function elementName(element: ElementType): string {
  if (element.kind === 'number') return element.number;
  if (element.kind === 'struct') return shortName(element.struct.type);
  return element.bound === undefined ? 'string' : `string<=${element.bound}`;
}

function extent(array: ArrayExtent | undefined): string {
  if (!array) return '';
  if (array.kind === 'fixed') return `[${array.length}]`;
  return array.bound === undefined ? '[]' : `[<=${array.bound}]`;
}

/** `geometry_msgs/Pose`; services and actions keep their middle part. */
function shortName(type: string): string {
  return type.replace('/msg/', '/');
}
