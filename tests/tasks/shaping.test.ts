import { describe, expect, it } from 'vitest';
import { Replay } from '#data/replay';
import { makeEnv } from '#env/makeEnv';
import { addonStatus } from '#native/addon';
import { loadTask } from '#spec/task';

/** Ng, Harada and Russell (1999): adding gamma * potential' - potential to the reward leaves the best policy the same. It
 * does so for the learner if every target it learns from is off by a number of its own state alone: the n-step return
 * plus the discounted potential of where the window ends, which is 0 behind a terminal step and stays behind a timeout,
 * less the potential of where it begins. */

const hasNative = addonStatus().addon?.['PhysicsBatch'] !== undefined;
const backends = (['native', 'wasm'] as const).filter((backend) => backend === 'wasm' || hasNative);

const GAMMA = 0.9;
const N_STEP = 3;
const [WEIGHT, CLIP] = [2, 0.3];

const endings = {
  success: ["spec.formula='eventually[0, 2 s] (step >= 7 and gap < 3) or eventually[0, 2 s] gap < 0'"],
  'a formula that can no longer hold': ["spec.formula='always[0, 2 s] step / 40 < 0.17'"],
  'a guard': ["spec.formula='eventually[0, 2 s] gap < 0'", 'guard=[{holds: step < 7, violation: terminate}]'],
  'the horizon': ["spec.formula='eventually[0, 2 s] gap < 0'", 'spec.end=undefined', 'horizon=7'],
} as const;

interface Recorded {
  readonly replay: Replay;
  readonly terminated: boolean;
  readonly truncated: boolean;
  readonly potentials: readonly number[];
}

/** Two episodes, one behind the other, whose observation is the potential. */
async function record(backend: 'native' | 'wasm', overrides: readonly string[]): Promise<Recorded> {
  const task = await loadTask('tasks/reach_hold.yaml', [`residual.gamma=${GAMMA}`, 'guard=[]', ...overrides]);
  const env = await makeEnv(task, { environments: 1, seed: 3, backend, autoReset: false });
  const clamp = (x: number): number => Math.max(-CLIP, Math.min(CLIP, x));
  const potential = (): number => (WEIGHT * (clamp(env.robustness[0]!) + clamp(env.robustness[1]!))) / 2;
  const replay = new Replay({ O: 1, A: 1, environments: 1, capacity: 100, nStep: N_STEP, gamma: GAMMA });
  const one = Float32Array.of(0);
  const potentials: number[] = [];
  let ends = { terminated: false, truncated: false };
  for (let episode = 0; episode < 2; episode++) {
    if (episode > 0) env.reset({ episode });
    let before = potential();
    for (let k = 0; env.terminated[0] === 0 && env.truncated[0] === 0; k++) {
      env.action.forEach((_, j) => {
        env.action[j] = Math.sin(k + 2 * j + episode);
      });
      env.step();
      const after = potential();
      const { reward, terminated, truncated } = env;
      const observation = Float32Array.of(before);
      const nextObservation = Float32Array.of(after);
      const rest = { phase: one, base: one, action: one, nextPhase: one, nextBase: one };
      replay.add(0, { ...rest, observation, nextObservation, reward, terminated, truncated }, 0);
      potentials.push(before);
      before = after;
    }
    ends = { terminated: env.terminated[0] === 1, truncated: env.truncated[0] === 1 };
    potentials.push(before);
  }
  env.close();
  return { replay, ...ends, potentials };
}

describe.each(backends)('the potential, on %s', (backend) => {
  it.each(Object.entries(endings))(
    'leaves targets the same where the episode ends by %s',
    async (by, overrides) => {
      const shaped = await record(backend, [
        `spec.reward={kind: potential, weight: ${WEIGHT}, clip: ${CLIP}}`,
        ...overrides,
      ]);
      const plain = await record(backend, ['spec.reward={kind: final, weight: 0, clip: 1}', ...overrides]);
      expect(shaped.terminated).toBe(by !== 'the horizon');
      expect(shaped.truncated).toBe(by === 'the horizon');
      expect(shaped.replay.size).toBe(plain.replay.size);
      expect(shaped.replay.size).toBe(14);
      expect(new Set(shaped.potentials).size).toBeGreaterThan(4);
      for (let row = 0; row < shaped.replay.size; row++) {
        const [a, b] = [shaped.replay.readCopy(row), plain.replay.readCopy(row)];
        expect(a.discount[0]).toBe(b.discount[0]);
        const added = a.discount[0]! * a.nextObservation[0]! - a.observation[0]!;
        expect(a.reward[0]! - b.reward[0]!, `row ${row}`).toBeCloseTo(added, 5);
      }
    },
  );
});
