import { parse } from 'yaml';
import { z } from 'zod';
import { textSource } from '#expr/source';
import { tokenize } from '#expr/tokens';

/** What a language model proposes as a reward: texts in the project's expression language, nothing that is run otherwise. */

export type ProposalKind = 'program' | 'factors' | 'subgoals';
export const proposalKinds = ['program', 'factors', 'subgoals'] as const satisfies readonly ProposalKind[];

export interface NamedExpression {
  readonly name: string;
  readonly text: string;
}

/** `parts` can be used by name in later parts and in the values; what counts are the values: one potential, several factors,
 * or conditions in order. */
export interface Proposal {
  readonly kind: ProposalKind;
  readonly parts: readonly NamedExpression[];
  readonly values: readonly NamedExpression[];
}

const expression = z.union([z.string().min(1).max(2000), z.number(), z.boolean()]).transform(String);
const parts = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), expression)
  .refine((record) => Object.keys(record).length <= 20, 'expected at most 20 parts')
  .default({});

const schemas = {
  program: z.strictObject({ parts, potential: expression }),
  factors: z.strictObject({ parts, factors: z.array(expression).min(1).max(12) }),
  subgoals: z.strictObject({ parts, subgoals: z.array(expression).min(2).max(12) }),
} as const;

/** The proposal in an answer: the last fenced block, or the whole text. YAML, and so JSON.
 * @returns why it cannot be read, in the place of a proposal */
export function parseProposal(text: string, kind: ProposalKind): Proposal | string {
  const blocks = [...text.matchAll(/```[a-z]*\n([\s\S]*?)```/g)].map(([, inside]) => inside!);
  let raw: unknown;
  try {
    raw = parse(blocks.at(-1) ?? text, { maxAliasCount: 0 });
  } catch (error) {
    return `not readable as YAML: ${(error as Error).message.split('\n')[0]}`;
  }
  const parsed = schemas[kind].safeParse(raw);
  if (!parsed.success) return `not of the form that was asked for: ${z.prettifyError(parsed.error)}`;
  const { data } = parsed;
  const values =
    'potential' in data
      ? [{ name: 'proposed', text: data.potential }]
      : ('factors' in data ? data.factors : data.subgoals).map((value, i) => ({
          name: `proposed_${i + 1}`,
          text: value,
        }));
  return { kind, parts: Object.entries(data.parts).map(([name, value]) => ({ name, text: value })), values };
}

/** The values without names of parts: each name stands for its text, in brackets. @throws EXPRESSION for a foreign character */
export function inlined({ parts: named, values }: Proposal): string[] {
  const known = new Map<string, string>();
  for (const { name, text } of named) known.set(name, replaceNames(text, known));
  return values.map(({ text }) => replaceNames(text, known));
}

function replaceNames(text: string, known: ReadonlyMap<string, string>): string {
  const tokens = tokenize(textSource(text));
  let result = '';
  let at = 0;
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'name' || token.quoted) continue;
    const replacement = known.get(token.text);
    const [before, after] = [tokens[i - 1], tokens[i + 1]];
    const isMember = before?.kind === 'symbol' && before.text === '.';
    const isCall = after?.kind === 'symbol' && after.text === '(';
    if (replacement === undefined || isMember || isCall) continue;
    result += `${text.slice(at, token.start)}(${replacement})`;
    at = token.end;
  }
  return result + text.slice(at);
}

/** The entry of a task file's `reward` that the proposal is. */
export function rewardEntry(proposal: Proposal): Readonly<Record<string, unknown>> {
  const values = inlined(proposal);
  switch (proposal.kind) {
    case 'program':
      return { potential: values[0] };
    case 'factors':
      return { factors: values };
    case 'subgoals':
      return { stages: values };
    default:
      return proposal.kind satisfies never;
  }
}

/** An observation that tells the policy which subgoal is next: the share of the subgoals that hold now, up to the first that
 * does not. Without memory: it falls back when a subgoal is lost.
 * @source Ruiz-Gonzalez 2024 (Words as Beacons), arXiv:2410.08632: the policy sees its subgoal; differs: as one number */
export function subgoalObservation(proposal: Proposal): { readonly name: string; readonly value: string } {
  const conditions = inlined(proposal);
  const K = conditions.length;
  const value = conditions.reduceRight(
    (behind, condition, k) => `if(${condition}, ${behind}, ${k} / ${K})`,
    '1',
  );
  return { name: 'subgoal', value };
}
