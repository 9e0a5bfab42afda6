import { Command } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface DemosFlags {
  readonly out?: string;
  readonly episodes?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly force?: boolean;
}

export function demosCommand(context: CliContext): Command {
  return new Command('demos')
    .description("record demonstrations with the task's expert")
    .argument('<task>', 'a task name or file')
    .option('--out <file>', 'where to (default: demos/<task>.vrn)')
    .option('--episodes <n>', 'episodes to keep (default: demos.episodes of the task)', wholeNumber)
    .option('--seed <n>', 'seed of the starts (default: demos.seed)', wholeNumber)
    .option('--threads <n>', 'stepping threads (default: the CPUs)', wholeNumber)
    .option('--force', 'replace a file that is there')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier demos lift --episodes 50
  $ vernier train lift --demos.file=demos/lift.vrn
  $ vernier inspect demos/lift.vrn
`,
    )
    .action(async (what: string, flags: DemosFlags) => {
      const { recordFromCommandLine } = await import('#cli/demosSession');
      context.setExitCode(await recordFromCommandLine(what, flags, context));
    });
}
