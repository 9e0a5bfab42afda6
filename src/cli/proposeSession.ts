import { existsSync } from 'node:fs';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { CliContext } from '#cli/context';
import type { ProposeFlags } from '#cli/propose';
import { readFileBytes, writeFileAtomic } from '#core/container';
import { VernierError } from '#core/errors';
import { defaultThreads } from '#native/backend';
import { ChatClient } from '#reward/backends/chatClient';
import { systemText } from '#reward/proposals/prompt';
import { rewardEntry, subgoalObservation } from '#reward/proposals/proposal';
import { bestOf, describeVerdict, proposeInRounds, type Round } from '#reward/proposals/rounds';
import { chatEndpointSchema } from '#spec/scores/chatEndpointSchema';
import { loadTask } from '#spec/task';
import type { TaskSpec } from '#spec/taskSchema';

/** Exit code where no proposal was accepted. */
const NONE = 2;

type Ask = (prompt: string, round: number) => Promise<string>;

/** Resolves to the exit code. */
export async function proposeFromCommandLine(
  what: string,
  flags: ProposeFlags,
  context: CliContext,
): Promise<number> {
  const { out, kind, episodes, seed } = flags;
  if (out !== undefined && existsSync(out) && !flags.force) {
    throw new VernierError('USAGE', `${out} is there already`, {
      hint: 'choose another file with --out, or replace it with --force',
    });
  }
  if (flags.observe && kind !== 'subgoals')
    throw new VernierError('USAGE', '--observe goes with --kind subgoals');
  const task = await loadTask(what, context.overrides);
  const { ask, rounds, close } = proposer(flags);
  try {
    const all = await proposeInRounds(task, {
      kind,
      rounds,
      episodes,
      seed,
      threads: flags.threads ?? defaultThreads(),
      ask,
      report: ({ round, verdict }) => context.out(`round ${round}: ${describeVerdict(verdict)}`),
    });
    const best = bestOf(all);
    if (!best) {
      context.out('no proposal was accepted');
      return NONE;
    }
    const text = entryText(task.spec, best, flags.observe ?? false);
    context.out(`\n${text}`);
    if (out !== undefined) writeFileAtomic(out, new TextEncoder().encode(text));
    return 0;
  } finally {
    close();
  }
}

function proposer(flags: ProposeFlags): {
  readonly ask: Ask;
  readonly rounds: number;
  readonly close: () => void;
} {
  const { endpoint, model, from, keyVariable, rounds, seed } = flags;
  if (from !== undefined) {
    const text = new TextDecoder().decode(readFileBytes(from));
    return { ask: async () => text, rounds: 1, close: () => {} };
  }
  if (endpoint === undefined || model === undefined) {
    throw new VernierError('USAGE', 'a proposal needs somebody who makes it', {
      hint: 'name a server and its model with --endpoint and --model, or a written proposal with --from',
    });
  }
  const key = keyVariable === undefined ? {} : { key_variable: keyVariable };
  const parsed = chatEndpointSchema.safeParse({ endpoint, model, timeout: 300, ...key });
  if (!parsed.success) throw new VernierError('USAGE', z.prettifyError(parsed.error));
  const client = new ChatClient(parsed.data);
  const ask: Ask = async (prompt, round) => {
    const parts = [{ text: prompt }];
    const question = { system: systemText, parts, maxTokens: 1500, temperature: 0.8, seed: seed + round };
    return (await client.ask(question)).text;
  };
  return { ask, rounds, close: () => client.close() };
}

function entryText(
  { name, observation }: TaskSpec,
  { round, proposal, verdict }: Round,
  observe: boolean,
): string {
  const seen = observe ? { observation: [...observation, subgoalObservation(proposal!)] } : {};
  const entry = stringify({ ...seen, reward: [rewardEntry(proposal!)] }, { lineWidth: 110 });
  return `# Proposed for ${name} in round ${round}; ${describeVerdict(verdict)}\n${entry}`;
}
