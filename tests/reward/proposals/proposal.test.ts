import { describe, expect, it } from 'vitest';
import { inlined, type Proposal, parseProposal, rewardEntry } from '#reward/proposals/proposal';

const good = 'parts:\n  near: "1 - x"\n  nearer: "near ^ 2"\npotential: "0.5 * near + 0.5 * nearer"\n';

describe('a proposal in an answer', () => {
  it.each([
    ['bare', good],
    ['fenced', `Here it is:\n\`\`\`yaml\n${good}\`\`\`\nIt should work.`],
    ['the last of two blocks', `\`\`\`yaml\npotential: "0"\n\`\`\`\nBetter:\n\`\`\`\n${good}\`\`\``],
    [
      'as JSON',
      '{"parts": {"near": "1 - x", "nearer": "near ^ 2"}, "potential": "0.5 * near + 0.5 * nearer"}',
    ],
  ])('%s', (_, text) => {
    expect(parseProposal(text, 'program')).toEqual({
      kind: 'program',
      parts: [
        { name: 'near', text: '1 - x' },
        { name: 'nearer', text: 'near ^ 2' },
      ],
      values: [{ name: 'proposed', text: '0.5 * near + 0.5 * nearer' }],
    });
  });

  it.each([
    ['prose', 'I am sorry, I cannot do that.', /not of the form/],
    ['broken YAML', '```yaml\nparts: {a: "1"\npotential: "a"\n```', /not readable as YAML/],
    ['host code', '```python\nimport os\ndef reward(x):\n  return 1\n```', /not/],
    ['another kind', 'subgoals: ["a", "b"]', /potential/],
    ['a part that is no name', 'parts: {"a b": "1"}\npotential: "1"', /parts/],
    ['an endless expression', `potential: "${'1 + '.repeat(2000)}1"`, /potential/],
    ['references without end', 'a: &a [x, x]\nb: &b [*a, *a]\npotential: *b', /not/],
  ])('not: %s', (_, text, why) => {
    expect(parseProposal(text, 'program')).toMatch(why);
  });

  it('is written without the names of its parts', () => {
    const proposal = parseProposal(good, 'program') as Proposal;
    expect(inlined(proposal)).toEqual(['0.5 * (1 - x) + 0.5 * ((1 - x) ^ 2)']);
    expect(rewardEntry(proposal)).toEqual({ potential: '0.5 * (1 - x) + 0.5 * ((1 - x) ^ 2)' });
  });

  it('keeps members, functions and quoted names that are called like a part', () => {
    const parts = [
      { name: 'near', text: 'a.near' },
      { name: 'norm', text: '1' },
    ];
    const values = [{ name: 'proposed', text: "near + b.near + norm(v) + 'near'.x" }];
    expect(inlined({ kind: 'program', parts, values })).toEqual(["(a.near) + b.near + norm(v) + 'near'.x"]);
  });

  it('of factors and of subgoals becomes the entry that takes them', () => {
    const factors = parseProposal('factors: [x, 2]', 'factors') as Proposal;
    expect(rewardEntry(factors)).toEqual({ factors: ['x', '2'] });
    const subgoals = parseProposal('parts: {p: a < 1}\nsubgoals: [p, p and b]', 'subgoals') as Proposal;
    expect(rewardEntry(subgoals)).toEqual({ stages: ['(a < 1)', '(a < 1) and b'] });
  });
});
