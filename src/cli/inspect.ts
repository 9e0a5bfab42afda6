import { Command } from 'commander';
import type { CliContext } from '#cli/context';

export function inspectCommand(context: CliContext): Command {
  return new Command('inspect')
    .description('what a task, a run, demonstrations, a checkpoint or a bundle holds')
    .argument('<what>', 'a task name or file, a run folder, or a .vrn file')
    .option('--config', 'a task or run: the whole resolved configuration, as YAML')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier inspect peg_insertion
  $ vernier inspect peg_insertion --residual.preset=resfit --config
  $ vernier inspect runs/demo
  $ vernier inspect runs/demo/policy.vrn
`,
    )
    .action(async (what: string, { config = false }: { config?: boolean }) => {
      const { describe } = await import('#cli/describe');
      for (const line of await describe(what, context.overrides, config)) context.out(line);
    });
}
