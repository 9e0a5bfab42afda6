import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadTask, type ResolvedTask } from '#spec/task';
import { openTransport } from '#transport/openTransport';
import type { RobotTransport } from '#transport/robotTransport';
import { ensureBuild } from '../../cli/cli.js';
import { cycloneMissing, isolate, until } from '../../transport/loopback.js';
import { type RobotChild, vernier } from '../robot/robotChild.js';
import { ArmWatch } from './armWatch.js';
import { circlingBundle } from './circlingBundle.js';
import { TrajectoryRecorder } from './trajectoryRecorder.js';

const { env } = isolate();
const overrides = ['horizon=2000'];
/** Seconds that servos take to stand where their reference does. */
const SETTLES = 0.3;
/** Seconds of a policy step; joint states are stale after two of them. */
const STEP = 0.05;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const now = () => Date.now() / 1000;

/* A policy's process and a robot's, that fail while the arm moves. Whatever was sent is checked by a third. */
describe.skipIf(cycloneMissing)('the arm comes to rest, and nothing outside the limits is sent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-faults-'));
  const bundle = join(folder, 'circle.vrn');
  const config = join(folder, 'deploy.yaml');
  const children: RobotChild[] = [];
  let task: ResolvedTask;
  let transport: RobotTransport;
  let recorder: TrajectoryRecorder;
  let arm: ArmWatch;
  let sim: RobotChild;
  let policy: RobotChild;

  beforeAll(async () => {
    ensureBuild();
    task = await loadTask('reach', overrides);
    await circlingBundle(bundle, overrides);
    writeFileSync(config, 'episode: {judge: false}\n');
  }, 120_000);

  const start = (...args: string[]): RobotChild => {
    const child = vernier([...args, '--set', 'horizon=2000'], env);
    children.push(child);
    return child;
  };
  const startPolicy = () => start('ros2', bundle, '--robot', 'panda', '--config', config, '--json');

  beforeEach(async () => {
    transport = await openTransport({ node: '/witness' });
    recorder = new TrajectoryRecorder(transport, task);
    arm = new ArmWatch(transport, task);
    sim = start('sim-robot', 'panda', '--task', 'reach', '--seed', '1');
    policy = startPolicy();
    await Promise.race([arm.moves(), ends(sim), ends(policy)]);
    await sleep(300);
  }, 60_000);

  afterEach(async () => {
    for (const child of children.splice(0)) child.process.kill('SIGKILL');
    await transport.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const ends = async (child: RobotChild) => {
    const code = await child.ended(25_000);
    throw new Error(`ended with ${code}:\n${child.output()}`);
  };

  const nothingBad = () => {
    expect(recorder.messages).toBeGreaterThan(3);
    expect(recorder.faults).toEqual([]);
    expect(recorder.worst.acceleration).toBeGreaterThan(0.5);
    expect(arm.outside).toBeLessThanOrEqual(0);
    expect(arm.fastest).toBeLessThan(1.2);
  };

  it('when the policy is killed', async () => {
    policy.process.kill('SIGKILL');
    await policy.ended();
    const killed = now();
    const rested = await arm.rested();
    // What the last trajectory says, whatever else.
    expect(rested).toBeLessThan(recorder.restsAt + SETTLES);
    expect(recorder.lastAt).toBeLessThan(killed + 0.1);
    expect(rested - killed).toBeLessThan(1);
    nothingBad();
  }, 30_000);

  it('when the policy is stopped for a second: it goes on from where the arm is, or ends', async () => {
    policy.process.kill('SIGSTOP');
    const stopped = now();
    await sleep(1000);
    const rested = await arm.rested();
    expect(rested).toBeLessThan(recorder.restsAt + SETTLES);
    expect(rested - stopped).toBeLessThan(1);
    arm.fastest = 0;
    policy.process.kill('SIGCONT');
    const before = recorder.messages;
    // A second is as long as a node holds before it deactivates itself: both are right.
    await until(
      'more trajectories, or an end',
      () => recorder.messages > before + 10 || policy.output().includes('deactivate: stale'),
      10_000,
    );
    nothingBad();
  }, 30_000);

  it('when the robot is killed: the policy stops by itself and says why', async () => {
    sim.process.kill('SIGKILL');
    await sim.ended();
    const killed = now();
    expect(await policy.ended(10_000)).not.toBe(null);
    // Stale after two steps; then a stop, and the hold that the node waits for.
    expect(recorder.restsAt).toBeLessThan(killed + 2 * STEP + 3);
    expect(policy.output()).toMatch(/stale/);
    nothingBad();
  }, 30_000);

  it('when the robot is stopped for a second: it does not jump when it goes on', async () => {
    sim.process.kill('SIGSTOP');
    await sleep(1000);
    const before = arm.position.slice();
    arm.fastest = 0;
    sim.process.kill('SIGCONT');
    const seen = arm.seen;
    await until('joint states', () => arm.seen > seen + 5);
    const moved = Math.max(...arm.position.map((q, i) => Math.abs(q - before[i]!)));
    expect(moved).toBeLessThan(0.1);
    await sleep(500);
    nothingBad();
  }, 30_000);
});
