import { describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import { addonStatus } from '#native/addon';
import type { ResolvedTask } from '#spec/resolved';
import { loadTask } from '#spec/task';
import { robustness } from '#stl/evaluate';

const hasNative = addonStatus().addon?.['PhysicsBatch'] !== undefined;
const backends = (['native', 'wasm'] as const).filter((backend) => backend === 'wasm' || hasNative);
const plain = ['spec.observe=false', 'spec.reward={kind: final, weight: 0, clip: 1}'];

async function withEnv<T>(
  task: ResolvedTask,
  options: { backend: 'native' | 'wasm'; environments: number; threads?: number },
  body: (env: VectorEnv) => T,
): Promise<T> {
  const env = await makeEnv(task, { seed: 5, ...options });
  try {
    return body(env);
  } finally {
    env.close();
  }
}

interface Episode {
  readonly success: boolean;
  readonly terminated: boolean;
  readonly steps: number;
  readonly robustness: number;
  /** Of the specification's predicates, [T]. */
  readonly signals: readonly Float64Array[];
  readonly reward: number;
}

/** Episodes of the expert, each with the signals that the formula is about; without automatic reset, which would put
 * those of the next episode in the place of the last. */
function play(task: ResolvedTask, env: VectorEnv, count: number): Episode[] {
  const expert = new Expert(task, env, 1);
  const gap = task.program.signalNames.find(({ name }) => name === 'gap')!.offset;
  const height = task.program.signalNames.find(({ name }) => name === 'height')!.offset;
  const sample = (): [number, number] => [0.02 - env.signals[gap]!, env.signals[height]! - 0.05];
  const episodes: Episode[] = [];
  let rows = [sample()];
  let reward = 0;
  while (episodes.length < count) {
    expert.act(env.action);
    env.step();
    reward += env.reward[0]!;
    rows.push(sample());
    if (env.terminated[0] === 0 && env.truncated[0] === 0) continue;
    episodes.push({
      success: env.success[0] === 1,
      terminated: env.terminated[0] === 1,
      steps: env.steps[0]!,
      robustness: env.finalRobustness[0]!,
      signals: [0, 1].map((p) => Float64Array.from(rows, (row) => row[p]!)),
      reward,
    });
    env.reset({ episode: episodes.length });
    rows = [sample()];
    reward = 0;
  }
  return episodes;
}

describe.each(backends)('a task with a formula, on %s', (backend) => {
  const load = (overrides: readonly string[]): Promise<ResolvedTask> =>
    loadTask('tasks/reach_hold.yaml', ['signals.height=ee.position.z', ...overrides]);

  it('succeeds as the formula is judged offline', async () => {
    const verdicts = new Set<boolean>();
    for (const noise of [0, 0.3, 0.6]) {
      const task = await load([...plain, `expert.noise=${noise}`]);
      const env = await makeEnv(task, { environments: 1, seed: 5, backend, autoReset: false });
      for (const episode of play(task, env, 3)) {
        const [offline] = robustness(task.monitors!.specification!.formula, episode.signals);
        expect(episode.robustness).toBeCloseTo(offline!, 12);
        expect(episode.success).toBe(offline! > 0);
        verdicts.add(episode.success);
      }
      env.close();
    }
    expect(verdicts.size).toBe(2);
  });

  it('ends an episode that can no longer succeed', async () => {
    const task = await load([...plain, "spec.formula='always[0, 60] ee.position.z > 3 m'"]);
    await withEnv(task, { backend, environments: 2 }, (env) => {
      env.step();
      expect([...env.terminated]).toEqual([1, 1]);
      expect([...env.success]).toEqual([0, 0]);
      expect(env.finalRobustness[0]).toBeLessThan(-1);
    });
  });

  it('counts or ends at a guard', async () => {
    const clause = "holds: 'once[0, 0.1 s] step >= 3 -> ee.position.z > 3 m'";
    for (const violation of ['count', 'terminate']) {
      const task = await load([...plain, `guard=[{name: low, ${clause}, violation: ${violation}}]`]);
      await withEnv(task, { backend, environments: 1 }, (env) => {
        const violated = Array.from({ length: 4 }, () => {
          env.step();
          return [env.violated[0], env.terminated[0]];
        });
        const ends = violation === 'terminate' ? 1 : 0;
        expect(violated.slice(0, 3)).toEqual([
          [0, 0],
          [0, 0],
          [1, ends],
        ]);
        expect(violated[3]).toEqual(ends ? [0, 0] : [1, 0]);
      });
    }
  });

  it('shapes by a potential that sums to nothing but its start', async () => {
    const overrides = ['residual.gamma=1', 'expert.noise=0', 'spec.reward.weight=3'];
    const task = await load(overrides);
    const env = await makeEnv(task, { environments: 1, seed: 5, backend, autoReset: false });
    const clip = 0.3;
    const clamp = (x: number): number => Math.max(-clip, Math.min(clip, x));
    const start = (3 * (clamp(env.robustness[0]!) + clamp(env.robustness[1]!))) / 2;
    const [episode] = play(task, env, 1);
    env.close();
    expect(episode!.success).toBe(true);
    expect(episode!.reward).toBeCloseTo(1 - start, 5);
  });

  it('pays each stage once, when it comes to hold', async () => {
    const formula =
      '["eventually[0, 2 s] (gap < 0.08 and eventually[0, 2 s] gap < 0.02)", "always[0, 0.5 s] ee.position.z > 0.05"]';
    const overrides = [`spec.formula=${formula}`, 'spec.reward={kind: stage, weight: 6}', 'expert.noise=0'];
    const task = await load(overrides);
    expect(task.monitors!.specification!.stages).toHaveLength(3);
    const env = await makeEnv(task, { environments: 1, seed: 5, backend, autoReset: false });
    const expert = new Expert(task, env, 1);
    const gap = task.program.signalNames.find(({ name }) => name === 'gap')!.offset;
    const paid: [step: number, gap: number, reward: number][] = [];
    while (env.terminated[0] === 0) {
      expect(env.truncated[0]).toBe(0);
      expert.act(env.action);
      env.step();
      const reward = env.reward[0]! - env.success[0]!;
      if (reward !== 0) paid.push([env.steps[0]!, env.signals[gap]!, reward]);
    }
    env.close();
    expect(env.success[0]).toBe(1);
    expect(paid.map(([, , reward]) => reward)).toEqual([2, 2, 2]);
    const height = paid.find(([step]) => step === 10)!;
    const [near, there] = paid.filter((row) => row !== height);
    expect(near![1]).toBeLessThan(0.08);
    expect(near![1]).toBeGreaterThan(0.02);
    expect(there![1]).toBeLessThan(0.02);
  });

  it('pays no stage for ending early', async () => {
    const formula = '["always[0, 0.5 s] step < 3", "always[0, 2 s] ee.position.z > -5"]';
    const task = await load([`spec.formula=${formula}`, 'spec.reward={kind: stage, weight: 6}']);
    await withEnv(task, { backend, environments: 1 }, (env) => {
      let sum = 0;
      for (let k = 0; k < 3; k++) {
        env.step();
        sum += env.reward[0]!;
      }
      expect(env.terminated[0]).toBe(1);
      expect(sum).toBe(0);
    });
  });

  it('goes on from a saved state, formulas included', async () => {
    const task = await load(['guard=[]', 'spec.reward.kind=stage']);
    await withEnv(task, { backend, environments: 3 }, (env) => {
      const run = (): unknown[] => {
        for (let k = 0; k < 30; k++) env.step();
        return [env.observation.slice(), env.robustness.slice(), env.reward.slice()];
      };
      env.action.fill(0.2);
      for (let k = 0; k < 17; k++) env.step();
      const state = env.getState();
      const first = run();
      env.setState(state);
      expect(run()).toEqual(first);
    });
  });
});

describe.skipIf(!hasNative)('native and WASM formulas', () => {
  it('agree, on 1 and 2 threads', async () => {
    const task = await loadTask('tasks/reach_hold.yaml');
    const play = (backend: 'native' | 'wasm', threads: number) =>
      withEnv(task, { backend, environments: 4, threads }, (env) => {
        expect(env.O).toBe(task.observationLength);
        const rows: number[][] = [];
        for (let k = 0; k < 70; k++) {
          env.action.forEach((_, j) => {
            env.action[j] = Math.sin(0.3 * k + j);
          });
          env.step();
          rows.push([
            ...env.observation,
            ...env.reward,
            ...env.robustness,
            ...env.terminated,
            ...env.violated,
          ]);
        }
        return rows;
      });
    const one = await play('native', 1);
    expect(await play('native', 2)).toEqual(one);
    const twin = await play('wasm', 1);
    for (const [k, row] of one.entries()) {
      for (const [j, x] of row.entries()) {
        expect(x === twin[k]![j] || Math.abs(x - twin[k]![j]!) < 1e-3, `step ${k}, entry ${j}`).toBe(true);
      }
    }
  });

  it('are refused with their place', async () => {
    const load = (override: string): Promise<ResolvedTask> => loadTask('tasks/reach_hold.yaml', [override]);
    await expect(load('success=gap < 0.01')).rejects.toThrow(/either `success` or `spec`/);
    await expect(load('spec=always gap << 3')).rejects.toThrow(/spec/);
    await expect(load('spec=always[0, 0.12 s] gap < 0.1')).rejects.toThrow(/whole number of control steps/);
    await expect(load('guard=[{holds: "always gap < 1"}]')).rejects.toThrow(/without bound/);
    await expect(load('spec=always nowhere < 1')).rejects.toThrow(/nowhere/);
  });
});
