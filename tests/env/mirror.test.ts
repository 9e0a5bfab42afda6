import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstNotRestored, permuted } from '#core/signedPermutation';
import { makeEnv } from '#env/makeEnv';
import { checkMirror, mirrorScene } from '#env/mirrorCheck';
import { loadTask } from '#spec/task';
import { backends, hasNative } from './backends.js';

const available = backends.filter((backend) => backend === 'wasm' || hasNative);
const names = ['reach', 'peg_insertion', 'lift', 'push', 'drawer'];

describe('a task in its mirror', { timeout: 120_000 }, () => {
  it.each(names)('%s mirrored twice is itself: observations, actions, states', async (name) => {
    const task = await loadTask(name);
    const mirror = task.mirror!;
    for (const map of [mirror.observation, mirror.action]) {
      const n = map.source.length;
      const vector = fc.array(fc.float({ noNaN: true }), { minLength: n, maxLength: n });
      fc.assert(
        fc.property(vector, (values) => {
          const once = permuted(Float32Array.from(values), map);
          expect(permuted(once, map)).toEqual(Float32Array.from(values));
        }),
      );
      expect(map.sign.some((sign) => sign < 0)).toBe(true);
    }
    const env = await makeEnv(task, { environments: 1, seed: 3, threads: 1 });
    env.action.fill(0.7);
    env.step();
    const scene = env.readCopy(0);
    const once = mirrorScene(scene, mirror, task);
    const twice = mirrorScene({ ...once, time: 0 }, mirror, task);
    const off = (a: Float64Array, b: Float64Array): number =>
      Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
    expect(off(once.qpos, scene.qpos)).toBeGreaterThan(1e-3);
    for (const key of ['qpos', 'qvel', 'bodyPos', 'bodyQuat', 'mocapPos', 'mocapQuat'] as const)
      expect(off(twice[key], scene[key]), key).toBeLessThan(1e-12);
    env.close();
  });

  it.each(available)('passes on the simulator (%s)', async (backend) => {
    for (const name of names) await checkMirror(await loadTask(name), { backend });
  });

  it.each([
    ['peg_insertion', 'mirror.observation.turn=same', /mirror\.observation\.turn: number 1/],
    ['peg_insertion', 'mirror.observation.error=[1, -1, -1]', /observation\.error: number 3/],
    [
      'lift',
      'mirror.observation={ee: vector, yaw: flip, to_cube: vector, turn: flip, ee.velocity: vector}',
      /to_cube_fine: number 2/,
    ],
    ['reach', 'mirror.flip={joint3: 0.2}', /number \d of ee/],
    ['reach', 'mirror.flip={joint4: -2.3}', /number \d of ee/],
    // The bin stands at one side.
    [
      'pick_place',
      'mirror={observation: {ee: vector, yaw: flip, to_can: vector, to_can_fine: vector, to_bin: vector, ee.velocity: vector}}',
      /to_bin: number 2/,
    ],
    // What no state tells but a step does.
    ['reach', 'mirror.tolerance=0.0001', /after a mirrored step/],
  ])('%s is refused with %s', async (name, override, message) => {
    const checked = checkMirror(await loadTask(name, [override]));
    await expect(checked).rejects.toThrow(message);
    await expect(checked).rejects.toMatchObject({ code: 'SPEC' });
  });

  it.each([
    ['mirror.observation.turns=flip', /no entry "turns".*turn/s],
    ['mirror.observation.turn=vector', /fits 1 number/],
    ['mirror.swap=[[joint1, joint2]]', /"joint1" and "joint2" are swapped/],
    ['mirror.bodies=[[hole, hol]]', /no body "hol"/],
  ])('%s is told at its place', async (override, message) => {
    await expect(loadTask('peg_insertion', [override])).rejects.toThrow(message);
  });

  it('is asked for where something uses it', async () => {
    await expect(loadTask('pick_place', ['base.mirror=true'])).rejects.toThrow(
      /base\.mirror: expected a section/,
    );
  });

  it('exchanges entries of the observation', async () => {
    const task = await loadTask('reach', ['mirror.exchange=[[ee, error]]', 'mirror.observation={}']);
    const { observation } = task.mirror!;
    expect([...observation.source]).toEqual([3, 4, 5, 0, 1, 2, 6, 7, 8]);
    expect(firstNotRestored(observation)).toBeUndefined();
  });
});
