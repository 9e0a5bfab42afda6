import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface SimRobotFlags {
  readonly task?: string;
  readonly scene?: string;
  readonly seed?: number;
  readonly environment: number;
  readonly episode: number;
  readonly rate: number;
  readonly domain?: number;
  readonly name: string;
  readonly pace: number;
  readonly cmdTimeout: number;
  readonly fromMeasured?: boolean;
  readonly for?: number;
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError('Expected seconds, 0 or more.');
  }
  return value;
}

function rate(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 1000)) throw new InvalidArgumentError('Expected 1 to 1000 per second.');
  return value;
}

function pace(text: string): number {
  const value = Number(text);
  if (!(value > 0.01 && value <= 1)) throw new InvalidArgumentError('Expected more than 0.01, at most 1.');
  return value;
}

function domain(text: string): number {
  const value = wholeNumber(text);
  if (value > 232) throw new InvalidArgumentError('Expected 0 to 232.');
  return value;
}

export function simRobotCommand(context: CliContext): Command {
  return new Command('sim-robot')
    .description(
      'a simulated robot behind ROS 2 topics and actions, in real time: joint states out, trajectories in',
    )
    .argument('<robot>', 'a robot of robots/, or a robot.yaml')
    .option('--task <file>', 'the task whose scene it stands in; its success condition is judged')
    .option('--scene <file>', 'a scene alone, without judgement')
    .option('--seed <n>', 'of the starts, as in training (default: evaluation.seed)', wholeNumber)
    .option('--environment <n>', "the starts' environment", wholeNumber, 0)
    .option('--episode <n>', 'the first episode; a reset goes to the next', wholeNumber, 0)
    .option('--rate <hz>', 'of joint states and poses, up to 1000', rate, 100)
    .option('--pace <share>', 'of the policy that will act: its steps take period / pace', pace, 1)
    .option('--domain <n>', 'DDS domain (default: ROS_DOMAIN_ID, or 0)', domain)
    .option('--name <node>', 'name of the node', '/sim_robot')
    .option(
      '--cmd-timeout <s>',
      'hold when no command came for so long after a trajectory; 0: never',
      seconds,
      0,
    )
    .option('--from-measured', 'new trajectories begin where the arm is, not where it should be')
    .option('--for <s>', 'end after so many seconds', seconds)
    .addHelpText(
      'after',
      `
Topics and actions are named by the robot file's \`ros\` section. With --task, an episode's clock starts with the first
trajectory that moves the arm; its outcome is a JSON line here and on ~/outcome, and ~/reset (std_srvs/Trigger) starts
the next one. std_msgs/Bool on /emergency_stop stops the arm.

Examples:
  $ vernier sim-robot panda --task peg_insertion
  $ vernier sim-robot panda --task lift --seed 7 --episode 3 --rate 500
  $ vernier sim-robot ur5e --scene table
  $ ros2 service call /sim_robot/reset std_srvs/srv/Trigger
`,
    )
    .action(async (robot: string, flags: SimRobotFlags) => {
      const { simRobotFromCommandLine } = await import('#cli/simRobotSession');
      await simRobotFromCommandLine(robot, flags, context);
    });
}
