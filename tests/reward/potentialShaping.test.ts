import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { Replay } from '#data/replay';
import { PotentialShaping } from '#reward/potentialShaping';
import { actionValues, greedyPolicy, type Mdp, randomMdp, type Shaping } from './chain.js';
import { replayStep } from './replayStep.js';

/** The shaping of a potential over states, as the learner would add it. */
function shapingOf(mdp: Mdp, potential: readonly number[]): Shaping {
  const method = new PotentialShaping(mdp.gamma);
  return (from, to, terminated) =>
    method.step(0, { before: [potential[from]!], after: [potential[to]!], terminated });
}

/** Minus the optimal values, times a factor: it drives away from all that is good. */
function adversary(mdp: Mdp, scale: number): number[] {
  const values = actionValues(mdp);
  return Array.from({ length: mdp.states }, (_, s) => {
    return -scale * Math.max(...values.subarray(s * mdp.actions, (s + 1) * mdp.actions));
  });
}

describe('potential shaping', () => {
  it('leaves the optimal policy as it is, under random potentials and a 20 times adversarial one', () => {
    for (let seed = 0; seed < 20; seed++) {
      const mdp = randomMdp(seed, 12, 4, 0.95);
      const optimal = greedyPolicy(mdp, actionValues(mdp));
      const draws = new PhiloxStream(seed, 1);
      const random = Array.from({ length: mdp.states }, () => 10 * draws.uniform() - 5);
      for (const potential of [random, adversary(mdp, 20)]) {
        expect(greedyPolicy(mdp, actionValues(mdp, shapingOf(mdp, potential)))).toEqual(optimal);
      }
    }
  });

  it('shifts the optimal values by the potential', () => {
    const mdp = randomMdp(3, 10, 3, 0.9);
    const potential = Array.from({ length: mdp.states }, (_, s) => Math.sin(s));
    const plain = actionValues(mdp);
    const shaped = actionValues(mdp, shapingOf(mdp, potential));
    for (let s = 0; s < mdp.states - 2; s++)
      for (let a = 0; a < mdp.actions; a++)
        expect(shaped[s * mdp.actions + a]).toBeCloseTo(plain[s * mdp.actions + a]! - potential[s]!, 8);
  });

  it('would not, if the potential stayed where an episode ends, or were added as it is', () => {
    const changed = { kept: 0, raw: 0 };
    for (let seed = 0; seed < 20; seed++) {
      const mdp = randomMdp(seed, 12, 4, 0.95);
      const optimal = greedyPolicy(mdp, actionValues(mdp));
      const draws = new PhiloxStream(seed, 1);
      const potential = Array.from({ length: mdp.states }, () => 10 * draws.uniform() - 5);
      const shaping = shapingOf(mdp, potential);
      const isOther = (other: Shaping): number =>
        Number(greedyPolicy(mdp, actionValues(mdp, other)).join() !== optimal.join());
      changed.kept += isOther((from, to) => shaping(from, to, false));
      changed.raw += isOther((_, to) => potential[to]!);
    }
    expect(changed.kept).toBeGreaterThan(15);
    expect(changed.raw).toBeGreaterThan(15);
  });

  it('telescopes over n-step windows, to nothing at an end and to the potential at a timeout', () => {
    const value = fc.double({ min: -3, max: 3, noNaN: true });
    const cases = fc.record({
      potential: fc.array(value, { minLength: 2, maxLength: 12 }),
      nStep: fc.integer({ min: 1, max: 6 }),
      gamma: fc.double({ min: 0.5, max: 1, noNaN: true }),
      terminated: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ potential, nStep, gamma, terminated }) => {
        const T = potential.length - 1;
        const replay = new Replay({ O: 1, A: 1, environments: 1, capacity: T, nStep, gamma });
        const shaping = new PotentialShaping(gamma);
        for (let t = 0; t < T; t++) {
          const ends = t === T - 1;
          const [before, after] = [[potential[t]!], [potential[t + 1]!]];
          const reward = shaping.step(0, { before, after, terminated: ends && terminated });
          replay.add(
            0,
            replayStep(reward, { terminated: ends && terminated, truncated: ends && !terminated }),
            0,
          );
        }
        for (let t = 0; t < T; t++) {
          const length = Math.min(nStep, T - t);
          const isEnd = t + length === T && terminated;
          const wanted = (isEnd ? 0 : gamma ** length * potential[t + length]!) - potential[t]!;
          expect(replay.readCopy(t).reward[0]).toBeCloseTo(wanted, 4);
        }
      }),
    );
  });

  it('leaves out steps whose potential is missing or vetoed, and takes an ensemble by its mean', () => {
    const shaping = new PotentialShaping(1, 10, 0.5);
    const step = (before: number[], after: number[]): number =>
      shaping.step(0, { before, after, terminated: false });
    expect(step([0, 0.2], [0.6, 0.8])).toBeCloseTo(0.6, 12);
    expect(step([0, 0.2], [0, 2])).toBe(0);
    expect(step([0, Number.NaN], [0.6, 0.8])).toBe(0);
    expect(step([0, 0], [100, 100])).toBe(10);
  });
});
