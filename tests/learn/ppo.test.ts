import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { generalisedAdvantages } from '#learn/advantage';
import { greedyProgram, PpoAgent, type PpoSettings, Rollout } from '#learn/ppo';
import { compile, inputOf, outputOf } from '#nn/compile';

const settings: PpoSettings = {
  hidden: [32, 32],
  activation: 'tanh',
  initial_std: 0.6,
  gamma: 0.95,
  lambda: 0.95,
  clip: 0.2,
  value_clip: 0,
  entropy: 0,
  learning_rate: 1e-3,
  target_kl: 0.02,
  epochs: 4,
  minibatch: 256,
  grad_clip: 1,
};

/** The textbook sum, delta by delta, to the end of each episode. */
function referenceAdvantage(
  reward: readonly number[],
  value: readonly number[],
  next: readonly (number | undefined)[],
  ends: readonly boolean[],
  gamma: number,
  lambda: number,
): number[] {
  const delta = reward.map((r, t) => r + gamma * (next[t] ?? 0) - value[t]!);
  return reward.map((_, t) => {
    let sum = 0;
    for (let k = t, weight = 1; k < reward.length; k++, weight *= gamma * lambda) {
      sum += weight * delta[k]!;
      if (ends[k]) break;
    }
    return sum;
  });
}

describe('advantages', () => {
  it('are the textbook sums: nothing follows a termination, a cut-off bootstraps', () => {
    const T = 6;
    const B = 2;
    const rng = new PhiloxStream(3);
    const f32 = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
    const terminated = new Uint8Array(T * B);
    const truncated = new Uint8Array(T * B);
    terminated[2 * B] = 1;
    truncated[3 * B + 1] = 1;
    const inputs = {
      T,
      B,
      reward: f32(T * B),
      value: f32(T * B),
      following: f32(T * B),
      lastValue: f32(B),
      terminated,
      truncated,
    };
    const advantage = new Float32Array(T * B);
    const returns = new Float32Array(T * B);
    generalisedAdvantages(inputs, 0.9, 0.8, advantage, returns);
    for (let row = 0; row < B; row++) {
      const column = (x: ArrayLike<number>) => Array.from({ length: T }, (_, t) => x[t * B + row]!);
      const value = column(inputs.value);
      const ends = column(terminated).map((e, t) => e === 1 || column(truncated)[t] === 1);
      const next = value.map((_, t) => {
        if (column(terminated)[t] === 1) return undefined;
        if (column(truncated)[t] === 1) return column(inputs.following)[t];
        return t === T - 1 ? inputs.lastValue[row] : value[t + 1];
      });
      const expected = referenceAdvantage(column(inputs.reward), value, next, ends, 0.9, 0.8);
      for (const [t, a] of expected.entries()) {
        expect(advantage[t * B + row]).toBeCloseTo(a, 5);
        expect(returns[t * B + row]).toBeCloseTo(a + value[t]!, 5);
      }
    }
  });
});

/** A point on a line that shall go to 0 and stay: x+ = x + 0.2 u, |u| <= 1, reward -|x|, cut off after 20 steps. The
 * best that can be done from x is to run at full speed. */
class Line {
  readonly x: Float32Array;
  readonly #age: Uint32Array;
  readonly #rng: PhiloxStream;

  constructor(B: number, seed: number) {
    this.#rng = new PhiloxStream(seed, 9);
    this.x = new Float32Array(B);
    this.#age = new Uint32Array(B);
    for (let i = 0; i < B; i++) this.#begin(i);
  }

  #begin(i: number): void {
    this.x[i] = 4 * this.#rng.uniform() - 2;
    this.#age[i] = 0;
  }

  /** Where the row went, and whether it was cut off there. */
  step(i: number, u: number): { reward: number; cut: boolean; at: number } {
    this.x[i] = this.x[i]! + 0.2 * Math.max(-1, Math.min(1, u));
    const at = this.x[i]!;
    const cut = ++this.#age[i]! === 20;
    if (cut) this.#begin(i);
    return { reward: -Math.abs(at), cut, at };
  }
}

const best = (x: number): number => {
  let total = 0;
  for (let t = 0, d = Math.abs(x); t < 20; t++) {
    d = Math.max(0, d - 0.2);
    total -= d;
  }
  return total;
};

class LineRun {
  readonly agent: PpoAgent;
  readonly #line: Line;
  readonly #explore: Draws;
  readonly #shuffle: Draws;
  readonly #rollout: Rollout;

  constructor(seed: number) {
    const shape = { O: 1, A: 1, B: 32 };
    this.agent = new PpoAgent(shape, settings, new PhiloxStream(seed, 1), { threads: 1 });
    this.#line = new Line(shape.B, seed);
    this.#explore = new Draws(seed, 2);
    this.#shuffle = new Draws(seed, 3);
    this.#rollout = new Rollout(20, shape);
  }

  iterate(): void {
    const rollout = this.#rollout;
    const { B } = rollout;
    const final = new Float32Array(B);
    for (let t = 0; t < rollout.T; t++) {
      this.agent.act(this.#line.x, this.#explore);
      rollout.observation.set(this.#line.x, t * B);
      rollout.action.set(this.agent.action, t * B);
      rollout.logProbability.set(this.agent.logProbability, t * B);
      rollout.value.set(this.agent.value, t * B);
      for (let i = 0; i < B; i++) {
        const { reward, cut, at } = this.#line.step(i, this.agent.action[i]!);
        rollout.reward[t * B + i] = reward;
        rollout.truncated[t * B + i] = cut ? 1 : 0;
        final[i] = at;
      }
      rollout.following.set(this.agent.values(final), t * B);
    }
    rollout.lastValue.set(this.agent.values(this.#line.x));
    this.agent.update(rollout, this.#shuffle);
  }

  /** Mean shortfall of the return from the best one, over a grid of starts. */
  shortfall(): number {
    const starts = Array.from({ length: 41 }, (_, i) => -2 + i / 10);
    const program = compile(greedyProgram(this.agent.networks, 1));
    let lost = 0;
    for (const start of starts) {
      let x = start;
      let total = 0;
      for (let t = 0; t < 20; t++) {
        inputOf(program, 'observation')[0] = x;
        program.run();
        x += 0.2 * Math.max(-1, Math.min(1, outputOf(program, 'action')[0]!));
        total -= Math.abs(x);
      }
      lost += best(start) - total;
    }
    program.close();
    return lost / starts.length;
  }
}

describe('PPO', { timeout: 120_000 }, () => {
  it.each([1, 2, 3])('comes within 0.5 of the best return on the line, seed %i', (seed) => {
    const run = new LineRun(seed);
    expect(run.shortfall()).toBeGreaterThan(5);
    for (let i = 0; i < 80; i++) run.iterate();
    expect(run.shortfall()).toBeLessThan(0.5);
    run.agent.close();
  });

  it('leaves out the steps that do not count', () => {
    const shape = { O: 2, A: 1, B: 64 };
    const learn = (spoil: boolean): Float32Array => {
      const agent = new PpoAgent(shape, { ...settings, minibatch: 64 }, new PhiloxStream(1), { threads: 1 });
      const rollout = new Rollout(4, shape);
      const rng = new PhiloxStream(5);
      for (const field of [rollout.observation, rollout.action, rollout.reward])
        for (let i = 0; i < field.length; i++) field[i] = rng.normal();
      rollout.terminated.fill(1);
      rollout.counts.fill(0, 64, 128);
      if (spoil) rollout.reward.fill(1e6, 64, 128);
      agent.update(rollout, new Draws(1, 1));
      const values = agent.networks.policy.values.slice();
      agent.close();
      return values;
    };
    expect(learn(true)).toEqual(learn(false));
  });

  it('starts again with other weights as if nothing had been learned', () => {
    const run = new LineRun(1);
    const state = (): Float32Array[] => Object.values(run.agent.state()).map((values) => values.slice());
    const first = state();
    run.iterate();
    run.agent.restart(new PhiloxStream(1, 1));
    expect(state()).toEqual(first);
    run.iterate();
    run.agent.restart(new PhiloxStream(1, 1, 1));
    expect(state()).not.toEqual(first);
    expect(run.agent.state()['policy.first']!.every((x) => x === 0)).toBe(true);
    run.agent.close();
  });

  it('says so when a loss is not finite', () => {
    const shape = { O: 2, A: 1, B: 64 };
    const agent = new PpoAgent(shape, { ...settings, minibatch: 64 }, new PhiloxStream(1), { threads: 1 });
    const rollout = new Rollout(2, shape);
    rollout.reward[3] = Number.NaN;
    expect(() => agent.update(rollout, new Draws(1, 1))).toThrow(/is NaN/);
    agent.close();
  });
});
