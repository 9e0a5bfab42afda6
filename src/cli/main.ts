import { Command } from 'commander';
import { benchCommand } from '#cli/bench';
import type { CliContext } from '#cli/context';
import { demosCommand } from '#cli/demos';
import { distillCommand } from '#cli/distill';
import { doctorCommand } from '#cli/doctor';
import { evalCommand } from '#cli/eval';
import { exportCommand } from '#cli/export';
import { describeFailure, EXIT } from '#cli/failure';
import { inspectCommand } from '#cli/inspect';
import { splitOverrides } from '#cli/overrides';
import { playCommand } from '#cli/play';
import { proposeCommand } from '#cli/propose';
import { ros2Command } from '#cli/ros2';
import { schemaCommand } from '#cli/schema';
import { scoreCommand } from '#cli/score';
import { serveCommand } from '#cli/serve';
import { simRobotCommand } from '#cli/simRobot';
import { stlCommand } from '#cli/stl';
import { trainCommand } from '#cli/train';
import { packageVersion } from '#cli/version';
import { VernierError } from '#core/errors';

/** In the order of the help. */
const COMMANDS = [
  trainCommand,
  evalCommand,
  playCommand,
  scoreCommand,
  demosCommand,
  inspectCommand,
  distillCommand,
  exportCommand,
  serveCommand,
  ros2Command,
  simRobotCommand,
  benchCommand,
  stlCommand,
  proposeCommand,
  schemaCommand,
  doctorCommand,
];

/** Commands that read a task file, and so take `--residual.scale=0.2` and the like. */
const TAKES_OVERRIDES = new Set([
  'train',
  'eval',
  'demos',
  'play',
  'score',
  'inspect',
  'distill',
  'export',
  'serve',
  'ros2',
  'sim-robot',
  'propose',
]);

/** What every command does with a mistake on the command line: throw, and point at --help. */
function strict(command: Command): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for options and examples)');
}

function program(context: CliContext): Command {
  const root = strict(new Command('vernier'))
    .description('Train a residual on top of a cloned policy, from one task file.')
    .version(packageVersion(), '-v, --version')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Any task command takes dotted overrides of the task file: --residual.scale=0.2, --set horizon=80.

Start here:
  $ vernier doctor                what this machine has and lacks
  $ vernier train peg_insertion   from the task file to a policy, in minutes
`,
    )
    .hook('preAction', (_, command) => {
      if (context.overrides.length === 0 || TAKES_OVERRIDES.has(command.name())) return;
      const flag = `--${context.overrides[0]!.split('=')[0]}`;
      throw new VernierError(
        'USAGE',
        `vernier ${command.name()} reads no task file, so ${flag} means nothing to it`,
      );
    });
  for (const build of COMMANDS) {
    root.addCommand(strict(build(context)));
  }
  return root;
}

/** Runs one command line and resolves to the process's exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  // `vernier doctor | head -1` closes the pipe early: no reader, nothing left to say.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.interrupted);
    throw error;
  });
  try {
    const { rest, overrides } = splitOverrides(argv);
    const context: CliContext = {
      overrides,
      out: (line) => process.stdout.write(`${line}\n`),
      setExitCode: (code) => {
        exitCode = code;
      },
    };
    const root = program(context);
    await root.parseAsync(rest.length === 0 ? ['--help'] : rest, { from: 'user' });
    return exitCode;
  } catch (error) {
    const failure = describeFailure(error, process.env.VERNIER_DEBUG === '1');
    if (failure.text) process.stderr.write(`${failure.text}\n`);
    return failure.exit;
  }
}
