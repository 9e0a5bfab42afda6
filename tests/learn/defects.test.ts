import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { Agent } from '#learn/agent';
import { algorithmOf } from '#learn/algorithms';
import { collectDemos, labelDemos } from '#learn/collect';
import { evaluate } from '#learn/evaluate';
import { RunDirectory } from '#learn/runDirectory';
import { trainProblem } from '#learn/train';
import { Trainer } from '#learn/trainer';
import { compile, outputOf } from '#nn/compile';
import { input } from '#nn/graph';
import { loadBundle, makePolicy } from '#policy/bundle';
import { compose } from '#policy/compose';
import { criticValue, normaliseAction, normaliseSituation } from '#policy/networks';
import { fitNormaliser, identityNormaliser, type Normaliser } from '#policy/normaliser';
import type { BasePolicy } from '#policy/policy';
import { RandomPolicy } from '#policy/simpleBases';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

// The defects of the published residual-RL code (reference: arXiv:2509.19301's repository), each turned into a test.

const O = 10;
const A = 3;
const backend = { backend: 'reference' } as const;

/** A base that answers with how many actions it has given since its last reset, and keeps a log of its calls. */
class CountingBase implements BasePolicy {
  readonly kind = 'zero';
  readonly chunk = 8;
  readonly B: number;
  readonly O = O;
  readonly A = A;
  readonly phase: Float32Array;
  readonly state = {};
  readonly given: Int32Array;
  readonly resets: number[] = [];

  constructor(B: number) {
    this.B = B;
    this.phase = new Float32Array(B);
    this.given = new Int32Array(B);
  }

  reset(mask?: Uint8Array): void {
    for (let row = 0; row < this.B; row++) {
      if (mask && mask[row] !== 1) continue;
      this.given[row] = 0;
      this.resets.push(row);
    }
  }

  act(_observation: Float32Array, outAction: Float32Array, mask?: Uint8Array): void {
    for (let row = 0; row < this.B; row++) {
      if (mask && mask[row] !== 1) continue;
      outAction.fill(this.given[row]! / 1000, row * A, (row + 1) * A);
      this.phase[row] = (this.given[row]! % 8) / 8;
      this.given[row]!++;
    }
  }

  close(): void {}
}

async function warmUp(options: { horizon: number; rounds: number; B: number; noise?: number }) {
  const { horizon, rounds, B } = options;
  const { residual: settings } = smallRun({
    environments: B,
    steps: 100_000,
    warmup_steps: 100_000,
    n_step: 1,
    warmup_noise: options.noise ?? 0,
  });
  const env = await kinematicPeg({ horizon }).makeEnv({ environments: B, seed: 1 });
  const base = new CountingBase(B);
  const normaliser = identityNormaliser(O, A);
  const trainer = new Trainer({ env, base, normaliser, demos: undefined, settings, compile: backend });
  await trainer.begin();
  const executed: Float32Array[] = [];
  for (let i = 0; i < rounds; i++) {
    await trainer.advance();
    executed.push(env.action.slice());
  }
  return { env, base, trainer, executed };
}

function agentFor(
  residual: Record<string, unknown>,
  normaliser: Normaliser = identityNormaliser(O, A),
): Agent {
  const { residual: settings } = smallRun({
    batch: 8,
    critics: 3,
    hidden: [16, 16],
    clip_targets: false,
    ...residual,
  });
  const rng = new PhiloxStream(settings.seed, 1);
  return new Agent(
    { O, A, environments: 1, normaliser, settings, rng, compile: backend },
    algorithmOf(settings, A, rng),
  );
}

function fillBatch(agent: Agent, discount: number): void {
  const batch = agent.batchOf(false);
  const draws = new Draws(7, 7);
  for (const values of Object.values(batch) as Float32Array[]) draws.uniforms(values, -1, 1);
  batch.discount.fill(discount);
  const { members, noise } = agent.drawsOf(false);
  draws.distinct(members, 3);
  draws.normals(noise);
}

/** Values of all heads at the batch's actions, by a program of its own. */
function values(agent: Agent, normaliser: Normaliser = identityNormaliser(O, A)): Float32Array {
  const batch = agent.batchOf(false);
  const s = {
    observation: input('observation', [8, O]),
    phase: input('phase', [8, 1]),
    base: input('base', [8, A]),
  };
  const q = criticValue(
    agent.parts.critic,
    normaliseSituation(s, normaliser),
    normaliseAction(input('action', [8, A]), normaliser),
  );
  const program = compile({ name: 'values', outputs: { q } }, backend);
  for (const name of ['observation', 'phase', 'base', 'action'] as const)
    program.inputs[name]?.set(batch[name]);
  program.run();
  return outputOf(program, 'q');
}

describe('published defects', { timeout: 180_000 }, () => {
  it('1: the trained weights are saved, and act the same when loaded', async () => {
    const run = new RunDirectory(mkdtempSync(join(tmpdir(), 'vernier-weights-')));
    const config = smallRun(
      { steps: 600, warmup_steps: 400, critic_only_updates: 50, utd: 0.5, actor_lr: 1e-6 },
      { base: { steps: 100 }, evaluation: { episodes: 20 }, backend: 'reference' },
    );
    const result = await trainProblem(kinematicPeg(), config, run, () => {}, new AbortController().signal);
    const bundle = loadBundle(result.bundle!, { taskHash: kinematicPeg().taskHash });
    expect(bundle.made['environmentSteps']).toBe(600);
    if (result.shipped === 'policy')
      expect(bundle.trained!.actor.block.values.some((v) => v !== 0)).toBe(true);
    const policy = await makePolicy(bundle, 20, backend);
    const env = await kinematicPeg().makeEnv({ environments: 20, seed: config.evaluation.seed });
    const again = await evaluate(env, policy, { episodes: 20, seed: config.evaluation.seed });
    expect(again.successes).toBe(result.policy!.successes);
  });

  it('2: a timeout bootstraps', async () => {
    const { trainer } = await warmUp({ horizon: 5, rounds: 10, B: 2 });
    const ends = Array.from({ length: trainer.replay.size }, (_, i) => trainer.replay.readCopy(i)).filter(
      (r) => r.truncated,
    );
    expect(ends.length).toBe(4);
    for (const end of ends) expect(end.discount[0]).toBeCloseTo(0.98, 6);
  });

  it('3: the base starts afresh on truncation too, before the first action of the new episode', async () => {
    const { base, trainer } = await warmUp({ horizon: 5, rounds: 11, B: 2 });
    expect(base.resets).toEqual([0, 1, 0, 1, 0, 1]);
    for (let i = 0; i < trainer.replay.size; i++) {
      const { base: action, nextBase } = trainer.replay.readCopy(i);
      const t = Math.floor(i / 2) % 5;
      expect(action[0]).toBeCloseTo(t / 1000, 6);
      // Behind the end of an episode the chunk runs on: that is what the bootstrap asks for.
      expect(nextBase[0]).toBeCloseTo((t + 1) / 1000, 6);
    }
  });

  it('4: the base starts afresh at each demonstration when they are labelled', async () => {
    const { demos } = smallRun({}, { demos: { episodes: 4 } });
    const collected = await collectDemos(kinematicPeg(), { settings: demos });
    const base = new CountingBase(1);
    const replay = await labelDemos(collected!.demos, base, { nStep: 1, gamma: 0.98 });
    expect(base.resets).toHaveLength(4);
    let at = 0;
    for (const { length, terminated } of collected!.demos.episodes)
      for (let t = 0; t < length; t++, at++) {
        const row = replay.readCopy(at);
        expect(row.base[0]).toBeCloseTo(t / 1000, 6);
        expect(row.nextBase[0]).toBeCloseTo((t + 1) / 1000, 6);
        expect(row.terminated).toBe(terminated && t === length - 1);
      }
  });

  it('5: the replay stores the executed action, after clipping', async () => {
    const { trainer, executed } = await warmUp({ horizon: 50, rounds: 20, B: 3, noise: 3 });
    let clipped = 0;
    for (let i = 0; i < trainer.replay.size; i++) {
      const stored = trainer.replay.readCopy(i).action;
      const row = i % 3;
      expect([...stored]).toEqual([...executed[Math.floor(i / 3)]!.subarray(row * A, (row + 1) * A)]);
      for (const a of stored) {
        expect(Math.abs(a)).toBeLessThanOrEqual(1);
        if (Math.abs(a) === 1) clipped++;
      }
    }
    expect(clipped).toBeGreaterThan(20);
  });

  it('6: the critic loss is the mean over heads and rows of squared errors', () => {
    const agent = agentFor({});
    fillBatch(agent, 0);
    const q = values(agent).slice();
    const { reward } = agent.batchOf(false);
    let squares = 0;
    let means = 0;
    for (let i = 0; i < 8; i++) {
      let absolute = 0;
      for (let head = 0; head < 3; head++) {
        const error = q[head * 8 + i]! - reward[i]!;
        squares += error ** 2 / 24;
        absolute += Math.abs(error) / 3;
      }
      means += absolute ** 2 / 8;
    }
    agent.update(false);
    expect(agent.report(false)['criticLoss']![0]).toBeCloseTo(squares, 5);
    expect(Math.abs(squares - means)).toBeGreaterThan(1e-3);
  });

  it('7: initial values are really applied: heads differ, the residual starts at exactly 0', () => {
    const agent = agentFor({});
    const { critic, actor } = agent.parts;
    const heads = [0, 1, 2].map((head) => critic.block.view('critic.2.weight', head));
    for (const head of heads) {
      const norm = Math.sqrt(head.reduce((s, w) => s + w * w, 0));
      // U(-1/4, 1/4) over 16 inputs: the expected norm is 4 * (1/4) / sqrt(3).
      expect(norm).toBeGreaterThan(0.3);
      expect(norm).toBeLessThan(0.9);
    }
    expect(heads[0]).not.toEqual(heads[1]);
    expect(heads[1]).not.toEqual(heads[2]);
    expect(actor.block.view('actor.2.weight').every((w) => w === 0)).toBe(true);
    expect(actor.block.view('actor.2.bias').every((w) => w === 0)).toBe(true);
    expect(agent.parts.criticTarget.values).toEqual(critic.block.values);
  });

  it('8: gamma comes from the settings', async () => {
    const discounts = await Promise.all(
      [0.5, 0.99].map(async (gamma) => {
        const { residual: settings } = smallRun({ environments: 1, gamma, n_step: 2, warmup_steps: 1000 });
        const env = await kinematicPeg().makeEnv({ environments: 1, seed: 1 });
        const normaliser = identityNormaliser(O, A);
        const trainer = new Trainer({
          env,
          base: new CountingBase(1),
          normaliser,
          demos: undefined,
          settings,
          compile: backend,
        });
        await trainer.begin();
        for (let i = 0; i < 3; i++) await trainer.advance();
        return trainer.replay.readCopy(0).discount[0]!;
      }),
    );
    expect(discounts[0]).toBeCloseTo(0.25, 6);
    expect(discounts[1]).toBeCloseTo(0.9801, 6);
    const targets = discounts.map((discount) => {
      const agent = agentFor({});
      fillBatch(agent, discount);
      agent.batchOf(false).reward.fill(0);
      agent.update(false);
      return agent.report(false)['target']![0]!;
    });
    expect(targets[1]! / targets[0]!).toBeCloseTo(0.9801 / 0.25, 3);
  });

  it('9: many environments and any base', async () => {
    for (const B of [1, 5, 16]) {
      const { residual: settings } = smallRun({
        environments: B,
        warmup_steps: 4 * B,
        critic_only_updates: 2,
      });
      const env = await kinematicPeg().makeEnv({ environments: B, seed: 1 });
      const trainer = new Trainer({
        env,
        base: new RandomPolicy(B, O, A, 3),
        normaliser: identityNormaliser(O, A),
        demos: undefined,
        settings,
        compile: backend,
      });
      await trainer.begin();
      for (let i = 0; i < 9; i++) await trainer.advance();
      expect(trainer.counters.environmentSteps).toBe(7 * B);
      expect(trainer.counters.criticUpdates).toBe(2 + 3 * B);
    }
  });
});

describe('an untrained residual', () => {
  it('reproduces the actions of the base to the last bit', () => {
    const draws = new Draws(4, 4);
    const base = new Float32Array(30);
    draws.uniforms(base, -1, 1);
    const normaliser = fitNormaliser(new Float32Array(20).fill(1), O, base, A, {
      scale: 0.3,
      rangeFloor: 0.1,
      stdFloor: 0.1,
    });
    const agent = agentFor({}, normaliser);
    const out = new Float32Array(3);
    for (let row = 0; row < 10; row++) {
      const action = base.subarray(row * A, (row + 1) * A);
      const observation = new Float32Array(O);
      draws.uniforms(observation, -2, 2);
      // exploration_std 0.1 acts on the stored residual only; the network's own output is exactly 0.
      agent.explore(
        observation,
        Float32Array.of(0),
        action,
        { normals: (o: Float32Array) => o.fill(0), uniforms: () => {} } as unknown as Draws,
        0.3,
      );
      expect(agent.residual.every((r) => r === 0)).toBe(true);
      compose(action, agent.residual, normaliser.actionHalf, out);
      expect([...out]).toEqual([...action]);
    }
  });
});
