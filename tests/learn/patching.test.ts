import { describe, expect, it } from 'vitest';
import type { Demos } from '#data/demos';
import { collectDemos } from '#learn/collect';
import { DemoSupport, Patcher } from '#learn/patching';
import { fitNormaliser } from '#policy/normaliser';
import { demosSchema, residualSchema } from '#spec/learningSchema';
import { kinematicPeg } from './kinematicPeg.js';

const problem = kinematicPeg();
const { O, A } = problem;
const B = 3;

async function record(): Promise<Demos> {
  const settings = demosSchema.parse({ episodes: 6, seed: 31 });
  return (await collectDemos(problem, { settings }))!.demos;
}

const supportOf = (demos: Demos): DemoSupport =>
  new DemoSupport(
    demos,
    fitNormaliser(demos.observation, O, demos.action, A, { scale: 0, rangeFloor: 0.1, stdFloor: 0.1 }),
  );

const settingsOf = (keys: object) => residualSchema.parse({ patches: keys }).patches!;

describe('the support of demonstrations', () => {
  it('is at no distance from itself and grows with what was never seen', async () => {
    const demos = await record();
    const support = supportOf(demos);
    for (const row of [0, 17, demos.observation.length / O - 1])
      expect(support.distance(demos.observation, row)).toBe(0);
    expect(support.usual).toBeGreaterThan(0);
    const moved = (by: number) => demos.observation.slice(0, O).map((v, i) => (i === 2 ? v + by : v));
    expect(support.distance(moved(1), 0)).toBeLessThan(support.distance(moved(3), 0));
    expect(support.distance(moved(3), 0)).toBeGreaterThan(support.usual);
  });
});

/** Three rows: on a demonstration, away from all, away from all. */
async function scene(keys: object, by: 'expert' | 'base') {
  const demos = await record();
  const env = await problem.makeEnv({ environments: B, seed: 5 });
  const seen: number[] = [];
  const expert = {
    act: (out: Float32Array): void => void out.fill(0.9),
    reset: (mask?: Uint8Array): void => void seen.push(...(mask ?? [])),
  };
  const patcher = new Patcher(supportOf(demos), settingsOf(keys), by === 'expert' ? expert : undefined, env);
  const observation = new Float32Array(B * O);
  observation.set(demos.observation.subarray(0, O));
  observation.fill(5, O);
  const patched = (environmentSteps: number): (number | undefined)[] => {
    const action = new Float32Array(B * A).fill(0.1);
    patcher.patch(env, { observation, base: new Float32Array(B * A).fill(-0.4), action }, environmentSteps);
    return [action[0], action[A], action[2 * A + 1]].map((a) => Math.round(a! * 10) / 10);
  };
  return { patcher, patched, seen };
}

describe('patches', () => {
  it('are steps of the expert where an episode has left the demonstrations, and nowhere else', async () => {
    const { patched, patcher } = await scene({}, 'expert');
    expect(patched(0)).toEqual([0.1, 0.9, 0.9]);
    expect(patcher.takeShare()).toBeCloseTo(2 / 3);
    expect(patcher.takeShare()).toBeUndefined();
  });

  it('are steps of the base where the task asks for them', async () => {
    const { patched } = await scene({ by: 'base' }, 'base');
    expect(patched(0)).toEqual([0.1, -0.4, -0.4]);
  });

  it('are limited in an episode, begin anew with the next, and end', async () => {
    const { patched, patcher, seen } = await scene({ most: 2, until: 100 }, 'expert');
    patched(0);
    patched(0);
    expect(patched(0)).toEqual([0.1, 0.1, 0.1]);
    patcher.begin(Uint8Array.of(0, 1, 0));
    expect(patched(99)).toEqual([0.1, 0.9, 0.1]);
    expect(seen).toEqual([0, 1, 0]);
    patcher.begin();
    expect(patched(100)).toEqual([0.1, 0.1, 0.1]);
  });

  it('follow the distance they are asked for', async () => {
    expect((await scene({ beyond: 1e4 }, 'expert')).patched(0)).toEqual([0.1, 0.1, 0.1]);
  });
});
