import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { Replay, type SampledBatch, type StepBatch } from '#data/replay';

const GAMMA = 0.9;

/** One step of one environment whose numbers tell where they come from. */
function step(
  t: number,
  over: { reward?: number; terminated?: boolean; truncated?: boolean } = {},
): StepBatch {
  return {
    observation: Float32Array.of(t, -t),
    phase: Float32Array.of(t / 100),
    base: Float32Array.of(10 + t),
    action: Float32Array.of(20 + t),
    reward: Float32Array.of(over.reward ?? 0),
    nextObservation: Float32Array.of(t + 1, -t - 1),
    nextPhase: Float32Array.of((t + 1) / 100),
    nextBase: Float32Array.of(11 + t),
    terminated: Uint8Array.of(over.terminated ? 1 : 0),
    truncated: Uint8Array.of(over.truncated ? 1 : 0),
  };
}

function replay(nStep: number, environments = 1, capacity = 100): Replay {
  return new Replay({ O: 2, A: 1, environments, capacity, nStep, gamma: GAMMA });
}

function emptyBatch(rows: number): SampledBatch {
  const floats = (width: number) => new Float32Array(rows * width);
  return {
    observation: floats(2),
    phase: floats(1),
    base: floats(1),
    action: floats(1),
    reward: floats(1),
    discount: floats(1),
    nextObservation: floats(2),
    nextPhase: floats(1),
    nextBase: floats(1),
  };
}

describe('Replay', () => {
  it('discounts the rewards of a window and points at the observation behind it', () => {
    const r = replay(3);
    for (let t = 0; t < 4; t++) r.add(0, step(t, { reward: t + 1 }), 0);
    expect(r.size).toBe(2);
    const first = r.readCopy(0);
    expect(first.reward[0]).toBeCloseTo(1 + GAMMA * 2 + GAMMA ** 2 * 3, 5);
    expect(first.discount[0]).toBeCloseTo(GAMMA ** 3, 6);
    expect([...first.observation, ...first.nextObservation]).toEqual([0, -0, 3, -3]);
    expect([first.base[0], first.action[0], first.nextBase[0]]).toEqual([10, 20, 13]);
    expect(first.nextPhase[0]).toBeCloseTo(0.03, 6);
  });

  it('bootstraps through a timeout and not through the end of the task', () => {
    for (const [end, expected] of [
      [{ truncated: true }, [GAMMA ** 3, GAMMA ** 2, GAMMA]],
      [{ terminated: true }, [0, 0, 0]],
      [{ terminated: true, truncated: true }, [0, 0, 0]],
    ] as const) {
      const r = replay(3);
      r.add(0, step(0), 0);
      r.add(0, step(1), 0);
      r.add(0, step(2, end), 0);
      expect(r.size).toBe(3);
      for (let i = 0; i < 3; i++) {
        expect(r.readCopy(i).discount[0]).toBeCloseTo(expected[i]!, 6);
        expect([...r.readCopy(i).nextObservation]).toEqual([3, -3]);
        expect(r.readCopy(i).truncated).toBe('truncated' in end);
      }
    }
  });

  it('never mixes episodes or environments in one window', () => {
    const r = replay(3, 2);
    r.add(0, step(0, { reward: 1 }), 0);
    r.add(1, step(50, { reward: 7 }), 0);
    r.add(0, step(1, { reward: 1, truncated: true }), 0);
    r.add(0, step(10, { reward: 5 }), 0);
    r.add(1, step(51, { reward: 7, terminated: true }), 0);
    const rewards = Array.from({ length: r.size }, (_, i) => r.readCopy(i).reward[0]!);
    expect(rewards).toHaveLength(4);
    expect(rewards[0]).toBeCloseTo(1 + GAMMA, 5);
    expect(rewards[1]).toBeCloseTo(1, 5);
    expect(rewards[2]).toBeCloseTo(7 + GAMMA * 7, 5);
    expect(rewards[3]).toBeCloseTo(7, 5);
  });

  it('forgets the open window of an environment that broke off', () => {
    const r = replay(3);
    r.add(0, step(0, { reward: 1 }), 0);
    r.discardPending(0);
    r.add(0, step(5, { reward: 2, terminated: true }), 0);
    expect(r.size).toBe(1);
    expect(r.readCopy(0).observation[0]).toBe(5);
  });

  it('samples only what is there, reproducibly, and overwrites the oldest', () => {
    const r = replay(1, 1, 8);
    for (let t = 0; t < 20; t++) r.add(0, step(t), 0);
    expect(r.size).toBe(8);
    const a = emptyBatch(64);
    const b = emptyBatch(64);
    r.sample(new Draws(1, 2), a, 0, 64);
    r.sample(new Draws(1, 2), b, 0, 64);
    expect(a).toEqual(b);
    const times = new Set(Array.from({ length: 64 }, (_, i) => a.observation[2 * i]!));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(12);
    expect(times.size).toBe(8);
  });

  it.each([undefined, { exponent: 0.6, correction: 0.4 }])(
    'draws from no episode before it is released, and from it no longer when that is taken back: priorities %j',
    (priorities) => {
      const options = { O: 2, A: 1, environments: 1, capacity: 12, nStep: 1, gamma: GAMMA, horizon: 4 };
      const r = new Replay({ ...options, holdsBack: true, priorities });
      const episode = (from: number): Int32Array => {
        for (let t = from; t < from + 4; t++) r.add(0, step(t, { truncated: t === from + 3 }), 0);
        return r.takeEpisode(0);
      };
      const drawn = (): number[] => {
        const batch = emptyBatch(200);
        r.sample(new Draws(1, 2), batch, 0, 200);
        return [...new Set(Array.from({ length: 200 }, (_, i) => batch.observation[2 * i]!))].sort(
          (a, b) => a - b,
        );
      };
      const [first, second] = [episode(0), episode(4)];
      expect(r.size).toBe(0);
      expect(drawn).toThrow(/empty/);
      r.release(second);
      expect([r.size, drawn()]).toEqual([4, [4, 5, 6, 7]]);
      r.release(first);
      r.release(second, false);
      expect(drawn()).toEqual([0, 1, 2, 3]);
      const again = new Replay({ ...options, holdsBack: true, priorities });
      again.restore(r.state());
      expect(again.size).toBe(4);
      episode(8);
      episode(12);
      // The first has been overwritten by an episode that waits.
      r.release(first);
      expect(r.size).toBe(0);
    },
  );

  it('continues from its saved state as if nothing had happened', () => {
    const whole = replay(3, 1, 10);
    const first = replay(3, 1, 10);
    for (let t = 0; t < 7; t++) for (const r of [whole, first]) r.add(0, step(t, { reward: t }), 0);
    const second = replay(3, 1, 10);
    second.restore(
      Object.fromEntries(Object.entries(first.state()).map(([name, values]) => [name, values.slice()])),
    );
    for (let t = 7; t < 30; t++)
      for (const r of [whole, second]) r.add(0, step(t, { reward: t, truncated: t % 9 === 0 }), 0);
    expect(second.state()).toEqual(whole.state());
  });
});
