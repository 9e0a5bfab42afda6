import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProtoWriter } from '#core/protobuf';
import { crc32c, EventFileWriter, maskedCrc32c } from '#view/tensorboard';

// The messages as TensorBoard declares them, decoded by protobufjs: another path than the writer's.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Event {
    double wall_time = 1;
    int64 step = 2;
    string file_version = 3;
    Summary summary = 5;
    SessionLog session_log = 7;
  }
  message Summary {
    message Value { string tag = 1; float simple_value = 2; }
    repeated Value value = 1;
  }
  message SessionLog { int32 status = 1; }`);
const Event = root.lookupType('Event');

interface DecodedEvent {
  readonly wallTime?: number;
  readonly step?: number;
  readonly fileVersion?: string;
  readonly summary?: { readonly value: readonly { readonly tag: string; readonly simpleValue?: number }[] };
  readonly sessionLog?: { readonly status: number };
}

/** CRC32C of a message taken as one long division, bit by bit. */
function crcByDivision(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  return Number(crc ^ 0xffffffffn);
}

function unmask(masked: number): number {
  const rotated = BigInt.asUintN(32, BigInt(masked) - 0xa282ead8n);
  return Number(BigInt.asUintN(32, (rotated >> 17n) | (rotated << 15n)));
}

function readEvents(path: string): DecodedEvent[] {
  const file = readFileSync(path);
  const events: DecodedEvent[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(unmask(file.readUInt32LE(at + 8))).toBe(crcByDivision(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(unmask(file.readUInt32LE(at + 12 + length))).toBe(crcByDivision(data));
    events.push(Event.toObject(Event.decode(data), { longs: Number }) as DecodedEvent);
    at += 16 + length;
  }
  return events;
}

describe('TensorBoard event files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vernier-events-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('give the CRC32C of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(unmask(maskedCrc32c(new Uint8Array(32)))).toBe(0x8a9136aa);
  });

  it('hold every scalar under its tag and step', () => {
    const writer = new EventFileWriter(join(folder, 'nested'), { now: () => 1_700_000_000.25 });
    writer.scalars(0, { 'train/success': 0.25, 'loss/critic': 1.5 });
    writer.scalars(5_000_000_000, { 'train/success': Number.NaN });
    writer.close();
    const [version, first, second, ...rest] = readEvents(writer.path);
    expect(rest).toEqual([]);
    expect(version).toEqual({ wallTime: 1_700_000_000.25, fileVersion: 'brain.Event:2' });
    expect(first?.step ?? 0).toBe(0);
    expect(first?.summary?.value).toEqual([
      { tag: 'train/success', simpleValue: 0.25 },
      { tag: 'loss/critic', simpleValue: 1.5 },
    ]);
    expect(second?.step).toBe(5_000_000_000);
    expect(second?.summary?.value[0]?.simpleValue).toBeNaN();
  });

  it('leave an earlier session alone and mark where the resumed one goes on', () => {
    const now = () => 1_700_000_000;
    const killed = new EventFileWriter(folder, { now });
    killed.scalars(100, { loss: 1 });
    killed.close();
    const before = readFileSync(killed.path);
    const resumed = new EventFileWriter(folder, { firstStep: 60, now });
    resumed.scalars(60, { loss: 2 });
    resumed.close();
    expect(readFileSync(killed.path)).toEqual(before);
    const names = readdirSync(folder).sort();
    expect(names.map((name) => join(folder, name))).toEqual([killed.path, resumed.path]);
    const [, start, scalar] = readEvents(resumed.path);
    expect(start).toMatchObject({ step: 60, sessionLog: { status: 1 } });
    expect(scalar).toMatchObject({ step: 60, summary: { value: [{ tag: 'loss', simpleValue: 2 }] } });
  });

  it('refuse to be written once closed, and name a folder that cannot be made', () => {
    const writer = new EventFileWriter(folder);
    writer.close();
    writer.close();
    expect(() => writer.scalars(0, { loss: 1 })).toThrow(expect.objectContaining({ code: 'STATE' }));
    expect(() => new EventFileWriter(join(writer.path, 'below'))).toThrow(
      expect.objectContaining({ code: 'IO', message: expect.stringContaining('below') }),
    );
  });
});

describe('ProtoWriter', () => {
  it('writes what protobufjs reads, at the edges of each wire type', () => {
    const { root: edges } = protobuf.parse(`
      syntax = "proto2";
      message Edge {
        optional int64 number = 1; optional double wide = 2; optional float narrow = 3;
        optional string text = 4; optional bytes raw = 5; optional Edge child = 2000; repeated int64 list = 7;
      }`);
    const Edge = edges.lookupType('Edge');
    const raw = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
    const bytes = new ProtoWriter()
      .varint(1, -1)
      .double(2, Math.PI)
      .float(3, -0.5)
      .string(4, 'µ-insertion')
      .bytes(5, raw)
      .message(2000, (child) => child.varint(1, Number.MAX_SAFE_INTEGER).string(4, ''))
      .varint(7, 127)
      .varint(7, 128)
      .varint(7, 2n ** 62n)
      .finish();
    const decoded = Edge.toObject(Edge.decode(bytes), { longs: String });
    expect(decoded).toEqual({
      number: '-1',
      wide: Math.PI,
      narrow: -0.5,
      text: 'µ-insertion',
      raw,
      child: { number: String(Number.MAX_SAFE_INTEGER), text: '' },
      list: ['127', '128', String(2n ** 62n)],
    });
  });
});
