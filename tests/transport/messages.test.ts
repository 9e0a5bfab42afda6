import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { standardCodec, standardDefinitions } from '#transport/messages';
import { bytes, goldenVectors, plain } from './golden.js';

describe('messages that ROS 2 sent', () => {
  it.each(goldenVectors)('%s', (type, { message, cdr, typeHash }) => {
    const codec = standardCodec(type);
    const sent = bytes(cdr);
    expect(codec.typeHash).toBe(typeHash);
    const decoded = codec.decode(sent);
    expect(plain(decoded)).toEqual(message);
    for (const value of [message, decoded]) {
      const encoded = codec.encode(value);
      expect(sent.length - encoded.length).toBeLessThan(4);
      expect(Buffer.from(encoded)).toEqual(Buffer.from(sent.subarray(0, encoded.length)));
      expect(codec.decode(encoded)).toEqual(decoded);
    }
  });
});

describe('the definitions at hand', () => {
  /** From the sources that rosidl_generator_c generated (ROS 2 Iron to Kilted; control_msgs before 6.3). */
  const hashes: Record<string, string> = JSON.parse(
    readFileSync(new URL('typeHashes.json', import.meta.url), 'utf8'),
  );

  it.each(Object.entries(hashes))('%s is the one of ROS 2', (type, hash) => {
    expect(standardCodec(type).typeHash).toBe(`RIHS01_${hash}`);
  });

  it('all resolve, and their new messages travel', () => {
    expect(standardDefinitions.types.length).toBeGreaterThan(120);
    for (const type of standardDefinitions.types) {
      const codec = standardCodec(type);
      const message = codec.create();
      expect(codec.decode(codec.encode(message))).toEqual(message);
    }
  });

  it('start new messages with their defaults, and name their constants', () => {
    expect(standardCodec('geometry_msgs/Pose').create()).toEqual({
      position: { x: 0, y: 0, z: 0 },
      orientation: { x: 0, y: 0, z: 0, w: 1 },
    });
    expect(standardCodec('rcl_interfaces/ParameterValue').create()).toMatchObject({
      integer_value: 0n,
      byte_array_value: new Uint8Array(0),
      integer_array_value: new BigInt64Array(0),
      bool_array_value: [],
    });
    expect(standardDefinitions.struct('action_msgs/GoalStatus').constants).toMatchObject({
      STATUS_SUCCEEDED: 4,
      STATUS_ABORTED: 6,
    });
  });

  it('name the type that is missing', () => {
    expect(() => standardCodec('sensor_msgs/msg/JointStates')).toThrow(
      expect.objectContaining({ code: 'DATA', hint: 'did you mean sensor_msgs/msg/JointState?' }),
    );
  });
});
