import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { loadTask } from '#spec/task';
import { root } from './simulation.js';

/** Those with an expert. */
const tasks = readdirSync(resolve(root, 'tasks'))
  .filter((file) => /^expert:/m.test(readFileSync(resolve(root, 'tasks', file), 'utf8')))
  .map((file) => file.replace(/\.yaml$/, ''));
const environments = 30;

/** Runs the expert without noise for one episode in each environment. */
async function runExpert(name: string, overrides: readonly string[] = []) {
  const task = await loadTask(resolve(root, 'tasks', `${name}.yaml`), overrides);
  const env = await makeEnv(task, { environments, seed: 11, threads: 2, autoReset: false });
  const expert = new Expert(task, env, 11, { noise: 0 });
  const lengths: number[] = [];
  const stuckAt: string[] = [];
  let largest = 0;
  for (let step = 0; lengths.length + stuckAt.length < environments; step++) {
    expert.act(env.action);
    const waypoints = Array.from(env.active, (_, i) => expert.waypoint(i));
    env.step();
    expect(env.faults).toEqual([]);
    for (let i = 0; i < environments; i++) {
      if (env.success[i]) lengths.push(step + 1);
      else if (env.truncated[i] || env.terminated[i]) stuckAt.push(waypoints[i]!);
    }
    largest = env.observation.reduce((most, value) => Math.max(most, Math.abs(value)), largest);
  }
  env.close();
  return { task, successes: lengths.length, lengths: lengths.sort((a, b) => a - b), stuckAt, largest };
}

describe.each(tasks)('%s', (name) => {
  it('is solved by its expert, well within the horizon, with observations of moderate size', async () => {
    const { task, successes, lengths, stuckAt, largest } = await runExpert(name);
    expect(successes, `stuck at ${stuckAt}`).toBeGreaterThanOrEqual(0.95 * environments);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(0.6 * task.horizon);
    expect(largest).toBeLessThan(10);
    expect(largest).toBeGreaterThan(0.5);
  });

  it('is solved by the same expert on a UR5e', async () => {
    const { successes, stuckAt } = await runExpert(name, ['robot=ur5e']);
    expect(successes, `stuck at ${stuckAt}`).toBeGreaterThanOrEqual(0.9 * environments);
  });
});

it('lift is solved by the same expert on an SO-101', async () => {
  const { successes, stuckAt } = await runExpert('lift', ['robot=so101']);
  expect(successes, `stuck at ${stuckAt}`).toBeGreaterThanOrEqual(0.9 * environments);
});
