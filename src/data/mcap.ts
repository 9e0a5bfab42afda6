import lz4 from '@foxglove/wasm-lz4';
import * as zstd from '@foxglove/wasm-zstd';
import { McapStreamReader } from '@mcap/core';
import { readFileBytes } from '#core/container';
import { VernierError } from '#core/errors';
import { messageCodec } from '#transport/cdr';
import { readDefinitions } from '#transport/definitionText';
import type { Message as MessageFields, MessageValue } from '#transport/messageValue';
import type { NumberArray } from '#transport/numberKinds';

/** Signals of an MCAP recording: every number and condition in messages of JSON or of ROS 2 (CDR with `ros2msg`). */

/** Seconds since the first message read; ascending. */
export interface StampedSignal {
  readonly time: Float64Array;
  readonly value: Float64Array | readonly boolean[];
}

/** Arrays longer than this (pictures, point clouds) are no signals. */
const longestArray = 64;

/** `/arm/joint_states` in names of signals: `arm.joint_states`. */
export function topicName(topic: string): string {
  return topic.replace(/^\//, '').replaceAll('/', '.');
}

/** The signals of the topics wanted, `<topic>.<field>` each. A field is a signal where all messages of its topic have it.
 * Names that a message lists (`name` of a JointState) also name the entries of its arrays: `joint_states.position.elbow`.
 * The stamp is that of the message's header, else the time of logging.
 * @throws DATA when the file is torn, or a wanted topic's encoding is another */
export function readMcap(
  path: string,
  isWanted: (topic: string) => boolean,
): Readonly<Record<string, StampedSignal>> {
  const topics = new Map<string, Sample[]>();
  for (const { topic, stamp, value } of messages(path, isWanted)) {
    const leaves = new Map<string, number | boolean>();
    addLeaves(topicName(topic), value, leaves);
    const samples = topics.get(topic) ?? [];
    samples.push({ stamp, leaves });
    topics.set(topic, samples);
  }
  let origin: bigint | undefined;
  for (const samples of topics.values()) {
    samples.sort((a, b) => (a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0));
    if (origin === undefined || samples[0]!.stamp < origin) origin = samples[0]!.stamp;
  }
  return Object.fromEntries([...topics.values()].flatMap((samples) => signalsOf(samples, origin!)));
}

interface Sample {
  /** Nanoseconds. */
  readonly stamp: bigint;
  readonly leaves: ReadonlyMap<string, number | boolean>;
}

/** Of samples with one stamp the last counts. */
function signalsOf(all: readonly Sample[], origin: bigint): [string, StampedSignal][] {
  const samples = all.filter(({ stamp }, i) => stamp !== all[i + 1]?.stamp);
  const time = Float64Array.from(samples, ({ stamp }) => Number(stamp - origin) / 1e9);
  const names = [...samples[0]!.leaves.keys()].filter((name) => {
    const type = typeof samples[0]!.leaves.get(name);
    return samples.every(({ leaves }) => typeof leaves.get(name) === type);
  });
  return names.map((name) => {
    const values = samples.map(({ leaves }) => leaves.get(name)!);
    const isCondition = typeof values[0] === 'boolean';
    return [
      name,
      { time, value: isCondition ? (values as boolean[]) : Float64Array.from(values as number[]) },
    ];
  });
}

function addLeaves(name: string, value: MessageValue | null, outLeaves: Map<string, number | boolean>): void {
  if (typeof value === 'number' || typeof value === 'boolean') {
    outLeaves.set(name, value);
  } else if (typeof value === 'bigint') {
    outLeaves.set(name, Number(value));
  } else if (isArray(value)) {
    if (value.length > longestArray) return;
    for (let i = 0; i < value.length; i++) addLeaves(`${name}[${i}]`, value[i]!, outLeaves);
  } else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    const fields = value as MessageFields;
    for (const [field, inner] of Object.entries(fields)) {
      addLeaves(`${name}.${field}`, inner, outLeaves);
      for (const [i, item] of named(fields['name'], inner))
        addLeaves(`${name}.${field}.${i}`, item, outLeaves);
    }
  }
}

/** Bytes are no signals, other numbers are. */
function isArray(
  value: MessageValue | null | undefined,
): value is MessageValue[] | Exclude<NumberArray, Uint8Array> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array));
}

/** The entries of an array by the names that lie beside it. */
function named(names: MessageValue | undefined, array: MessageValue): [string, MessageValue][] {
  if (!Array.isArray(names) || !isArray(array) || names.length !== array.length) return [];
  if (array.length > longestArray || !names.every((name) => typeof name === 'string')) return [];
  return names.map((name, i) => [name, array[i]!]);
}

interface Message {
  readonly topic: string;
  readonly stamp: bigint;
  readonly value: MessageValue;
}

function* messages(path: string, isWanted: (topic: string) => boolean): Generator<Message> {
  const decoders = new Map<McapChannel, (bytes: Uint8Array) => MessageValue>();
  for (const { channel, bytes, logTime } of readMcapMessages(path, isWanted)) {
    let value: MessageValue;
    try {
      const decode = decoders.get(channel) ?? decoder(channel);
      decoders.set(channel, decode);
      value = decode(bytes);
    } catch (cause) {
      throw inFile(path, cause);
    }
    yield { topic: channel.topic, stamp: stampOf(value) ?? logTime, value };
  }
}

/** A topic of an MCAP file; one object for all of its messages. */
export interface McapChannel {
  readonly topic: string;
  /** `cdr`, `json`, ... */
  readonly encoding: string;
  readonly schema: { readonly name: string; readonly encoding: string; readonly text: string } | undefined;
}

export interface McapMessage {
  readonly channel: McapChannel;
  readonly bytes: Uint8Array;
  /** Nanoseconds. */
  readonly logTime: bigint;
}

/** The messages of an MCAP file as they stand in it, not decoded. @throws DATA when the file is torn */
export function* readMcapMessages(
  path: string,
  isWanted: (topic: string) => boolean,
): Generator<McapMessage> {
  const reader = new McapStreamReader({ decompressHandlers });
  const schemas = new Map<number, NonNullable<McapChannel['schema']>>();
  const channels = new Map<number, McapChannel>();
  reader.append(readFileBytes(path));
  try {
    for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
      if (record.type === 'Schema') {
        const { id, name, encoding, data } = record;
        schemas.set(id, { name, encoding, text: new TextDecoder().decode(data) });
      } else if (record.type === 'Channel' && isWanted(record.topic) && !channels.has(record.id)) {
        const { id, topic, messageEncoding, schemaId } = record;
        channels.set(id, { topic, encoding: messageEncoding, schema: schemas.get(schemaId) });
      } else if (record.type === 'Message') {
        const channel = channels.get(record.channelId);
        if (channel) yield { channel, bytes: record.data, logTime: record.logTime };
      }
    }
  } catch (cause) {
    throw inFile(path, cause);
  }
  if (!reader.done()) throw new VernierError('DATA', `${path}: the file ends before its footer`);
}

function inFile(path: string, cause: unknown): VernierError {
  const hint = cause instanceof VernierError ? cause.hint : undefined;
  return new VernierError('DATA', `${path}: ${(cause as Error).message}`, {
    cause,
    ...(hint ? { hint } : {}),
  });
}

function decoder({ topic, encoding, schema }: McapChannel): (bytes: Uint8Array) => MessageValue {
  if (encoding === 'json') return (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as MessageValue;
  if (encoding === 'cdr' && schema?.encoding === 'ros2msg')
    return messageCodec(schema.name, readDefinitions(schema.text, schema.name)).decodeBorrow;
  const received = encoding === 'cdr' ? `cdr with ${schema?.encoding ?? 'no'} schema` : encoding;
  throw new VernierError(
    'DATA',
    `${topic}: expected messages in json or cdr with ros2msg, received ${received}`,
  );
}

/** The stamp of a ROS header, where it was set. */
function stampOf(value: MessageValue): bigint | undefined {
  const stamp = (value as { readonly header?: { readonly stamp?: Readonly<Record<string, unknown>> } } | null)
    ?.header?.stamp;
  const { sec, nanosec } = stamp ?? {};
  if (typeof sec !== 'number' || typeof nanosec !== 'number' || (sec === 0 && nanosec === 0))
    return undefined;
  return BigInt(Math.trunc(sec)) * 1_000_000_000n + BigInt(Math.trunc(nanosec));
}

await Promise.all([lz4.isLoaded, zstd.isLoaded]);

const decompressHandlers: Readonly<Record<string, (bytes: Uint8Array, size: bigint) => Uint8Array>> = {
  lz4: (bytes, size) => lz4(bytes, Number(size)),
  zstd: (bytes, size) => zstd.decompress(bytes, Number(size)),
};
