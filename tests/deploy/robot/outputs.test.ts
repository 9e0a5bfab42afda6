import { describe, expect, it } from 'vitest';
import type { Command } from '#deploy/robot/controlLink';
import { packCommand, unpackCommand } from '#deploy/robot/controlLink';
import { type Deployment, readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { Outputs } from '#deploy/robot/outputs';
import { monotonicMs, monotonicShift } from '#deploy/robot/sharedBoard';
import { loadTask } from '#spec/task';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import type { RobotTransport } from '#transport/robotTransport';
import { until } from '../../transport/loopback.js';

/** Keeps what is published and what goals are sent; a goal is answered when the test says. */
function listener() {
  const messages: { readonly topic: string; readonly at: number; readonly message: Message }[] = [];
  const goals: { readonly message: Message; readonly answer: (accepted: boolean) => void }[] = [];
  const transport = {
    publisher: (topic: string, type: string) => ({
      write: (bytes: Uint8Array) =>
        messages.push({ topic, at: monotonicMs(), message: standardCodec(type).decode(bytes) }),
      matched: () => 1,
      close() {},
    }),
    actionClient: (_: string, type: string) => ({
      available: () => true,
      close() {},
      send: (goal: Uint8Array) =>
        new Promise((resolve) =>
          goals.push({
            message: standardCodec(`${type}_Goal`).decode(goal),
            answer: (accepted) => resolve(accepted ? {} : undefined),
          }),
        ),
    }),
  } as unknown as RobotTransport;
  return { transport, messages, goals };
}

async function deployment(
  task: string,
  output: Partial<Deployment['spec']['output']> = {},
): Promise<Deployment> {
  const plain = resolveDeployment(readDeployment(undefined), await loadTask(task));
  return { ...plain, spec: { ...plain.spec, output: { ...plain.spec.output, ...output } } };
}

/** A trajectory of 60 ms that moves every joint by 0.06 and rests at its end. */
function command(gripper?: number): Command {
  const row = (value: number): Float64Array => new Float64Array(7).fill(value);
  const time = monotonicMs() + 5;
  return {
    number: 1,
    time,
    departs: time,
    gripper,
    points: {
      times: [0.02, 0.04, 0.06],
      positions: [row(0.02), row(0.04), row(0.06)],
      velocities: [row(1), row(1), row(0)],
      accelerations: [row(0), row(0), row(0)],
    },
  };
}

const onTime = (): boolean => true;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a command', () => {
  it('crosses between threads whole', () => {
    const board = new Float64Array(5 + 320 * 22);
    packCommand(command(0.02), board);
    const { gripper, points } = unpackCommand(board, 7);
    expect(gripper).toBe(0.02);
    expect(points).toEqual(command().points);
    packCommand(command(), board);
    expect(unpackCommand(board, 7).gripper).toBeUndefined();
  });

  it('begins at its time on the clock, or when it arrives', async () => {
    for (const stamp of ['absolute', 'zero'] as const) {
      const { transport, messages } = listener();
      const outputs = new Outputs(await deployment('reach', { stamp }), transport, () => {});
      const sent = command();
      outputs.send(sent, onTime);
      const { sec, nanosec } = (messages[0]!.message['header'] as Message)['stamp'] as {
        sec: number;
        nanosec: number;
      };
      const begin = 1000 * sec + nanosec / 1e6;
      if (stamp === 'zero') expect(begin).toBe(0);
      // Of the system's clock, which may be some milliseconds off that of the process's start.
      else expect(Math.abs(begin - (performance.timeOrigin - monotonicShift() + sent.time))).toBeLessThan(25);
      outputs.close();
    }
  });

  it('that begins when it arrives leaves out what was sent before', async () => {
    const { transport, messages } = listener();
    const outputs = new Outputs(await deployment('reach', { stamp: 'zero' }), transport, () => {});
    const plain = command();
    outputs.send({ ...plain, departs: plain.time + 20 }, onTime);
    const points = messages[0]!.message['points'] as Message[];
    const times = points.map((point) => (point['time_from_start'] as Message)['nanosec']);
    expect(times).toEqual([20_000_000, 40_000_000]);
    expect((points[0]!['positions'] as Float64Array)[0]).toBe(0.04);
    outputs.close();
  });

  it('that is late is left out', async () => {
    const { transport, messages } = listener();
    const outputs = new Outputs(await deployment('reach'), transport, () => {});
    outputs.send(command(), () => false);
    expect(messages).toEqual([]);
    expect(outputs.counts).toEqual({ sent: 0, late: 1, refused: 0 });
    outputs.close();
  });

  it('is ready to be sent when it is claimed', async () => {
    const { transport, messages } = listener();
    const outputs = new Outputs(await deployment('reach'), transport, () => {});
    const { points, ...rest } = command();
    const positions = [...points.positions];
    const claim = (): boolean => {
      positions.length = 0;
      return true;
    };
    outputs.send({ ...rest, points: { ...points, positions } }, claim);
    const sent = messages[0]!.message['points'] as Message[];
    expect(sent.map((point) => (point['positions'] as Float64Array)[0])).toEqual([0.02, 0.04, 0.06]);
    outputs.close();
  });

  it('as positions goes on to its end at rest, whatever comes after it', async () => {
    const { transport, messages } = listener();
    const outputs = new Outputs(await deployment('reach', { kind: 'forward_position' }), transport, () => {});
    outputs.send(command(), onTime);
    const sent = () => messages.map(({ message }) => (message['data'] as Float64Array)[0]!);
    await until('its end', () => sent().at(-1) === 0.06);
    expect(sent().every((q, k) => q >= (sent()[k - 1] ?? 0))).toBe(true);
    await wait(50);
    const count = messages.length;
    await wait(50);
    expect(messages.length).toBe(count);
    outputs.close();
  });

  it('moves the gripper in the unit of its driver, one goal at a time, and not for trifles', async () => {
    const { transport, goals } = listener();
    const plain = await deployment('lift');
    const gripper = { ...plain.gripper!, driver: { open: 0.8, closed: 0 } };
    const outputs = new Outputs({ ...plain, gripper }, transport, () => {});
    const position = (k: number): number =>
      (goals[k]!.message['command'] as Message)['position'] as unknown as number;
    outputs.send(command(0.04), onTime);
    expect(position(0)).toBeCloseTo(0.8, 12);
    outputs.send(command(0.0399), onTime);
    outputs.send(command(0.02), onTime);
    outputs.send(command(0), onTime);
    expect(goals).toHaveLength(1);
    goals[0]!.answer(true);
    await wait(5);
    expect(goals).toHaveLength(2);
    expect(position(1)).toBe(0);
    goals[1]!.answer(false);
    await wait(5);
    expect(outputs.counts.refused).toBe(1);
    outputs.close();
  });
});
