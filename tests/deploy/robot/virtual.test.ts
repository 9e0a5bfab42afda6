import { expect, it } from 'vitest';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import type { BasePolicy } from '#policy/policy';
import type { ResolvedTask } from '#spec/resolved';
import { loadTask } from '#spec/task';
import { virtualEpisodes } from './virtualRun.js';

const EPISODES = 30;

/** Without the limits that the training environment does not have either. */
function unhurried(task: ResolvedTask): ResolvedTask {
  const limits = task.robot.arm.limits.map((limit) => ({
    ...limit,
    acceleration: 20 * limit.acceleration!,
    jerk: 20 * limit.jerk!,
  }));
  return { ...task, robot: { ...task.robot, arm: { ...task.robot.arm, limits } } };
}

/** The task's way-points, acting on the twin. */
function expertOn(task: ResolvedTask, env: VectorEnv): BasePolicy {
  const expert = new Expert(task, env, 3, { noise: 0 });
  return {
    kind: 'zero',
    B: 1,
    O: env.O,
    A: env.A,
    chunk: 1,
    phase: new Float32Array(1),
    state: {},
    reset: (mask) => expert.reset(mask),
    act: (_, outAction) => expert.act(outAction),
    close() {},
  };
}

async function trainingSuccesses(task: ResolvedTask): Promise<number> {
  const env = await makeEnv(task, { environments: 1, seed: 900_000, autoReset: false });
  const expert = new Expert(task, env, 3, { noise: 0 });
  let successes = 0;
  for (let episode = 0; episode < EPISODES; episode++) {
    env.reset({ episode });
    while (env.terminated[0] === 0 && env.truncated[0] === 0) {
      expert.act(env.action);
      env.step();
    }
    successes += env.success[0]!;
  }
  env.close();
  return successes;
}

/** Whether two counts of successes out of EPISODES are compatible: their difference within two standard errors. */
function agree(a: number, b: number): boolean {
  const p = (a + b + 1) / (2 * EPISODES + 2);
  return Math.abs(a - b) / EPISODES <= 2 * Math.sqrt((2 * p * (1 - p)) / EPISODES) + 1 / EPISODES;
}

it.each([
  ['reach', 1, (task: ResolvedTask) => task],
  ['reach_hold', 1, (task: ResolvedTask) => task],
  ['peg_insertion', 1, unhurried],
  ['lift', 1, unhurried],
  ['peg_insertion', 0.5, (task: ResolvedTask) => task],
  ['lift', 0.5, (task: ResolvedTask) => task],
] as const)(
  'on the simulated robot the expert of %s at pace %d does as well as in the training environment',
  async (name, pace, change) => {
    const task = await loadTask(name);
    const robot = change(task);
    const { spec, config } = readDeployment(undefined);
    const deployment = resolveDeployment({ spec: { ...spec, pace }, config }, robot);
    const ends = await virtualEpisodes({
      task: robot,
      deployment,
      policy: (twin) =>
        expertOn(
          task,
          Object.assign(twin.batch, { horizon: task.horizon, controlPeriod: task.control.period }),
        ),
      seed: 900_000,
      episodes: EPISODES,
    });
    const successes = ends.filter(({ success }) => success).length;
    const expected = await trainingSuccesses(task);
    expect(expected).toBeGreaterThan(0.5 * EPISODES);
    expect(agree(successes, expected), `${successes} on the robot, ${expected} in training`).toBe(true);
  },
);
