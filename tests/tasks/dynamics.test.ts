import { describe, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import type { EnvOptions, VectorEnv } from '#env/vectorEnv';
import { addonStatus } from '#native/addon';
import { loadTask, type ResolvedTask } from '#spec/task';

/** Analytic models in the place of MuJoCo's step. */

const hasNative = addonStatus().addon?.['PhysicsBatch'] !== undefined;
const backends = (['native', 'wasm'] as const).filter((backend) => backend === 'wasm' || hasNative);
const worlds = ['stl_linear', 'stl_unicycle', 'stl_quadrotor', 'stl_panda'];

/** The task with the bare joints as its observation, from its home. */
const bare = (name: string, overrides: readonly string[] = []): Promise<ResolvedTask> =>
  loadTask(name, ['observation=[arm.position, arm.velocity]', 'randomize=[]', 'horizon=1000', ...overrides]);

async function withEnv<T>(
  task: ResolvedTask,
  options: Partial<EnvOptions>,
  body: (env: VectorEnv) => T,
): Promise<T> {
  const env = await makeEnv(task, { environments: 1, seed: 3, threads: 1, ...options });
  try {
    return body(env);
  } finally {
    env.close();
  }
}

/** What is observed after `steps` steps of one action. */
function run(env: VectorEnv, action: readonly number[], steps: number): number[] {
  env.action.set(action);
  for (let k = 0; k < steps; k++) {
    env.step();
    expect(env.faults).toEqual([]);
  }
  return [...env.observation.subarray(0, env.O)];
}

function expectClose(received: readonly number[], expected: readonly number[]): void {
  expect(received).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(received[i], `entry ${i}`).toBeCloseTo(value, 5);
}

/** Actions without a pattern. */
const noise = (k: number, i: number): number => Math.sin(12.9898 * (k + 1) + 78.233 * i);

describe.each(backends)('in closed form on %s', (backend) => {
  it('linear: position is time times speed, up to the end of the range', async () => {
    await withEnv(await bare('stl_linear'), { backend }, (env) => {
      expectClose(run(env, [0.5, -1], 4), [1, -2, 0.5, -1]);
      expectClose(run(env, [0.5, -1], 7), [2.75, -5, 0.5, 0]);
      expectClose(run(env, [0, 3], 2), [2.75, -4, 0, 1]); // 3 counts as 1
    });
  });

  it('unicycle: a circle of chords, and a speed within its bounds', async () => {
    await withEnv(await bare('stl_unicycle'), { backend }, (env) => {
      run(env, [0, 1], 2);
      expect(env.observation[3]).toBeCloseTo(1, 6);
      const [n, turn] = [9, 0.25]; // rad per step
      const chord = (0.5 * Math.sin((n * turn) / 2)) / Math.sin(turn / 2);
      const middle = ((n - 1) * turn) / 2;
      const [x, y] = [0.25 + chord * Math.cos(middle), chord * Math.sin(middle)];
      const heading = n * turn;
      expectClose(run(env, [0.5, 0], n), [x, y, heading, Math.cos(heading), Math.sin(heading), 0.5]);
      const fast = run(env, [0, 1], 20);
      expect(Math.hypot(fast[3]!, fast[4]!)).toBeCloseTo(2, 5);
      const back = run(env, [0, -1], 20);
      expect(back[3]! * Math.cos(heading) + back[4]! * Math.sin(heading)).toBeCloseTo(-0.01, 5);
    });
  });

  it('quadrotor: hovers, climbs against the drag, and tilts with a lag', async () => {
    const task = await bare('stl_quadrotor');
    const { control } = task;
    if (control.dynamics?.kind !== 'quadrotor') throw new Error('expected a quadrotor');
    const { drag, thrust, tilt, response, yawRate } = control.dynamics;
    const dt = control.timestep;
    await withEnv(task, { backend }, (env) => {
      const hovering = [0, 0, 2.5, ...Array(9).fill(0)];
      expectClose(run(env, [0, 0, 0, 0], 5), hovering);
      const n = 2 * control.substeps;
      const speed = ((0.2 * thrust * 9.81) / drag) * (1 - (1 - drag * dt) ** n);
      const climbing = run(env, [0, 0, 0, 0.2], 2);
      expect(climbing[8]).toBeCloseTo(speed, 5);
      expect(climbing[2]).toBeGreaterThan(2.5);
      env.reset();
      const tilted = run(env, [0.5, 1, 0.4, 0], 3);
      const reached = 1 - Math.exp(-(3 * control.period) / response);
      expectClose(tilted.slice(3, 6), [
        3 * control.period * 0.4 * yawRate,
        tilt * reached,
        0.5 * tilt * reached,
      ]);
      expect(tilted[6]).toBeGreaterThan(0.1); // pitch moves along x
      expect(tilted[7]).toBeLessThan(-0.1); // roll against y
      env.reset();
      const fallen = run(env, [0, 0, 0, -1], 20);
      expect([fallen[2], fallen[8]]).toEqual([0, 0]);
    });
  });

  it('linear: a Panda whose joints obey, with its hand where they put it', async () => {
    const task = await loadTask('stl_panda', ['randomize=[]', 'observation=[arm.position, ee.position]']);
    await withEnv(task, { backend }, (env) => {
      const before = [...env.observation];
      const after = run(env, [1, 0, 0, 0, 0, 0, 0], 10);
      expect(after[0]! - before[0]!).toBeCloseTo(0.5, 6);
      expectClose(after.slice(7, 9), [0.5 * Math.cos(0.5), 0.5 * Math.sin(0.5)]);
      expect(after[9]).toBeCloseTo(before[9]!, 6);
    });
  });
});

describe.each(backends)('as any other environment on %s', (backend) => {
  it('resets the one with a NaN action', async () => {
    const task = await loadTask('stl_unicycle');
    await withEnv(task, { backend, environments: 3 }, (env) => {
      env.action[2] = Number.NaN;
      env.step();
      expect(env.faults).toMatchObject([{ environment: 1, episode: 0, step: 0 }]);
      expect([...env.truncated]).toEqual([0, 1, 0]);
      expect([...env.episode]).toEqual([0, 1, 0]);
    });
  });

  it.each(worlds)('%s goes on from a saved state with the same bits', async (name) => {
    const task = await loadTask(name, [
      'horizon=20',
      'randomize=[{joints: arm, noise: 0.05}, {latency: [0, 2]}]',
    ]);
    await withEnv(task, { backend, environments: 3 }, (env) => {
      const play = (from: number): unknown[] => {
        for (let k = from; k < from + 25; k++) {
          for (let i = 0; i < env.action.length; i++) env.action[i] = noise(k, i);
          env.step();
        }
        return [...env.observation, ...env.predicates, ...env.finalPredicates, ...env.reward, ...env.episode];
      };
      play(0);
      const state = env.getState();
      const first = play(25);
      env.setState(state);
      expect(play(25)).toEqual(first);
      const { time } = env.readCopy(1);
      expect(time).toBeCloseTo(env.steps[1]! * task.control.period, 9);
    });
  });

  it('draws the places of regions anew for each episode', async () => {
    const task = await loadTask('stl_linear', [
      'randomize=[{body: region_a, x: [-1, 1], y: [-1, 1]}]',
      'observation=[a, region_a.position.x]',
      'horizon=2',
    ]);
    await withEnv(task, { backend, environments: 4 }, (env) => {
      const seen = new Set<number>();
      for (let k = 0; k < 8; k++) {
        for (let i = 0; i < 4; i++) {
          seen.add(env.observation[2 * i + 1]!);
          expect(Math.abs(env.observation[2 * i + 1]! - 3)).toBeLessThanOrEqual(1);
          const scene = env.readCopy(i);
          const [x, y] = scene.bodyPos.subarray(3 * task.names.body.indexOf('region_a'));
          expect(env.observation[2 * i]).toBeCloseTo(
            0.9 - Math.hypot(x! - scene.qpos[0]!, y! - scene.qpos[1]!),
            5,
          );
        }
        env.step();
      }
      expect(seen.size).toBe(16); // 4 episodes of 4 environments
    });
  });
});

describe.skipIf(!hasNative).each(worlds)('%s', (name) => {
  const play = async (options: Partial<EnvOptions>): Promise<number[][]> => {
    const task = await loadTask(name, ['horizon=15']);
    return withEnv(task, { environments: 5, ...options }, (env) =>
      Array.from({ length: 40 }, (_, k) => {
        for (let i = 0; i < env.action.length; i++) env.action[i] = noise(k, i);
        env.step();
        return [
          ...env.observation,
          ...env.reward,
          ...env.predicates,
          ...env.finalPredicates,
          ...env.robustness,
        ];
      }),
    );
  };

  it('is the same on 1 and 3 threads, and to 1e-6 in WASM', async () => {
    const one = await play({ backend: 'native' });
    expect(await play({ backend: 'native', threads: 3 })).toEqual(one);
    const twin = await play({ backend: 'wasm' });
    for (const [k, row] of one.entries()) {
      for (const [j, x] of row.entries()) {
        const y = twin[k]![j]!;
        expect(x === y || Math.abs(x - y) < 1e-6, `step ${k}, entry ${j}: ${x}, ${y}`).toBe(true);
      }
    }
  });
});

describe('mistakes', () => {
  const load = (name: string, override: string): Promise<ResolvedTask> => loadTask(name, [override]);

  it('are refused with their place', async () => {
    await expect(load('reach_hold', 'dynamics={kind: unicycle}')).rejects.toThrow(/two slides and a hinge/);
    await expect(load('stl_linear', 'dynamics={kind: cubic}')).rejects.toThrow(
      /dynamics\.kind: expected one of linear, unicycle, quadrotor/,
    );
    await expect(load('stl_linear', 'randomize=[{mass: point, scale: [1, 2]}]')).rejects.toThrow(
      /mass plays no part/,
    );
    await expect(load('stl_linear', 'signals.f=arm.force.x')).rejects.toThrow(/not known with `dynamics`/);
    await expect(load('stl_panda', 'control.gripper=true')).rejects.toThrow(/gripper at rest/);
    await expect(load('stl_unicycle', 'dynamics={kind: linear}')).rejects.toThrow(/limits\.x\.velocity/);
  });
});
