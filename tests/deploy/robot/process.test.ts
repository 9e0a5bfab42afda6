import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadTask } from '#spec/task';
import { openTransport } from '#transport/openTransport';
import type { RobotTransport } from '#transport/robotTransport';
import { ensureBuild } from '../../cli/cli.js';
import { cycloneMissing, isolate, until } from '../../transport/loopback.js';
import { KinematicRobot } from './kinematicRobot.js';
import { reachBundle } from './reachBundle.js';
import { type RobotChild, vernier } from './robotChild.js';

const { env } = isolate();
const TARGET = [0.45, 0.1, 0.3] as const;

describe.skipIf(cycloneMissing)('vernier ros2', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-ros2-'));
  const bundle = join(folder, 'reach.vrn');
  const children: RobotChild[] = [];
  let transport: RobotTransport;
  let robot: KinematicRobot | undefined;

  beforeAll(async () => {
    ensureBuild();
    await reachBundle(bundle, [0.9, -0.9, 0.9]);
    transport = await openTransport({ node: '/kinematic_robot' });
  }, 120_000);
  afterEach(() => {
    robot?.close();
    for (const child of children.splice(0)) child.process.kill('SIGKILL');
  });
  afterAll(async () => {
    await transport.close();
    rmSync(folder, { recursive: true });
  });

  const start = (...args: string[]): RobotChild => {
    const child = vernier(['ros2', bundle, '--robot', 'panda', ...args], env);
    children.push(child);
    return child;
  };
  const simulate = async (options = {}): Promise<KinematicRobot> => {
    robot = new KinematicRobot(transport, await loadTask('reach'), { target: TARGET }, options);
    return robot;
  };

  it('reaches the target over DDS and says so', async () => {
    const arm = await simulate();
    const child = start('--json');
    expect(await child.ended(30_000), child.output()).toBe(0);
    expect(JSON.parse(child.output().trim().split('\n').at(-1)!)).toMatchObject({
      success: true,
      reason: 'success',
    });
    expect(arm.refusals).toEqual([]);
    expect(arm.taken).toBeGreaterThan(5);
    await until('the arm to rest', () => arm.speed(100) === 0);
  });
});
