import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { chunkSpecOf, cloneBase } from '#learn/bc';
import { collectDemos } from '#learn/collect';
import { type Distilled, type DistillProgress, distill, requireTeacher } from '#learn/distill';
import { evaluate } from '#learn/evaluate';
import { PpoAgent, type PpoSettings, Rollout } from '#learn/ppo';
import { loadBundle, makePolicy, type PolicyBundle, saveBundle } from '#policy/bundle';
import { fitNormaliser } from '#policy/normaliser';
import { distillSchema } from '#spec/distillSchema';
import { baseSchema, demosSchema, evaluationSchema } from '#spec/learningSchema';
import { kinematicPeg } from './kinematicPeg.js';

const problem = kinematicPeg();
const evaluation = evaluationSchema.parse({ episodes: 200, environments: 50 });
const { task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control, O, A } = problem;

/** A clone of good demonstrations in chunks of four, as a bundle without a residual. */
async function makeTeacher(): Promise<PolicyBundle> {
  const recorded = await collectDemos(kinematicPeg({ noise: 0.05 }), {
    settings: demosSchema.parse({ episodes: 60 }),
  });
  const { demos } = recorded!;
  const normaliser = fitNormaliser(demos.observation, O, demos.action, A, {
    ...{ scale: 0, rangeFloor: 0.1, stdFloor: 0.1 },
  });
  const settings = baseSchema.parse({ hidden: [128, 128], steps: 3000, chunk: 4, validation: 0 });
  const network = await cloneBase({
    ...{ demos, normaliser, settings, compile: {} },
    ...{ report: () => {}, stop: () => false },
  });
  const header = { task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control };
  const base = { kind: 'chunk', spec: chunkSpecOf(settings, O, A), network: network!, normaliser } as const;
  return { ...header, O, A, base, normaliser, trained: undefined, scale: 0, made: {} };
}

const run = (
  teacher: PolicyBundle,
  keys: object,
  report: (progress: DistillProgress) => void = () => {},
  signal = new AbortController().signal,
): Promise<Distilled | undefined> =>
  distill({
    ...{ problem, teacher, evaluation, compile: {}, report, signal },
    settings: distillSchema.parse({ steps: 40_000, evaluate_every: 10_000, hidden: [48, 48], ...keys }),
  });

describe('distilling', { timeout: 240_000 }, () => {
  let teacher: PolicyBundle;
  let result: Distilled;
  const told: DistillProgress[] = [];
  beforeAll(async () => {
    teacher = await makeTeacher();
    result = (await run(teacher, {}, (progress) => told.push(progress)))!;
  }, 240_000);

  it('makes a student as good as its teacher, several times smaller', () => {
    expect(result.scores.teacher.rate).toBeGreaterThan(0.5);
    expect(result.scores.student.rate).toBeGreaterThan(result.scores.teacher.rate - 0.1);
    expect(result.parameters.student * 4).toBeLessThan(result.parameters.teacher!);
    expect(told.at(-1)!.teacherLoss).toBeLessThan(0.5 * told[0]!.teacherLoss);
    expect(told.filter(({ score }) => score).length).toBe(4);
  });

  it('saves a bundle that acts with the evaluated success, bit for bit', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'vernier-distill-')), 'student.vrn');
    saveBundle(path, result.student);
    const loaded = loadBundle(path, { taskHash, robotHash, actionNames });
    const env = await problem.makeEnv({ environments: 50, seed: 1 });
    const policy = await makePolicy(loaded, 50);
    const { successes } = await evaluate(env, policy, evaluation);
    policy.close();
    expect(successes).toBe(result.scores.student.successes);
    expect(() => requireTeacher(loaded)).toThrow(/a student already/);
    expect(() => requireTeacher(teacher)).not.toThrow();
  });

  it('gives the same student for the same seed, and none where it is stopped', async () => {
    const short = { steps: 4096, evaluate_every: 4096 };
    const values = async (seed: number) => {
      const { base } = (await run(teacher, { ...short, seed }))!.student;
      return base.kind === 'chunk' ? base.network.block.values : undefined;
    };
    expect(await values(3)).toEqual(await values(3));
    expect(await values(3)).not.toEqual(await values(4));
    const controller = new AbortController();
    expect(await run(teacher, short, () => controller.abort(), controller.signal)).toBeUndefined();
  });
});

describe('a policy with a teacher', () => {
  const settings: PpoSettings = {
    ...{ hidden: [16], activation: 'relu', initial_std: 0.1, gamma: 0.9, lambda: 0.9, clip: 0.2 },
    ...{
      value_clip: 0,
      entropy: 0,
      learning_rate: 1e-2,
      target_kl: 0,
      epochs: 1,
      minibatch: 32,
      grad_clip: 1,
    },
    teacher: true,
  };

  /** One update on random steps; reward says that larger actions are better, the teacher that they are -0.5. */
  function updated(weights: { reinforce: number; teacher: number }, updates: number): number {
    const shape = { O: 3, A: 2, B: 32 };
    const agent = new PpoAgent(shape, settings, new PhiloxStream(1, 1), {});
    const draws = new Draws(1, 2);
    const rollout = new Rollout(1, shape);
    for (let i = 0; i < updates; i++) {
      draws.normals(rollout.observation);
      agent.act(rollout.observation, draws);
      rollout.action.set(agent.action);
      rollout.logProbability.set(agent.logProbability);
      rollout.value.set(agent.value);
      for (let row = 0; row < shape.B; row++)
        rollout.reward[row] = agent.action[2 * row]! + agent.action[2 * row + 1]!;
      rollout.terminated.fill(1);
      rollout.teacher.fill(-0.5);
      agent.update(rollout, draws, 1, weights);
    }
    const mean = agent.action.reduce((sum, a) => sum + a, 0) / agent.action.length;
    agent.close();
    return mean;
  }

  it('goes where the weights say: to the teacher, to the reward, or between', () => {
    expect(updated({ reinforce: 0, teacher: 1 }, 150)).toBeCloseTo(-0.5, 1);
    const free = updated({ reinforce: 1, teacher: 0 }, 150);
    expect(free).toBeGreaterThan(0.2);
    const held = updated({ reinforce: 1, teacher: 20 }, 150);
    expect(held).toBeLessThan(free);
    expect(updated({ reinforce: 0, teacher: 0 }, 20)).toBeCloseTo(0, 1);
  });
});
