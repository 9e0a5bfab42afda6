import { Command, Option } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';
import { type ProposalKind, proposalKinds } from '#reward/proposals/proposal';

export interface ProposeFlags {
  readonly endpoint?: string;
  readonly model?: string;
  readonly keyVariable?: string;
  readonly from?: string;
  readonly kind: ProposalKind;
  readonly rounds: number;
  readonly episodes: number;
  readonly seed: number;
  readonly threads?: number;
  readonly observe?: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

export function proposeCommand(context: CliContext): Command {
  return new Command('propose')
    .description('let a language model write a reward, and try it before it may be used')
    .argument('<task>', 'a task name or file')
    .option('--endpoint <url>', 'an OpenAI-compatible server, such as http://localhost:8000/v1')
    .option('--model <name>', 'the model, as the server lists it')
    .option('--key-variable <name>', 'environment variable that holds the API key')
    .option('--from <file>', 'try a proposal that is written already, in the place of a model')
    .addOption(
      new Option('--kind <kind>', 'a potential, factors of the return, or conditions in order')
        .choices(proposalKinds)
        .default('program'),
    )
    .option('--rounds <n>', 'proposals, each told what came of those before', wholeNumber, 4)
    .option(
      '--episodes <n>',
      'episodes of the expert, of a disturbed one, and of random actions',
      wholeNumber,
      16,
    )
    .option('--seed <n>', 'seed of the episodes and the model', wholeNumber, 1)
    .option('--threads <n>', 'stepping threads (default: the CPUs)', wholeNumber)
    .option('--observe', 'with --kind subgoals: also an observation of which subgoal is next')
    .option('--out <file>', 'also write the entry into a YAML file')
    .option('--force', 'replace a file that is there')
    .addHelpText(
      'after',
      `
A proposal is an expression of the task language, never code: it is parsed, checked for units, compiled, and refused unless it
is finite, bounded and the same when run again, rises in episodes with success and tells success from failure.

Examples:
  $ vernier propose peg_insertion --endpoint http://localhost:11434/v1 --model qwen3
  $ vernier propose peg_insertion --endpoint https://api.example.com/v1 --model m --key-variable MODEL_KEY
  $ vernier propose nut_assembly --kind subgoals --observe --endpoint http://localhost:8000/v1 --model m
  $ vernier propose peg_insertion --from bench/programs/peg_insertion.yaml
`,
    )
    .action(async (what: string, flags: ProposeFlags) => {
      const { proposeFromCommandLine } = await import('#cli/proposeSession');
      context.setExitCode(await proposeFromCommandLine(what, flags, context));
    });
}
