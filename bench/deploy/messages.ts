import { fileURLToPath } from 'node:url';
import { standardCodec } from '#transport/messages';
import { best } from './best.js';

/* What one message costs to write and to read on one core, beside JSON of the same content in the same run.
 *   node --conditions=vernier-src --import ./tests/tools/typescript.mjs bench/deploy/messages.ts */

export interface MessageFigures {
  readonly name: string;
  readonly bytes: number;
  /** Microseconds. */
  readonly encode: number;
  readonly decode: number;
  /** JSON.stringify and JSON.parse. */
  readonly json: { readonly encode: number; readonly decode: number };
}

const joints = Array.from({ length: 7 }, (_, i) => `panda_joint${i + 1}`);
const numbers = (from: number): number[] => joints.map((_, i) => Math.sin(from + i));
const header = { stamp: { sec: 1_700_000_000, nanosec: 123_456_789 }, frame_id: 'panda_link0' };
const seconds = (k: number) => ({ sec: 0, nanosec: k * 50_000_000 });

/** As a robot process sends and receives them. */
const cases: readonly (readonly [name: string, type: string, message: unknown])[] = [
  [
    'JointState, 7 joints',
    'sensor_msgs/msg/JointState',
    { header, name: joints, position: numbers(1), velocity: numbers(2), effort: numbers(3) },
  ],
  [
    'JointTrajectory, 7 joints, 16 points',
    'trajectory_msgs/msg/JointTrajectory',
    {
      header,
      joint_names: joints,
      points: Array.from({ length: 16 }, (_, k) => ({
        positions: numbers(k),
        velocities: numbers(k + 0.3),
        accelerations: numbers(k + 0.7),
        effort: [],
        time_from_start: seconds(k),
      })),
    },
  ],
  [
    'DiagnosticArray, 4 states of 8 values',
    'diagnostic_msgs/msg/DiagnosticArray',
    {
      header,
      status: Array.from({ length: 4 }, (_, k) => ({
        level: k % 3,
        name: `vernier: part ${k}`,
        message: 'keeps its deadlines',
        hardware_id: 'panda',
        values: Array.from({ length: 8 }, (_, i) => ({
          key: `lateness p${i} (ms)`,
          value: (i / 7).toFixed(3),
        })),
      })),
    },
  ],
];

export function measureMessages(): MessageFigures[] {
  return cases.map(([name, type, message]) => {
    const codec = standardCodec(type);
    const bytes = codec.encode(message);
    const memory = new Uint8Array(2 * bytes.length);
    const text = JSON.stringify(message);
    return {
      name,
      bytes: bytes.length,
      encode: best(() => codec.encode(message, memory)),
      decode: best(() => codec.decode(bytes)),
      json: { encode: best(() => JSON.stringify(message)), decode: best(() => JSON.parse(text)) },
    };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(measureMessages());
