import { describe, expect, it } from 'vitest';
import { collectDemos, labelDemos } from '#learn/collect';
import { evaluate } from '#learn/evaluate';
import { imitationAt, Trainer } from '#learn/trainer';
import { actionsUnscaled, fitNormaliser } from '#policy/normaliser';
import { ResidualPolicy } from '#policy/residualPolicy';
import { ZeroPolicy } from '#policy/simpleBases';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

const problem = kinematicPeg();
const { O, A } = problem;

async function trainerOn(residual: Record<string, unknown>) {
  const { residual: settings, demos: wanted } = smallRun(residual);
  const { demos } = (await collectDemos(problem, { settings: wanted }))!;
  const fitted = fitNormaliser(demos.observation, O, demos.action, A, {
    scale: 0,
    rangeFloor: 0.1,
    stdFloor: 0.1,
  });
  const normaliser = settings.algorithm === 'residual' ? fitted : actionsUnscaled(fitted);
  const { n_step: nStep, gamma, environments: B } = settings;
  const env = await problem.makeEnv({ environments: B, seed: settings.seed });
  const trainer = new Trainer({
    env,
    base: new ZeroPolicy(B, O, A),
    normaliser,
    demos: await labelDemos(demos, new ZeroPolicy(1, O, A), { nStep, gamma }),
    settings,
    compile: {},
  });
  await trainer.begin();
  return { trainer, normaliser, settings };
}

describe('the trainer', { timeout: 240_000 }, () => {
  it('raises the scale of the residual over its warm-up', async () => {
    const { trainer } = await trainerOn({
      environments: 10,
      warmup_steps: 40,
      critic_only_updates: 1,
      utd: 0.1,
      scale: 0.4,
      scale_warmup: 100,
    });
    const scales: number[] = [];
    while (trainer.counters.environmentSteps < 160) {
      const acted = trainer.scale;
      await trainer.advance();
      if (trainer.phase === 'online') scales.push(acted);
    }
    expect(scales[0]).toBe(0);
    expect(scales[6]).toBeCloseTo(0.2, 6);
    expect(scales.at(-1)).toBe(0.4);
  });

  it('keeps the phases apart: warm-up, then the critics alone, then both', async () => {
    const { trainer } = await trainerOn({
      environments: 8,
      warmup_steps: 40,
      critic_only_updates: 6,
      actor_every: 4,
    });
    const actor = () => trainer.agent.parts.actor.block.values.slice();
    const first = actor();
    while (trainer.phase !== 'online') await trainer.advance();
    expect(trainer.counters).toMatchObject({ environmentSteps: 40, criticUpdates: 6, actorUpdates: 0 });
    expect(actor()).toEqual(first);
    await trainer.advance();
    // 1 update per step and 8 environments; numbers 8 and 12 of all are with the actor.
    expect(trainer.counters).toMatchObject({ environmentSteps: 48, criticUpdates: 14, actorUpdates: 2 });
    expect(actor()).not.toEqual(first);
  });

  it('learns from demonstrations without a base too (the RLPD baseline)', async () => {
    const { trainer, normaliser } = await trainerOn({
      algorithm: 'rlpd',
      steps: 8000,
      utd: 2,
      hidden: [64, 64],
      batch: 64,
      actor_lr: 1e-3,
      temperature: 0.02,
    });
    while (!trainer.finished) await trainer.advance();
    const policy = new ResidualPolicy(new ZeroPolicy(50, O, A), trainer.agent.trained(), normaliser, 1);
    const env = await problem.makeEnv({ environments: 50, seed: 0 });
    const { rate } = await evaluate(env, policy, { episodes: 100, seed: 77 });
    expect(rate).toBeGreaterThan(0.5);
  });
});

describe('imitation beside reinforcement', { timeout: 120_000 }, () => {
  /** What is left of the demonstrations' actions after some updates, and the trainer. */
  async function imitated(imitation: object | undefined): Promise<{ first: number; last: number }> {
    const { trainer } = await trainerOn({
      ...{ environments: 8, warmup_steps: 40, critic_only_updates: 1, utd: 8, actor_lr: 1e-3, scale: 1 },
      ...(imitation ? { imitation } : {}),
    });
    while (trainer.counters.actorUpdates === 0) await trainer.advance();
    const first = trainer.takeAverages()['imitation'] ?? Number.NaN;
    while (trainer.counters.environmentSteps < 160) await trainer.advance();
    trainer.takeAverages();
    await trainer.advance();
    return { first, last: trainer.takeAverages()['imitation'] ?? Number.NaN };
  }

  it('draws the actor to what demonstrations do, by its weight', async () => {
    const strong = await imitated({ weight: 100, decay: 100_000 });
    const weak = await imitated({ weight: 1e-6, decay: 100_000 });
    expect(strong.last).toBeLessThan(0.5 * strong.first);
    expect(strong.last).toBeLessThan(0.5 * weak.last);
    expect((await imitated(undefined)).first).toBeNaN();
  });

  it('fades in a straight line', () => {
    const { residual } = smallRun({ imitation: { weight: 2, decay: 1000 } });
    expect([0, 250, 1000, 5000].map((steps) => imitationAt(residual, steps))).toEqual([2, 1.5, 0, 0]);
    expect(imitationAt(smallRun().residual, 0)).toBe(0);
  });
});

describe('prioritised replay', { timeout: 120_000 }, () => {
  it.each(['error', 'disagreement'])('draws by the %s of the critics, and moves with it', async (by) => {
    const { trainer } = await trainerOn({
      ...{ environments: 8, warmup_steps: 80, critic_only_updates: 60, utd: 1, critics: 4 },
      priorities: { by, exponent: 1 },
    });
    while (trainer.phase !== 'online') await trainer.advance();
    const { priorities, size } = trainer.replay;
    const first = priorities!.state().slice(0, size);
    expect(new Set(first).size).toBeGreaterThan(size / 2);
    // What was drawn last has the priority that the update told.
    const told = trainer.agent.report(false)['priority']!;
    const kept = new Set(Array.from(first, (p) => p.toFixed(5)));
    const own = told.subarray(told.length / 2);
    const found = own.filter((p) => kept.has((p + 1e-3).toFixed(5)));
    expect(found.length).toBe(own.length);
  });

  it('reads nothing of it where it is off', async () => {
    const { trainer } = await trainerOn({ environments: 8, warmup_steps: 40, critic_only_updates: 2 });
    while (trainer.phase !== 'online') await trainer.advance();
    expect(trainer.replay.priorities).toBeUndefined();
    expect(trainer.agent.report(false)['priority']).toBeUndefined();
  });
});
