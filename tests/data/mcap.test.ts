import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter, TempBuffer } from '@mcap/core';
import { afterAll, expect, it } from 'vitest';
import { readMcap } from '#data/mcap';
import { messageCodec } from '#transport/cdr';
import { readDefinitions } from '#transport/definitionText';

const folder = mkdtempSync(join(tmpdir(), 'vernier-mcap-'));
afterAll(() => rmSync(folder, { recursive: true }));

const definition = `string[] name
float64[] position
int16[2] pair
int64 ticks
bool[] flags
uint8[] raw
float32[] cloud
`;

/** A recording of `/arm` whose messages were logged a second apart. */
async function recording(name: string, messages: readonly Uint8Array[]): Promise<string> {
  const buffer = new TempBuffer();
  const writer = new McapWriter({ writable: buffer });
  await writer.start({ profile: 'ros2', library: 'test' });
  const schemaId = await writer.registerSchema({
    name: 'a/msg/Arm',
    encoding: 'ros2msg',
    data: new TextEncoder().encode(definition),
  });
  const channelId = await writer.registerChannel({
    topic: '/arm',
    messageEncoding: 'cdr',
    schemaId,
    metadata: new Map(),
  });
  for (const [sequence, data] of messages.entries()) {
    const time = BigInt(sequence) * 1_000_000_000n;
    await writer.addMessage({ channelId, sequence, logTime: time, publishTime: time, data });
  }
  await writer.end();
  const path = join(folder, name);
  writeFileSync(path, buffer.get());
  return path;
}

it('every number of a ROS 2 message but bytes and long arrays is a signal', async () => {
  const codec = messageCodec('a/msg/Arm', readDefinitions(definition, 'a/msg/Arm'));
  const encoded = [1, 2].map((k) =>
    codec.encode({
      name: ['elbow', 'wrist'],
      position: [k, -k],
      pair: [k, 2 * k],
      ticks: BigInt(k) * 1000n,
      flags: [k === 1],
      raw: [k],
      cloud: new Float32Array(65),
    }),
  );
  const signals = readMcap(await recording('arm.mcap', encoded), () => true);
  const values = Object.entries(signals).map(([name, { value }]) => [name, Array.from<unknown>(value)]);
  expect(Object.fromEntries(values)).toEqual({
    'arm.position[0]': [1, 2],
    'arm.position[1]': [-1, -2],
    'arm.position.elbow': [1, 2],
    'arm.position.wrist': [-1, -2],
    'arm.pair[0]': [1, 2],
    'arm.pair[1]': [2, 4],
    'arm.pair.elbow': [1, 2],
    'arm.pair.wrist': [2, 4],
    'arm.ticks': [1000, 2000],
    'arm.flags[0]': [true, false],
  });
  expect([...signals['arm.ticks']!.time]).toEqual([0, 1]);

  const torn = await recording('torn.mcap', [encoded[0]!.subarray(0, 30)]);
  expect(() => readMcap(torn, () => true)).toThrow(/torn\.mcap: a\/msg\/Arm: position: .* \(byte \d+\)$/);
});
