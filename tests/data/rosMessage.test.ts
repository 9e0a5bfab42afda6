import { describe, expect, it } from 'vitest';
import { rosMessageReader } from '#data/rosMessage';

/** Bytes that rmw_cyclonedds_cpp wrote of these messages (ROS 2 Jazzy). */

const header = `
================================================================================
MSG: std_msgs/Header
# Standard metadata
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
`;
const stamp = { stamp: { sec: 12, nanosec: 345678901 }, frame_id: 'base_link' };

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('messages of ROS 2', () => {
  it('are read by their definition: nested types, texts, arrays of arrays', () => {
    const definition = `std_msgs/Header header

string[] joint_names   # in order
trajectory_msgs/JointTrajectoryPoint[] points${header}
===
MSG: trajectory_msgs/JointTrajectoryPoint
float64[] positions
float64[] velocities
float64[] accelerations
float64[] effort
builtin_interfaces/Duration time_from_start
===
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
`;
    const read = rosMessageReader('trajectory_msgs/msg/JointTrajectory', definition);
    const message = bytes(
      '000100000c00000035a49a140a000000626173655f6c696e6b00000002000000030000006a310000030000006a320000' +
        '0200000002000000000000009a9999999999b93f9a9999999999c93f0200000000000000333333333333d33f9a999999' +
        '9999d93f000000000000000000000000002d31010200000000000000000000000000e03f333333333333e33f00000000' +
        '00000000000000000100000000000000',
    );
    const none = { accelerations: [], effort: [] };
    expect(read(message)).toEqual({
      header: stamp,
      joint_names: ['j1', 'j2'],
      points: [
        {
          positions: [0.1, 0.2],
          velocities: [0.3, 0.4],
          ...none,
          time_from_start: { sec: 0, nanosec: 20000000 },
        },
        { positions: [0.5, 0.6], velocities: [], ...none, time_from_start: { sec: 1, nanosec: 0 } },
      ],
    });
    expect(() => read(message.subarray(0, 100))).toThrow('a message is shorter than its type says');
  });

  it('are read with types of the same package, constants and defaults', () => {
    const definition = `Header header
Twist twist
${header}
===
MSG: geometry_msgs/Twist
int8 UNUSED=3
Vector3 linear
Vector3 angular
===
MSG: geometry_msgs/Vector3
float64 x
float64 y 0.5
float64 z
`;
    const read = rosMessageReader('geometry_msgs/msg/TwistStamped', definition);
    const message = bytes(
      '000100000c00000035a49a140a000000626173655f6c696e6b000000000000000000f03f000000000000004000000000' +
        '00000840000000000000104000000000000014400000000000001840',
    );
    expect(read(message)).toEqual({
      header: stamp,
      twist: { linear: { x: 1, y: 2, z: 3 }, angular: { x: 4, y: 5, z: 6 } },
    });
  });

  it('may be of the other byte order, and pad to the size of each number', () => {
    const read = rosMessageReader('a/B', 'bool on\nint16[2] pair\nuint8[<=4] raw\nint64 big\nstring<=5 text');
    const message = bytes(
      '00000000' +
        '01' +
        '00' +
        '0102' +
        'fffe' +
        '0000' +
        '00000002' +
        '0708' +
        '0000' +
        'ffffffffffffffff' +
        '00000003' +
        'c3a900',
    );
    expect(read(message)).toEqual({
      on: true,
      pair: [258, -2],
      raw: Uint8Array.of(7, 8),
      big: -1,
      text: 'é',
    });
  });

  it('with definitions that cannot be are refused', () => {
    expect(() => rosMessageReader('a/B', 'C c')).toThrow('the definition of a/C is missing');
    expect(() => rosMessageReader('a/B', 'B b')).toThrow('a/B contains itself');
    expect(() => rosMessageReader('a/B', 'float64')).toThrow(/a\/B: expected "type name"/);
    expect(() => rosMessageReader('a/B', 'bool b')(bytes('00030000'))).toThrow('not plain CDR');
    expect(() => rosMessageReader('a/B', 'float64[] x')(bytes('00010000ffffff7f'))).toThrow('shorter');
  });
});
