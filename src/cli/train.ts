import { Command } from 'commander';
import { videoOption, wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface TrainFlags {
  readonly out?: string;
  readonly seed?: number;
  readonly threads?: number;
  readonly video?: string | true;
}

export function trainCommand(context: CliContext): Command {
  return new Command('train')
    .description('demonstrations, a cloned base, a residual on top of it, and the comparison of the two')
    .argument('<task>', 'a task name or file, or the folder of a run to go on with')
    .option(
      '--out <folder>',
      'the run folder; one that holds a run is gone on with (default: runs/<task>-<time>)',
    )
    .option('--seed <n>', 'seed of base and residual', wholeNumber)
    .option('--threads <n>', 'stepping threads (default: the CPUs)', wholeNumber)
    .addOption(videoOption('a film of base and policy side by side at the end, in the run folder'))
    .addHelpText(
      'after',
      `
Ctrl-C saves a checkpoint and ends; the same command with the run's folder goes on from there.

Examples:
  $ vernier train peg_insertion
  $ vernier train lift --video
  $ vernier train tasks/lift.yaml --out runs/lift --residual.scale=0.2 --demos.episodes=40
  $ vernier train runs/lift                          go on where it stopped
  $ vernier train runs/lift --residual.steps=60000   and farther than planned
`,
    )
    .action(async (what: string, options: TrainFlags) => {
      const { trainFromCommandLine } = await import('#cli/trainSession');
      context.setExitCode(await trainFromCommandLine(what, options, context));
    });
}
