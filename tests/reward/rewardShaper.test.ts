import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Replay } from '#data/replay';
import { RewardShaper } from '#reward/rewardShaper';
import type { MethodSpec, RewardEntry } from '#spec/resolvedReward';
import { replayStep } from './replayStep.js';

const entry = (method: MethodSpec, rest: Partial<RewardEntry> = {}): RewardEntry => ({
  name: method.kind,
  weight: 1,
  offset: 0,
  length: 1,
  cap: undefined,
  gate: undefined,
  invariant: method.kind === 'potential' && rest.gate === undefined,
  method,
  ...rest,
});

interface Outcome {
  readonly at: number[];
  readonly credits: number[];
}

/** Plays an episode whose signals are given sample by sample; success gives 1 in the last step. */
function play(shaper: RewardShaper, samples: readonly (readonly number[])[], success = false): Outcome {
  shaper.begin(0, Float64Array.from(samples[0]!));
  const last = samples.length - 2;
  const at = samples.slice(1).map((values, t) => {
    const ends = success && t === last;
    return shaper.step(0, Float64Array.from(values), Number(ends), ends);
  });
  return { at, credits: [...shaper.finish(0, success).credits] };
}

const shaperOf = (entries: readonly RewardEntry[], factors: readonly number[] = []): RewardShaper =>
  new RewardShaper({ entries, factors }, 1, 0.9);

describe('the aids', () => {
  it('stages: each once, in order, what holds at the start not at all', () => {
    const shaper = shaperOf([entry({ kind: 'stages' }, { length: 3 })]);
    const third = 1 / 3;
    // The third holds before the second: it waits.
    const { at } = play(shaper, [
      [1, 0, 0],
      [1, 0, 1],
      [0, 1, 1],
      [0, 0, 0],
      [1, 1, 1],
    ]);
    expect(at).toEqual([0, 2 * third, 0, 0].map((x) => expect.closeTo(x, 12)));
    expect(
      play(shaper, [
        [0, 0, 0],
        [1, 0, 0],
      ]).at[0],
    ).toBeCloseTo(third, 12);
  });

  it('partial credit: gained less undone, a penalty for changing nothing, nothing on success', () => {
    const make = (): RewardShaper => shaperOf([entry({ kind: 'partial', inaction: 0.25 }, { length: 4 })]);
    const start = [0, 1, 0, 0];
    expect(play(make(), [start, start, [1, 0, 1, 1]]).credits).toEqual([0, 0.5]);
    expect(play(make(), [start, [1, 1, 1, 1], start]).credits).toEqual([0, -0.25]);
    expect(play(make(), [start, start, [1, 1, 1, 1]], true).credits).toEqual([0, 0]);
  });

  it('process scores: clip is never positive, delta sums to the first score', () => {
    const clip = shaperOf([entry({ kind: 'process', form: 'clip', margin: 0.5 })]);
    expect(play(clip, [[9], [0.2], [0.7]]).at).toEqual([expect.closeTo(-0.3, 12), 0]);
    const scores = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(scores, (values) => {
        const delta = shaperOf([entry({ kind: 'process', form: 'delta', margin: 0 })]);
        const { at, credits } = play(
          delta,
          values.map((v) => [v]),
        );
        expect(at.every((x) => x === 0)).toBe(true);
        expect(credits.reduce((a, b) => a + b, 0)).toBeCloseTo(values[1]!, 10);
      }),
    );
  });

  it('novelty: fades with the visits of a cell in all episodes, and waiting in it is worth nothing', () => {
    const shaper = shaperOf([entry({ kind: 'novelty', cell: 1, exponent: 1 })]);
    expect(play(shaper, [[0], [1.5], [1.6], [0.5], [1.2]]).at).toEqual([1, 0, 1, 0.5]);
    expect(play(shaper, [[0], [1.5]]).at[0]).toBeCloseTo(1 / 3, 12);
  });

  it('coverage: the marginal gain of the cells seen in an episode', () => {
    const shaper = shaperOf([entry({ kind: 'coverage', cell: 0.5 }, { length: 2 })]);
    const walk = [
      [0, 0],
      [0, 0.6],
      [0, 0.1],
      [0, 0.7],
      [-0.1, 0],
    ];
    expect(play(shaper, walk).at).toEqual([1, 0, 0, 1]);
    expect(play(shaper, walk).at).toEqual([1, 0, 0, 1]);
  });

  it('attribution: keeps the return, and finds the step that earned it', () => {
    const shaper = shaperOf([entry({ kind: 'attribution', ridge: 1e-3 }, { length: 2 })]);
    // Factor 0 marks the step that decides; factor 1 is noise that comes up in every episode.
    const good = [
      [0, 0],
      [0, 1],
      [1, 0],
      [0, 0],
      [0, 0],
    ];
    const bad = [
      [0, 0],
      [0, 1],
      [0, 0],
      [0, 0],
      [0, 0],
    ];
    expect(play(shaper, good, true).credits).toEqual([0, 0, 0, 0]);
    for (let k = 0; k < 20; k++) play(shaper, k % 2 ? good : bad, k % 2 === 1);
    const { credits } = play(shaper, good, true);
    expect(credits.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 10);
    expect(credits[1]).toBeGreaterThan(0.9);
    expect(credits[3]).toBeLessThan(-0.9);
    expect(Math.abs(credits[0]!)).toBeLessThan(0.1);
  });
});

describe('the shaper', () => {
  it('never adds more than the cap to an episode', () => {
    const scores = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(scores, fc.double({ min: 0.1, max: 2, noNaN: true }), (values, cap) => {
        const { at } = play(
          shaperOf([entry({ kind: 'bonus' }, { cap })]),
          values.map((v) => [v]),
        );
        let sum = 0;
        for (const added of at) {
          sum += added;
          expect(Math.abs(sum)).toBeLessThanOrEqual(cap + 1e-9);
        }
      }),
    );
  });

  it('holds gated entries back until the outcome is known', () => {
    const samples = [
      [0, 0],
      [0.5, 1],
      [0.25, 0],
    ];
    const gated = (gate: number | 'success') => shaperOf([entry({ kind: 'bonus' }, { gate })]);
    expect(play(gated('success'), samples)).toEqual({ at: [0, 0], credits: [0, 0] });
    expect(play(gated('success'), samples, true)).toEqual({ at: [0, 0], credits: [0.5, 0.25] });
    expect(play(gated(1), samples, true).credits).toEqual([0, 0]);
    expect(play(gated(1), [...samples, [0, 1]]).credits).toEqual([0.5, 0.25, 0]);
  });

  it('scales what is won by soft penalties, neither what is lost nor potentials', () => {
    const bonus = shaperOf([entry({ kind: 'bonus' })], [1]);
    expect(
      play(bonus, [
        [0, 1],
        [1, 0.5],
        [-1, 0.5],
        [1, 7],
        [1, -3],
      ]).at,
    ).toEqual([0.5, -1, 1, 0]);
    const potential = shaperOf([entry({ kind: 'potential', veto: undefined })], [1]);
    expect(
      play(potential, [
        [0, 1],
        [1, 0],
      ]).at,
    ).toEqual([0.9]);
  });

  it('names the entry that is not finite', () => {
    expect(() => play(shaperOf([entry({ kind: 'bonus' })]), [[0], [Number.NaN]])).toThrow(
      /reward entry bonus gave NaN/,
    );
  });

  it('credits go to the n-step windows of the episode, as if they had been there at once', () => {
    const cases = fc.record({
      rewards: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }),
      nStep: fc.integer({ min: 1, max: 5 }),
      capacity: fc.integer({ min: 12, max: 40 }),
      episodes: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(cases, ({ rewards, nStep, capacity, episodes }) => {
        const options = { O: 1, A: 1, environments: 1, capacity, nStep, gamma: 0.9 };
        const atOnce = new Replay(options);
        const settled = new Replay({ ...options, horizon: 12 });
        for (let k = 0; k < episodes; k++) {
          for (const [t, reward] of rewards.entries()) {
            const ends = t === rewards.length - 1;
            atOnce.add(0, replayStep(reward, { terminated: ends }), 0);
            settled.add(0, replayStep(0, { terminated: ends }), 0);
          }
          settled.settle(settled.takeEpisode(0), Float64Array.from(rewards));
        }
        expect(settled.size).toBe(atOnce.size);
        for (let i = 0; i < atOnce.size; i++)
          expect(settled.readCopy(i).reward[0]).toBeCloseTo(atOnce.readCopy(i).reward[0]!, 5);
      }),
    );
  });
});
