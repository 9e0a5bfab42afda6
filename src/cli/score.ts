import { Command } from 'commander';
import { type PolicyName, policiesOption, wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface ScoreFlags {
  readonly score?: string;
  readonly policy?: readonly PolicyName[];
  readonly task?: string;
  readonly episodes: number;
  readonly seed?: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function scoreCommand(context: CliContext): Command {
  return new Command('score')
    .description(
      'what the judges of pictures under `scores` are worth: rollouts drawn and scored, whether scores rise in time and tell success',
    )
    .argument('<what>', 'a run folder, a bundle (.vrn), or a task')
    .option('--score <name>', 'one score alone (default: all of the task)')
    .addOption(policiesOption('who acts (default: expert and base, or expert and random for a task)'))
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--episodes <n>', 'of each policy', wholeNumber, 10)
    .option('--seed <n>', 'seed of the starts (default: evaluation.seed)', wholeNumber)
    .option('--out <folder>', 'where pictures go (default: scores in the run folder, or scores/<task>)')
    .option('--json', 'one JSON object instead of text')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier score runs/demo
  $ vernier score task.yaml --score progress --policy expert random --episodes 20
`,
    )
    .action(async (what: string, flags: ScoreFlags) => {
      const { scoreFromCommandLine } = await import('#cli/scoreSession');
      await scoreFromCommandLine(what, flags, context);
    });
}
