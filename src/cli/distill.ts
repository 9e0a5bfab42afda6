import { Command } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface DistillFlags {
  readonly out?: string;
  readonly task?: string;
  readonly threads?: number;
  readonly force?: boolean;
}

export function distillCommand(context: CliContext): Command {
  return new Command('distill')
    .description('one small network that does what base and residual do, learned from them and the reward')
    .argument('<what>', 'a run folder or a bundle (.vrn): the teacher')
    .option('--out <file>', 'where to (default: student.vrn in the run folder, or beside the bundle)')
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--threads <n>', 'stepping threads (default: the CPUs)', wholeNumber)
    .option('--force', 'replace a file that is there')
    .addHelpText(
      'after',
      `
The student is a bundle as any other: eval, play, export, serve and ros2 take it.

Examples:
  $ vernier distill runs/demo
  $ vernier distill runs/demo --out small.vrn --distill.hidden=[32,32] --distill.steps=120000
  $ vernier eval small.vrn
`,
    )
    .action(async (what: string, flags: DistillFlags) => {
      const { distillFromCommandLine } = await import('#cli/distillSession');
      context.setExitCode(await distillFromCommandLine(what, flags, context));
    });
}
