import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { edit, taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
beforeEach(() => space.write('tasks/put.yaml', taskYaml));
afterAll(() => space.remove());

/** The task with other entries under `reward`. */
function withReward(...entries: string[]): string {
  const text = taskYaml.replace(/reward:\n[\s\S]*?expert:/, () => {
    return `reward:\n${entries.map((entry) => `  - ${entry}\n`).join('')}expert:`;
  });
  space.write('tasks/put.yaml', text);
  return text;
}

describe('aids under `reward`', () => {
  it('are looked at through signals of their own, and leave the task as it is', async () => {
    space.write('tasks/put.yaml', edit(taskYaml, /reward:\n[\s\S]*?expert/.exec(taskYaml)![0], 'expert'));
    const sparse = await space.load();
    withReward(
      '{potential: 1 - lateral / 10 cm, weight: 0.5}',
      '{stages: [lateral < 0.01, success], gate: success}',
      '{name: spread, coverage: error, cell: 0.02, cap: 0.3, gate: lateral < 0.05}',
      '{factor: "if(lateral > 0.2, 0.5, 1)"}',
      '{factors: [lateral, "1"]}',
    );
    const { hash, reward, program } = await space.load();
    expect(hash).toBe(sparse.hash);
    expect(program.groups.reward.length).toBe(0);
    const names = program.signalNames.slice(2).map(({ name }) => name);
    expect(names).toEqual([
      ...['reward.potential', 'reward.stages.1', 'reward.stages.2', 'reward.spread', 'reward.spread.gate'],
      ...['reward.factor', 'reward.factors.1', 'reward.factors.2'],
    ]);
    const entries = [
      { name: 'potential', weight: 0.5, offset: 4, length: 1, invariant: true, cap: 0.9 },
      { name: 'stages', offset: 5, length: 2, gate: 'success', invariant: false },
      { name: 'spread', offset: 7, length: 3, cap: 0.3, gate: 10, method: { kind: 'coverage', cell: 0.02 } },
      { name: 'factors', offset: 12, length: 2, cap: undefined, method: { kind: 'attribution', ridge: 1 } },
    ];
    expect(reward).toMatchObject({ entries, factors: [11] });
  });

  it('may stand beside terms, which belong to the task', async () => {
    withReward('{term: -lateral}');
    const plain = await space.load();
    expect(plain.reward).toBeUndefined();
    withReward('{potential: ["1", "lateral"], veto: 0.1}', '{term: -lateral}');
    const aided = await space.load();
    expect(aided.hash).toBe(plain.hash);
    expect(aided.program.groups.reward.length).toBe(1);
    expect(aided.reward!.entries[0]).toMatchObject({ length: 2, method: { kind: 'potential', veto: 0.1 } });
  });

  it.each([
    [['{stages: [lateral]}'], /put\.yaml:21:15: expected a condition \(true or false\)/],
    [['{potential: error}'], /put\.yaml:21:17: expected a number or a condition/],
    [['{factor: lateral}'], /reward: a factor scales what other entries add/],
    [['{bonus: lateral}', '{bonus: error.z}'], /reward\[1\]: there are two entries called bonus/],
    [['{coverage: lateral}'], /reward\[0\]\.cell: missing key/],
    [['{bonus: lateral, cap: -1}'], /reward\[0\]\.cap/],
  ])('%s is one message with its place', async (entries, expected) => {
    withReward(...entries);
    expect(await space.mistake()).toMatch(expected);
  });
});
