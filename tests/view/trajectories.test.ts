import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { packageRoot } from '#native/addon';
import type { Policy } from '#policy/policy';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask } from '#spec/task';
import { drawTrajectories, regionsOf } from '#view/trajectories';

const linear = join(packageRoot, 'tasks', 'stl_linear.yaml');
const problem = {
  signals: {
    a: '1.5 - norm(position - [3, -2.5])',
    b: '0.5 - norm(position - [-1, 2])',
    o: 'min(position[0] - (-5), -4 - position[0], position[1] - 1, 2.5 - position[1])',
    unused: '0.5 - norm(position - [1, 1])',
    fast: 'position[0]',
  },
  formula: '(not (b > 0)) until[0, 12] (a > 0) and eventually[0, 12] (b > 0) and always[0, 12] (not (o > 0))',
  horizon: 12,
};

/** Full speed along x. */
function eastwards(B: number, O: number, A: number): Policy {
  return {
    B,
    O,
    A,
    reset: () => {},
    act: (_, outAction) => {
      for (let row = 0; row < B; row++) outAction.set([1, 0], row * A);
    },
    close: () => {},
  };
}

describe('trajectories from above', () => {
  it('knows the discs and boxes of the formula, and what is only to be kept out of', async () => {
    const task = await loadFormulaTask(linear, problem);
    const env = await makeEnv(task, { environments: 1, seed: 0 });
    expect(regionsOf(task, env)).toEqual([
      { name: 'a', role: 'reach', kind: 'disc', centre: [3, -2.5], radius: 1.5 },
      { name: 'b', role: 'reach', kind: 'disc', centre: [-1, 2], radius: 0.5 },
      { name: 'o', role: 'avoid', kind: 'box', low: [-5, 1], high: [-4, 2.5] },
    ]);
    env.close();
  });

  it('finds regions that are bodies of the scene', async () => {
    const task = await loadTask(linear);
    const env = await makeEnv(task, { environments: 1, seed: 0 });
    expect(regionsOf(task, env)).toContainEqual({
      name: 'a',
      role: 'reach',
      kind: 'disc',
      centre: [3, 2.5],
      radius: 0.9,
    });
    env.close();
  });

  it('draws every start to its end', async () => {
    const task = await loadFormulaTask(linear, {
      signals: { a: 'position[0] - 1.5' },
      formula: 'eventually[0, 7] (a > 0)',
      horizon: 7,
    });
    const svg = await drawTrajectories({
      task,
      episodes: 3,
      seed: 1,
      makePolicy: ({ B, O, A }) => eastwards(B, O, A),
    });
    expect(svg).toContain('3 of 3 starts succeed');
    const lines = [...svg!.matchAll(/<polyline points="([^"]+)"/g)].map(([, points]) => points!.split(' '));
    expect(lines.map((points) => points.length)).toEqual([8, 8, 8]);
    for (const points of lines) {
      const xs = points.map((point) => Number(point.split(',')[0]));
      const ys = new Set(points.map((point) => point.split(',')[1]));
      expect(ys.size).toBe(1);
      expect(xs.every((x, i) => i === 0 || x > xs[i - 1]!)).toBe(true);
    }
  });

  it('has nothing to draw without a position', async () => {
    const task = await loadTask(join(packageRoot, 'tasks', 'reach_hold.yaml'));
    const options = { task, episodes: 1, seed: 0, makePolicy: () => eastwards(1, 1, 1) };
    expect(await drawTrajectories(options)).toBeUndefined();
  });
});
