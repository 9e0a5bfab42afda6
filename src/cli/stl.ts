import { Command, InvalidArgumentError, Option } from 'commander';
import { type PolicyName, policyOption, wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';
import type { Interpolation } from '#stl/piecewise';

export interface StlCheckFlags {
  readonly period?: number;
  readonly dense?: boolean;
  readonly json?: boolean;
}

export interface StlTraceFlags extends StlCheckFlags {
  readonly until?: 'closed' | 'halfopen';
  readonly end?: 'vacuous' | 'pessimistic' | 'undefined';
  readonly interpolation: Interpolation;
  readonly episode: number;
  readonly out: string;
}

export interface StlRunFlags {
  readonly policy?: PolicyName;
  readonly task?: string;
  readonly episode: number;
  readonly seed?: number;
  readonly out?: string;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for options and examples)')
    .argument('<formula>', 'a formula, or a file that holds one (.stl)')
    .option('--period <s>', 'seconds of a control step, for durations such as 3 s', positiveNumber)
    .option('--dense', 'dense time: intervals in seconds, signals with stamps of their own');
}

function traceCommand(name: string, description: string): Command {
  return subcommand(name, description)
    .argument('<trace>', 'a CSV file with a line of names, recorded episodes (.vrn), or an MCAP file')
    .addOption(
      new Option('--until <how>', 'whether the left side of until holds to the end').choices([
        'halfopen',
        'closed',
      ]),
    )
    .addOption(
      new Option('--end <how>', 'what a window asks of samples behind the last').choices([
        'vacuous',
        'pessimistic',
        'undefined',
      ]),
    )
    .addOption(
      new Option('--interpolation <how>', 'dense time: between samples')
        .choices(['linear', 'previous'])
        .default('linear'),
    )
    .option('--episode <n>', 'which episode of a file of episodes', wholeNumber, 0);
}

export function stlCommand(context: CliContext): Command {
  const check = subcommand(
    'check',
    'read a formula: its canonical form, how far it looks, what tools disagree on',
  )
    .option('--json', 'one JSON object instead of text')
    .action(async (formula: string, flags: StlCheckFlags) => {
      const { checkFormula } = await import('#cli/stlSession');
      checkFormula(formula, flags, context);
    });
  const evaluate = traceCommand('eval', 'verdict, robustness of every part over time, and what decided it')
    .option('--json', 'one JSON object instead of text, with every value')
    .action(async (formula: string, trace: string, flags: StlTraceFlags) => {
      const { evaluateFormula } = await import('#cli/stlSession');
      evaluateFormula(formula, trace, flags, context);
    });
  const plot = traceCommand('plot', 'robustness of every part over time, as an SVG')
    .option('--out <file>', 'the picture', 'robustness.svg')
    .action(async (formula: string, trace: string, flags: StlTraceFlags) => {
      const { plotFormula } = await import('#cli/stlSession');
      await plotFormula(formula, trace, flags, context);
    });
  const run = new Command('run')
    .description('one episode of a task under its own specification and guards')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for options and examples)')
    .argument('<what>', 'a run folder, a bundle (.vrn), or a task')
    .addOption(policyOption())
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--episode <n>', 'which one', wholeNumber, 0)
    .option('--seed <n>', 'seed of the starts (default: evaluation.seed)', wholeNumber)
    .option('--out <file>', 'a picture of the robustness over time, as an SVG')
    .action(async (what: string, flags: StlRunFlags) => {
      const { runFormula } = await import('#cli/stlRun');
      await runFormula(what, flags, context);
    });
  return new Command('stl')
    .description(
      'formulas of signal temporal logic: check them, evaluate and plot them on recorded signals and episodes',
    )
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Examples:
  $ vernier stl check 'G (gap < 4 mm -> F[0, 2 s] force > 1 N)' --period 0.05
  $ vernier stl eval 'F[0,40] G[0,5] gap < 0.004' trace.csv
  $ vernier stl plot spec.stl demos.vrn --episode 3 --out spec.svg
  $ vernier stl run runs/reach_hold --out episode.svg
`,
    )
    .addCommand(check)
    .addCommand(evaluate)
    .addCommand(plot)
    .addCommand(run);
}
