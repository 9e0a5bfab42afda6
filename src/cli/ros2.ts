import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface Ros2Flags {
  readonly robot?: string;
  readonly config?: string;
  readonly task?: string;
  readonly managed?: boolean;
  readonly episodes?: number;
  readonly reset?: string;
  readonly record?: string;
  readonly residualScale?: number;
  readonly pace?: number;
  readonly domain?: number;
  readonly dryRun?: string;
  readonly json?: boolean;
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('Expected a number from 0 to 1.');
  return value;
}

export function ros2Command(context: CliContext): Command {
  return new Command('ros2')
    .description('run a policy on a robot of ROS 2, as a lifecycle node with a safety filter')
    .argument('<what>', 'a run folder or a bundle (.vrn)')
    .option('--robot <name>', 'the robot that is there: refused where the policy is for another one')
    .option('--config <file>', 'deployment file: topics, limits, where poses come from')
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--managed', 'wait for an orchestrator to configure and activate the node')
    .option('--episodes <n>', 'episodes in a row (default: episode.count, 1)', wholeNumber)
    .option('--reset <service>', 'std_srvs/Trigger service that sets the scene up before each episode')
    .option('--record <file>', 'MCAP file of all messages that come and go')
    .option('--pace <share>', 'a policy step takes period / pace (default: the deployment file, 1)', share)
    .option('--residual-scale <share>', "of the residual, 0 is the base alone (default: the bundle's)", share)
    .option('--domain <n>', 'DDS domain (default: ROS_DOMAIN_ID, or 0)', wholeNumber)
    .option('--dry-run <bag>', 'replay an MCAP file instead: what would be commanded, without any robot')
    .option('--json', 'results, or the ticks of a dry run, as JSON lines')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier sim-robot panda --task peg_insertion &
  $ vernier ros2 runs/peg --robot panda --episodes 10 --reset /sim_robot/reset
  $ vernier ros2 runs/peg --robot panda --config deploy.yaml --managed
  $ vernier ros2 runs/peg --dry-run last-shift.mcap
`,
    )
    .action(async (what: string, flags: Ros2Flags) => {
      const { ros2FromCommandLine } = await import('#cli/ros2Session');
      await ros2FromCommandLine(what, flags, context);
    });
}
