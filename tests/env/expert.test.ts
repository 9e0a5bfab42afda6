import { describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { loadTask } from '#spec/task';
import { hasNative } from './backends.js';

const B = 16;

/** Successes of the expert in one episode per environment, and the actions it took. */
async function play(name: string, noise: number, backend: 'native' | 'wasm' = 'native') {
  const task = await loadTask(name);
  const env = await makeEnv(task, { environments: B, seed: 11, threads: 2, autoReset: false, backend });
  const expert = new Expert(task, env, 5, { noise });
  const actions: number[] = [];
  let successes = 0;
  for (let step = 0; step < task.horizon; step++) {
    expert.act(env.action);
    actions.push(...env.action);
    env.step();
    expect(env.faults).toEqual([]);
    successes += env.success.reduce((sum, s) => sum + s, 0);
  }
  env.close();
  return { successes, actions };
}

describe.runIf(hasNative)('the way-point expert', () => {
  it.each(['reach', 'lift', 'peg_insertion'])('does %s without noise', async (name) => {
    const { successes, actions } = await play(name, 0);
    expect(successes).toBe(B);
    expect(Math.max(...actions.map(Math.abs))).toBeLessThanOrEqual(1);
  });

  it('disturbs its actions by the seed, and the same again', async () => {
    const first = await play('reach', 0.2);
    const second = await play('reach', 0.2);
    expect(second.actions).toEqual(first.actions);
    expect(first.actions).not.toEqual((await play('reach', 0)).actions);
  });

  it('starts again with each episode', async () => {
    const task = await loadTask('reach', ['horizon=6']);
    const env = await makeEnv(task, { environments: 2, seed: 1, threads: 1 });
    const expert = new Expert(task, env, 5, { noise: 0 });
    const first = Float32Array.from(env.action);
    expert.act(first);
    for (let step = 0; step < 6; step++) {
      expert.act(env.action);
      env.step();
    }
    env.reset();
    const again = new Float32Array(first.length);
    expert.act(again);
    expect(again).toEqual(first);
    env.close();
  });

  it('acts on WASM as on native', async () => {
    const task = await loadTask('reach');
    const run = async (backend: 'native' | 'wasm') => {
      const env = await makeEnv(task, { environments: 2, seed: 3, backend });
      const expert = new Expert(task, env, 5);
      const rows: number[] = [];
      for (let step = 0; step < 8; step++) {
        expert.act(env.action);
        env.step();
        rows.push(...env.action, ...env.observation);
      }
      env.close();
      return rows;
    };
    const [native, wasm] = [await run('native'), await run('wasm')];
    const error = Math.max(...native.map((x, i) => Math.abs(x - wasm[i]!)));
    expect(error).toBeLessThan(1e-5);
  });

  it('refuses a task without way-points that fit', async () => {
    const task = await loadTask('reach');
    const env = await makeEnv(task, { environments: 1, seed: 1, threads: 1 });
    expect(() => new Expert({ ...task, expert: undefined }, env, 1)).toThrow(
      expect.objectContaining({ code: 'SPEC' }),
    );
    env.close();
  });
});
