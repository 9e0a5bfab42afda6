import { Command } from 'commander';
import { type PolicyName, policyOption, videoOption, wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface EvalFlags {
  readonly policy?: PolicyName;
  readonly task?: string;
  readonly episodes?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly json?: boolean;
  readonly video?: string | true;
}

export function evalCommand(context: CliContext): Command {
  return new Command('eval')
    .description(
      'success of a policy over many episodes, with its interval; base and residual are compared in pairs',
    )
    .argument('<what>', 'a run folder, a bundle (.vrn), or a task')
    .addOption(policyOption('one policy alone; without it, base and policy on the same starts'))
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--episodes <n>', 'episodes (default: evaluation.episodes of the task)', wholeNumber)
    .option('--seed <n>', 'seed of the starts (default: evaluation.seed)', wholeNumber)
    .option('--threads <n>', 'stepping threads (default: the CPUs)', wholeNumber)
    .option('--json', 'one JSON object instead of text')
    .addOption(videoOption('a film of the first starts, what is compared side by side'))
    .addHelpText(
      'after',
      `
Examples:
  $ vernier eval runs/demo
  $ vernier eval runs/demo/policy.vrn --episodes 1000 --seed 7
  $ vernier eval peg_insertion --policy expert
`,
    )
    .action(async (what: string, flags: EvalFlags) => {
      const { evaluateFromCommandLine } = await import('#cli/evalSession');
      await evaluateFromCommandLine(what, flags, context);
    });
}
