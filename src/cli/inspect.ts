import { Command } from 'commander';
import type { CliContext } from '#cli/context';

export function inspectCommand(context: CliContext): Command {
  return new Command('inspect')
    .description('what a task, a run, demonstrations, a checkpoint or a bundle holds')
    .argument('<what>', 'a task name or file, a run folder, or a .vrn file')
    .option('--config', 'the whole resolved configuration, as YAML')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier inspect peg_insertion
  $ vernier inspect peg_insertion --residual.preset=resfit --config
`,
    )
    .action(async (what: string, options: { config?: boolean }) => {
      const { loadTask } = await import('#spec/task');
      const task = await loadTask(what, context.overrides);
      if (options.config) {
        const { stringify } = await import('yaml');
        context.out(stringify(task.spec).trimEnd());
        return;
      }
      const { describeTask } = await import('#cli/describeTask');
      for (const line of describeTask(task)) context.out(line);
    });
}
