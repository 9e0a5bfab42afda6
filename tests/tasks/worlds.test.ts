import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask } from '#spec/task';
import { decompose } from '#stl/decompose';
import { type Family, generateFormula, walkPosition } from '#stl/families';
import { familySpaces } from '#stl/familySpaces';
import { root } from './simulation.js';

/** The worlds that formulas are planned in: each can be planned for, and solved by a few lines that know the way. */

const worlds = readdirSync(resolve(root, 'tasks'))
  .filter((file) => file.startsWith('stl_'))
  .map((file) => file.replace(/\.yaml$/, ''));
const clip = (x: number): number => Math.max(-1, Math.min(1, x));

type Point = readonly number[];
/** From joint positions, joint velocities and a goal to an action. */
type Steer = (q: Point, v: Point, goal: Point) => Point;

const straight: Steer = (q, _, goal) => goal.map((x, k) => clip((x - q[k]!) / 0.5));

const drive: Steer = ([x, y, yaw], [vx, vy], goal) => {
  const ahead = Math.atan2(goal[1]! - y!, goal[0]! - x!);
  const turn = Math.atan2(Math.sin(ahead - yaw!), Math.cos(ahead - yaw!));
  const speed = vx! * Math.cos(yaw!) + vy! * Math.sin(yaw!);
  return [clip(2 * turn), clip(2 * ((Math.abs(turn) < 0.6 ? 0.9 : 0.1) - speed))];
};

const fly: Steer = (q, v, goal) => {
  const [ax, ay, az] = [0, 1, 2].map((k) => 2.5 * clip(goal[k]! - q[k]!) - 1.2 * v[k]!) as [
    number,
    number,
    number,
  ];
  const [cosine, sine] = [Math.cos(q[3]!), Math.sin(q[3]!)];
  const forward = cosine * ax + sine * ay;
  const left = -sine * ax + cosine * ay;
  return [clip(-left / 4.9), clip(forward / 4.9), clip(-q[3]!), clip(az / 4.9)];
};

const ways: Readonly<Record<string, { readonly steer: Steer; readonly way: readonly Point[] }>> = {
  stl_linear: {
    steer: straight,
    way: [
      [3, 0],
      [3, 2.5],
      [0, 0],
      [-3, 0],
      [-3, 2.5],
      [0, -3.5],
    ],
  },
  stl_maze: {
    steer: straight,
    way: [
      [0, -3.5],
      [0, 2.75],
      [-3, 2.75],
      [-4, -3.5],
      [-3, 2.75],
      [0, 2.75],
      [0, -2.75],
      [3, -2.75],
      [4, 3.5],
    ],
  },
  stl_unicycle: {
    steer: drive,
    way: [
      [1.5, 0],
      [2.7, 2.1],
      [0, -3.3],
      [-2.8, 2.2],
    ],
  },
  stl_quadrotor: {
    steer: fly,
    way: [
      [1.5, 0, 1.8],
      [3, 2.3, 1.5],
      [0, -3.3, 2.5],
      [-3, 2.4, 3.5],
    ],
  },
};

describe.each(worlds)('%s', (name) => {
  it('has a formula that can be taken apart, exactly, and an observation of moderate size', async () => {
    const task = await loadTask(name);
    const { formula } = task.monitors!.specification!;
    const plan = decompose(formula, { samples: task.horizon + 1 });
    expect(plan.variables.length).toBeGreaterThan(0);
    expect(plan.conservative).toEqual([]);
    expect(task.program.signalNames[0]!.name).toBe('position');
    const env = await makeEnv(task, { environments: 16, seed: 4, threads: 2 });
    expect(Math.max(...env.predicates)).toBeLessThan(10);
    for (let k = 0; k < 30; k++) {
      for (let i = 0; i < env.action.length; i++) env.action[i] = Math.sin(i + 0.1 * k);
      env.step();
      expect(env.faults).toEqual([]);
      expect(env.observation.every((x) => Math.abs(x) < 5)).toBe(true);
    }
    env.close();
  });
});

describe.each(Object.entries(ways))('%s', (name, { steer, way }) => {
  it('is solved from every start', async () => {
    const task = await loadTask(name, ['observation=[arm.position, arm.velocity]']);
    const environments = 16;
    const env = await makeEnv(task, { environments, seed: 4, threads: 2, autoReset: false });
    const n = env.O / 2;
    const reached = new Array<number>(environments).fill(0);
    const last = new Array<string>(environments).fill('');
    for (let k = 0; k < task.horizon; k++) {
      for (let i = 0; i < environments; i++) {
        const row = [...env.observation.subarray(i * env.O, (i + 1) * env.O)];
        const goal = way[reached[i]!]!;
        if (Math.hypot(...goal.map((x, j) => x - row[j]!)) < 0.5 && reached[i]! < way.length - 1)
          reached[i]!++;
        env.action.set(steer(row.slice(0, n), row.slice(n), way[reached[i]!]!), i * env.A);
      }
      env.step();
      for (let i = 0; i < environments; i++) {
        if (env.success[i] === 1) last[i] = 'success';
        else if (env.truncated[i] === 1 || env.terminated[i] === 1) {
          last[i] = `${reached[i]} of ${way.length}: ${env.finalRobustness[i]}`;
        }
      }
    }
    env.close();
    expect(last).toEqual(new Array(environments).fill('success'));
  });
});

/** The point follows the walk that comes with a formula. */
it.each(['sequence', 'nested', 'until', 'stay', 'patrol', 'maze'] as const satisfies readonly Family[])(
  'a generated %s is satisfied by its own walk on stl_linear',
  async (family) => {
    const space = familySpaces.linear;
    const problem = generateFormula(family, { space, subgoals: 2, horizon: 120, seed: 3 });
    const task = await loadFormulaTask('stl_linear', problem, ['observation=[arm.position]', 'randomize=[]']);
    const env = await makeEnv(task, { environments: 1, seed: 1, threads: 1, autoReset: false });
    for (let k = 0; k < task.horizon; k++) {
      const goal = walkPosition(space.start, problem.witness, k + 1);
      env.action.set(straight([...env.observation], [], goal));
      env.step();
    }
    expect(env.success[0], `${problem.formula}, robustness ${env.finalRobustness[0]}`).toBe(1);
    env.close();
  },
);

it.each([
  ['stl_quadrotor', 'quadrotor'],
  ['stl_panda', 'panda'],
  ['stl_panda', 'pandaJoints'],
  ['stl_ant', 'ant'],
  ['stl_unicycle', 'unicycle'],
] as const)('%s takes formulas of the space %s, whose start it has', async (name, world) => {
  const space = familySpaces[world];
  const horizon = world === 'ant' ? 600 : 200;
  const problem = generateFormula('avoid', { space, subgoals: 2, obstacles: 2, horizon, seed: 5 });
  const task = await loadFormulaTask(name, problem, [`observation=['${space.position}']`]);
  const env = await makeEnv(task, { environments: 8, seed: 1, threads: 1 });
  for (let i = 0; i < 8; i++) {
    const at = env.observation.subarray(i * env.O, (i + 1) * env.O);
    expect(Math.hypot(...space.start.map((x, k) => at[k]! - x))).toBeLessThan(space.startSpread);
  }
  env.step();
  expect(env.faults).toEqual([]);
  env.close();
});
