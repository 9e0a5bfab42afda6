import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate } from '#learn/evaluate';
import type { TrainEvent } from '#learn/events';
import { RunDirectory } from '#learn/runDirectory';
import { comparePaired, wilson } from '#learn/statistics';
import { trainProblem } from '#learn/train';
import { loadBundle, makePolicy } from '#policy/bundle';
import { RandomPolicy, ZeroPolicy } from '#policy/simpleBases';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

describe('statistics', () => {
  // Newcombe 1998, table I: Wilson without continuity correction.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i lies in [%f, %f]', (successes, trials, low, high) => {
    const [a, b] = wilson(successes, trials);
    expect(a).toBeCloseTo(low, 4);
    expect(b).toBeCloseTo(high, 4);
  });

  it('compares pairs by the exact sign test', () => {
    // 1 against 9 discordant pairs: 2 (C(10,0) + C(10,1)) / 2^10.
    const first = Uint8Array.from([1, ...Array(9).fill(0), 1, 1, 0]);
    const second = Uint8Array.from([0, ...Array(9).fill(1), 1, 1, 0]);
    const { pValue, ...counts } = comparePaired(first, second);
    expect(counts).toEqual({ both: 2, onlyFirst: 1, onlySecond: 9, neither: 1 });
    expect(pValue).toBeCloseTo(22 / 1024, 10);
    expect(comparePaired(first, first).pValue).toBe(1);
  });

  it('keeps its p-value for hundreds of pairs', () => {
    const { pValue } = comparePaired(new Uint8Array(900), new Uint8Array(900).fill(1));
    expect(pValue).toBeGreaterThan(0);
    expect(pValue / (2 * 2 ** -900)).toBeCloseTo(1, 9);
  });
});

describe('evaluation', () => {
  it('counts every episode once and repeats itself', async () => {
    const env = await kinematicPeg().makeEnv({ environments: 7, seed: 0 });
    const run = () => evaluate(env, new RandomPolicy(7, 10, 3, 5), { episodes: 25, seed: 3 });
    const first = await run();
    expect(first.lengths).toHaveLength(25);
    expect(first.lengths.every((l) => l > 0 && l <= 60)).toBe(true);
    expect(first.successes).toBe(first.perEpisode.reduce((a, b) => a + b, 0));
    expect(await run()).toEqual(first);
    expect(env.active.every((a) => a === 1)).toBe(true);
  });

  it('gives every policy the same initial states', async () => {
    const starts = async (policy: ZeroPolicy | RandomPolicy): Promise<Set<string>> => {
      const env = await kinematicPeg().makeEnv({ environments: 4, seed: 0 });
      const seen = new Set<string>();
      const act = policy.act.bind(policy);
      const fresh = new Uint8Array(4).fill(1);
      policy.act = (observation, out) => {
        for (let row = 0; row < 4; row++)
          if (fresh[row] && env.active[row]) seen.add(`${observation.subarray(row * 10, row * 10 + 5)}`);
        fresh.fill(0);
        act(observation, out);
      };
      policy.reset = (mask?: Uint8Array) => {
        if (mask) fresh.set(mask);
      };
      await evaluate(env, policy, { episodes: 12, seed: 8 });
      return seen;
    };
    const zero = await starts(new ZeroPolicy(4, 10, 3));
    expect(zero.size).toBe(12);
    expect(await starts(new RandomPolicy(4, 10, 3, 1))).toEqual(zero);
  });
});

describe('the evaluation gate', { timeout: 180_000 }, () => {
  it('ships the base, exactly, where learning made it worse, and says so', async () => {
    const run = new RunDirectory(mkdtempSync(join(tmpdir(), 'vernier-gate-')));
    // A huge actor step on an untrained critic ruins the policy.
    const residual = {
      steps: 500,
      warmup_steps: 400,
      critic_only_updates: 1,
      actor_lr: 0.3,
      scale: 1,
      utd: 0.5,
    };
    const rest = { base: { steps: 400 }, evaluation: { episodes: 60 } };
    const events: TrainEvent[] = [];
    const config = smallRun({ ...residual, gamma: 0.5, critic_lr: 1e-6 }, rest);
    const report = (event: TrainEvent): void => void events.push(event);
    const result = await trainProblem(kinematicPeg(), config, run, report, new AbortController().signal);
    const final = events.find((e) => e.kind === 'evaluation' && e.what === 'final');
    if (final?.kind !== 'evaluation') throw new Error('no final evaluation');
    expect(final.score.successes).toBeLessThan(result.base!.successes);
    expect(result.shipped).toBe('base');
    expect(result.policy).toEqual(result.base);
    expect(events.some((e) => e.kind === 'note' && /fell back to the base/.test(e.text))).toBe(true);
    const bundle = loadBundle(result.bundle!);
    expect(bundle.scale).toBe(0);
    const policy = await makePolicy(bundle, 50);
    const env = await kinematicPeg().makeEnv({ environments: 50, seed: 0 });
    const again = await evaluate(env, policy, { episodes: 60, seed: config.evaluation.seed });
    expect(again.successes).toBe(result.base!.successes);
  });
});
