import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { makePolicy, type PolicyBundle } from '#policy/bundle';
import { loadTask } from '#spec/task';
import { ensureBuild } from '../../cli/cli.js';
import { cycloneMissing, isolate } from '../../transport/loopback.js';
import { reachBundle } from './reachBundle.js';
import { type RobotChild, vernier } from './robotChild.js';

/* bundle → robot process → DDS → sim robot, as in docs/deploy.md: two processes and nothing of this one between. */

const { env } = isolate();
const EPISODES = 8;
const SEED = 4711;

/** Successes of the base in the training environment, on the episodes that the sim robot goes through. */
async function trainingSuccesses(bundle: PolicyBundle): Promise<number> {
  const task = await loadTask('reach');
  const training = await makeEnv(task, { environments: 1, seed: SEED, autoReset: false });
  const policy = await makePolicy(bundle, 1);
  let successes = 0;
  for (let episode = 1; episode <= EPISODES; episode++) {
    training.reset({ episode });
    policy.reset();
    while (training.terminated[0] === 0 && training.truncated[0] === 0) {
      await policy.act(training.observation, training.action);
      training.step();
    }
    successes += training.success[0]!;
  }
  policy.close();
  training.close();
  return successes;
}

describe.skipIf(cycloneMissing)('the whole path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-path-'));
  const path = join(folder, 'reach.vrn');
  const children: RobotChild[] = [];
  let bundle: PolicyBundle;
  const start = (...args: string[]): RobotChild => {
    const child = vernier(args, env);
    children.push(child);
    return child;
  };

  const stop = async (child: RobotChild): Promise<void> => {
    child.process.kill('SIGTERM');
    await child.ended();
  };

  beforeAll(async () => {
    ensureBuild();
    bundle = await reachBundle(path, [0.9, -0.9, 0.9]);
  });
  afterAll(() => {
    for (const { process: child } of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('commands by the action as well', async () => {
    const sim = start('sim-robot', 'panda', '--task', 'reach', '--seed', String(SEED));
    await sim.said('trajectories on');
    const file = join(folder, 'action.yaml');
    writeFileSync(file, 'output: {kind: follow_joint_trajectory}\n');
    const robot = start('ros2', path, '--robot', 'panda', '--json', '--config', file);
    expect(await robot.ended(), robot.output()).toBe(0);
    expect(robot.output()).toContain('"success":true');
    await stop(sim);
  });

  it('succeeds as often as in training', async () => {
    const sim = start('sim-robot', 'panda', '--task', 'reach', '--seed', String(SEED));
    await sim.said('trajectories on');
    const robot = start(
      ...['ros2', path, '--robot', 'panda', '--json'],
      ...['--episodes', String(EPISODES), '--reset', '/sim_robot/reset'],
    );
    expect(await robot.ended(240_000), robot.output()).toBe(0);
    const results = robot
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { success: boolean });
    expect(results).toHaveLength(EPISODES);
    const successes = results.filter(({ success }) => success).length;
    const expected = await trainingSuccesses(bundle);
    expect(expected).toBe(EPISODES);
    expect(successes).toBeGreaterThanOrEqual(EPISODES - 1);
    // The sim robot judges by itself.
    const judged = [...sim.output().matchAll(/^\{.*"success":(true|false).*\}$/gm)].map(([, won]) => won);
    expect(judged.filter((won) => won === 'true').length).toBeGreaterThanOrEqual(EPISODES - 1);
  });
});
