import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { sensorQuality } from '#transport/robotTransport';
import { cycloneMissing, isolate, until } from '../transport/loopback.js';
import { ensureBuild, vernier } from './cli.js';

const { env } = isolate();
ensureBuild();

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

describe('vernier sim-robot', () => {
  it('explains itself, and wants a task or a scene', () => {
    expect(vernier(['sim-robot', '--help']).stdout).toContain('vernier sim-robot panda --task peg_insertion');
    const both = vernier(['sim-robot', 'panda', '--task', 'lift', '--scene', 'table']);
    expect([both.status, both.stderr]).toMatchObject([2, expect.stringContaining('in a task or in a scene')]);
    expect(vernier(['sim-robot', 'panda', '--scene', 'nowhere']).stderr).toContain(
      '--scene: expected the name of a scene',
    );
    expect(vernier(['sim-robot', 'panda', '--task', 'lift', '--rate', '5000']).stderr).toContain('1 to 1000');
  });

  it.skipIf(cycloneMissing)(
    'runs in real time until Ctrl-C, and sums up in a last line of JSON',
    async () => {
      const child = spawn(
        process.execPath,
        ['bin/vernier.js', 'sim-robot', 'ur5e', '--scene', 'table', '--rate', '200'],
        {
          env: { ...process.env, ...env },
        },
      );
      running.push(child);
      let out = '';
      child.stdout!.on('data', (data) => {
        out += data;
      });
      child.stderr!.on('data', (data) => {
        out += data;
      });
      const transport = await openTransport({ node: '/listener' });
      const codec = standardCodec('sensor_msgs/msg/JointState');
      const stamps: number[] = [];
      transport.subscriber('/joint_states', 'sensor_msgs/msg/JointState', sensorQuality, ({ bytes }) => {
        const { header, name } = codec.decode(bytes) as unknown as {
          header: { stamp: { sec: number; nanosec: number } };
          name: string[];
        };
        expect(name[0]).toBe('shoulder_pan_joint');
        stamps.push(header.stamp.sec + 1e-9 * header.stamp.nanosec);
      });
      await until(`100 joint states, after:\n${out}`, () => stamps.length >= 100);
      await transport.close();
      expect(stamps.every((stamp, i) => i === 0 || stamp > stamps[i - 1]!)).toBe(true);
      expect(Math.abs(stamps.at(-1)! - Date.now() / 1000)).toBeLessThan(30);
      const ended = new Promise<number | null>((resolve) => {
        child.on('close', resolve);
      });
      child.kill('SIGINT');
      expect(await ended).toBe(0);
      expect(JSON.parse(out.trim().split('\n').at(-1)!)).toMatchObject({ episodes: 0, trajectories: 0 });
    },
  );
});
