import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { examine } from '#reward/proposals/gate';
import {
  type Proposal,
  type ProposalKind,
  parseProposal,
  rewardEntry,
  subgoalObservation,
} from '#reward/proposals/proposal';
import { bestOf, proposeInRounds } from '#reward/proposals/rounds';
import type { ResolvedTask } from '#spec/resolved';
import { loadTask } from '#spec/task';

const options = { episodes: 6, seed: 3, threads: 2 };
const written = (file: string) => readFileSync(`bench/programs/${file}.yaml`, 'utf8');

let task: ResolvedTask;
beforeAll(async () => {
  task = await loadTask('peg_insertion');
});

const verdictOn = async (text: string, kind: ProposalKind = 'program') => {
  const proposal = parseProposal(text, kind);
  expect(proposal).toBeTypeOf('object');
  return examine(task, proposal as Proposal, options);
};
const potential = (text: string) => verdictOn(JSON.stringify({ potential: text }));

describe('the gate of a proposed potential', () => {
  it('takes one that rises to success, and its entry fits the task file', async () => {
    const { refusal, measures } = await verdictOn(written('peg_insertion'));
    expect(refusal).toBeUndefined();
    expect(measures!.voc).toBeGreaterThan(0.6);
    expect(measures!.auc).toBeGreaterThan(0.9);
    const entry = rewardEntry(parseProposal(written('peg_insertion'), 'program') as Proposal);
    const { reward } = await loadTask('peg_insertion', [`reward=[${JSON.stringify(entry)}]`]);
    expect(reward!.entries).toMatchObject([{ method: { kind: 'potential' }, invariant: true }]);
  });

  it.each([
    ['a constant', '0.5', /is 0\.5 in all states/],
    ['a wrong sign', 'clamp(norm(error) / 1 m, 0, 1)', /falls while the task advances.*turn its sign/],
    ['what has nothing to do with success', '0.5 + 0.5 * tanh(step / 50)', /does not tell success/],
    ['what hardly moves with the task', '0.5 + 0.4 * sin(time / 0.01 s)', /hardly rises|falls/],
    ['no bounds', '-norm(error) / 1 m', /goes from .* expected 0 to 1/],
    ['a division by 0', '1 / (lateral - lateral) * 1 m', /is (Infinity|NaN) in some states/],
    ['a length', 'clamp(0.3 m - norm(error), 0 m, 1 m)', /is in m, a potential has no unit/],
    ['a length plus an angle', 'clamp(lateral + turn, 0, 1)', /cannot add m and rad/],
    ['a vector', 'error / 1 m', /has to be one number, it has 3 numbers/],
    ['an unknown name', '1 - tanh(laterl / 0.1 m)', /unknown name "laterl".*nearest is "lateral"/],
    ['an unknown function', 'sigmoid(lateral)', /unknown function "sigmoid"/],
    ['host code', 'process.exit(1)', /unknown name|expected/],
    ['a cycle', 'proposed', /without a cycle/],
  ])('refuses %s', async (_, text, why) => {
    expect((await potential(text)).refusal).toMatch(why);
  });

  it('refuses a part that hides a signal of the task', async () => {
    const { refusal } = await verdictOn('parts: {lateral: "0"}\npotential: "1 - tanh(lateral)"');
    expect(refusal).toMatch(/has a signal lateral already/);
  });
});

describe('the gate of factors', () => {
  it('takes some of which one tells success from failure, whatever its sign', async () => {
    const { refusal, measures } = await verdictOn(
      'factors: ["norm(error) / 0.1 m", "time / 1 s"]',
      'factors',
    );
    expect(refusal).toBeUndefined();
    expect(measures!.auc).toBeGreaterThan(0.7);
  });

  it.each([
    ['factors: ["1"]', /in all states/],
    ['factors: ["1 / (lateral - lateral) * 1 m"]', /some states/],
    ['factors: ["1e6 * lateral / 1 m"]', /expected -1000 to 1000/],
  ])('refuses %s', async (text, why) => {
    expect((await verdictOn(text, 'factors')).refusal).toMatch(why);
  });
});

describe('the gate of subgoals', () => {
  it('takes those that demonstrations reach in their order', async () => {
    const { refusal, measures } = await verdictOn(written('peg_insertion_subgoals'), 'subgoals');
    expect(refusal).toBeUndefined();
    expect(measures!.auc).toBeGreaterThan(0.9);
  });

  it('can be observed: how many hold now, one after the other', async () => {
    const proposal = parseProposal(written('peg_insertion_subgoals'), 'subgoals') as Proposal;
    const observed = subgoalObservation(proposal);
    const override = `observation=${JSON.stringify([...task.spec.observation, observed])}`;
    const watched = await loadTask('peg_insertion', [override]);
    expect(watched.program.observationNames.at(-1)).toMatchObject({ name: 'subgoal', length: 1, unit: '1' });
    const env = await makeEnv(watched, { environments: 8, seed: 1, threads: 1 });
    const expert = new Expert(watched, env, 1);
    const seen = new Set<number>();
    for (let step = 0; step < watched.horizon; step++) {
      expert.act(env.action);
      env.step();
      for (let row = 1; row <= env.B; row++) seen.add(Math.round(3 * env.observation[row * env.O - 1]!));
    }
    env.close();
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });

  it.each([
    [
      'another order',
      ['error.z > 12 mm', 'error.z < -5 mm'],
      /subgoal 2 is reached behind the ones before it in/,
    ],
    ['one that holds from the start', ['not entered', 'entered'], /subgoal 1 holds from the start in 100 %/],
    ['one that always holds', ['time >= 0', 'entered'], /is 1 in all states/],
    ['the same twice', ['entered', 'entered'], /subgoals 1 and 2 are always reached at once/],
    ['what anything reaches', ['step > 2', 'step > 4'], /random actions without success reach all subgoals/],
    ['no condition', ['lateral', 'entered'], /expected a condition/],
  ])('refuses %s', async (_, subgoals, why) => {
    expect((await verdictOn(JSON.stringify({ subgoals }), 'subgoals')).refusal).toMatch(why);
  });
});

describe('rounds of proposals', () => {
  it('tell each proposal what came of those before, and keep the best', async () => {
    const answers = [
      'I would rather not.',
      'potential: "lateral"',
      written('peg_insertion'),
      'potential: "0.5"',
    ];
    const prompts: string[] = [];
    const ask = async (prompt: string, round: number) => {
      prompts.push(prompt);
      return answers[round - 1]!;
    };
    const rounds = await proposeInRounds(task, { ...options, kind: 'program', rounds: 4, ask });
    expect(rounds.map(({ verdict }) => verdict.refusal === undefined)).toEqual([false, false, true, false]);
    expect(bestOf(rounds)!.round).toBe(3);
    expect(prompts[0]).toMatch(/Insert a peg[\s\S]*lateral \(m\)[\s\S]*norm/);
    expect(prompts[0]).not.toContain('An earlier answer');
    expect(prompts[1]).toContain('not of the form that was asked for');
    expect(prompts[2]).toContain('is in m, a potential has no unit');
    expect(prompts[3]).toMatch(/accepted: rank correlation[\s\S]*An episode with success[\s\S]*deep: 0, /);
  });

  it('leave nothing where nothing is accepted', async () => {
    const rounds = await proposeInRounds(task, {
      ...options,
      kind: 'program',
      rounds: 1,
      ask: async () => '',
    });
    expect(bestOf(rounds)).toBeUndefined();
  });
});
