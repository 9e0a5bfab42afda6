import type { CliContext } from '#cli/context';
import { describeFailure, EXIT } from '#cli/failure';
import { catchInterrupt } from '#cli/interrupt';
import type { Ros2Flags } from '#cli/ros2';
import { shownPath } from '#cli/runFolder';
import { loadSubject, requireBundle, type Subject } from '#cli/subject';
import { VernierError } from '#core/errors';
import { type DeploymentFile, readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { type Prepared, RobotProcess } from '#deploy/robot/robotProcess';
import { robotHash } from '#learn/taskProblem';
import { find, robots } from '#spec/lookup';
import { readRobot } from '#spec/robot';
import { openTransport } from '#transport/openTransport';

/** How long a first attempt to stop may take where the process fails, ms. */
const LAST_STOP_MS = 3000;

export async function ros2FromCommandLine(
  what: string,
  flags: Ros2Flags,
  context: CliContext,
): Promise<void> {
  const file = withFlags(readDeployment(flags.config), flags);
  if (flags.dryRun !== undefined) {
    const { dryRunFromCommandLine } = await import('#cli/ros2DryRun');
    return dryRunFromCommandLine(await prepare(what, flags, file, context), flags, context);
  }
  const { domain } = flags;
  const node = `/${file.spec.node}`;
  const transport = await openTransport({ node, ...(domain === undefined ? {} : { domain }) });
  const log = (line: string): void => {
    if (flags.json !== true) context.out(line);
    else process.stderr.write(`${line}\n`);
  };
  const robot = new RobotProcess({
    spec: file.spec,
    transport,
    prepare: () => prepare(what, flags, file, context),
    log,
  });
  const interrupt = catchInterrupt(log, 'stopping: the arm decelerates to rest');
  const onDefect = lastStop(robot);
  process.on('uncaughtException', onDefect);
  process.on('unhandledRejection', onDefect);
  try {
    const interrupted = new Promise<void>((resolve) => {
      interrupt.signal.addEventListener('abort', () => resolve());
    });
    if (flags.managed === true) await interrupted;
    else await Promise.race([runEpisodes(robot, file.spec.episode.count, interrupt.signal), interrupted]);
    if (interrupt.requested) context.setExitCode(EXIT.interrupted);
  } finally {
    await robot.close();
    process.off('uncaughtException', onDefect);
    process.off('unhandledRejection', onDefect);
    interrupt.dispose();
  }
  report(robot, flags, context);
}

async function runEpisodes(robot: RobotProcess, count: number, signal: AbortSignal): Promise<void> {
  await robot.change('configure');
  for (let k = 0; k < count && !signal.aborted; k++) await robot.runEpisode();
}

function report(robot: RobotProcess, flags: Ros2Flags, context: CliContext): void {
  const { results } = robot;
  const successes = results.filter(({ success }) => success).length;
  if (flags.json === true) for (const result of results) context.out(JSON.stringify(result));
  else if (results.length > 1) context.out(`${successes} of ${results.length} episodes succeeded`);
}

/** One attempt to bring the arm to rest when this process fails; the trajectories' ends do it where that fails too. */
function lastStop(robot: RobotProcess): (error: unknown) => void {
  return (error) => {
    process.stderr.write(`${describeFailure(error, true).text}\n`);
    setTimeout(() => process.exit(EXIT.defect), LAST_STOP_MS).unref();
    robot.close().then(
      () => process.exit(EXIT.defect),
      () => process.exit(EXIT.defect),
    );
  };
}

/** Flags take the place of what the file says. */
function withFlags({ spec, config }: DeploymentFile, flags: Ros2Flags): DeploymentFile {
  const { episodes, reset, record, residualScale, pace } = flags;
  if (pace !== undefined && pace < 0.05) throw new VernierError('USAGE', '--pace: expected 0.05 or more');
  if (episodes === 0) throw new VernierError('USAGE', '--episodes: expected 1 or more');
  const episode = {
    ...spec.episode,
    ...(episodes === undefined ? {} : { count: episodes }),
    ...(reset === undefined ? {} : { reset }),
  };
  return {
    config,
    spec: {
      ...spec,
      episode,
      ...(record === undefined ? {} : { record }),
      ...(residualScale === undefined ? {} : { residual_scale: residualScale }),
      ...(pace === undefined ? {} : { pace }),
    },
  };
}

/** Everything a configuration loads and checks. @throws CHECKPOINT for another robot, task, rate or observation; SPEC */
async function prepare(
  what: string,
  flags: Ros2Flags,
  file: DeploymentFile,
  context: CliContext,
): Promise<Prepared & { readonly subject: Subject }> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  if (subject.formula) {
    throw new VernierError(
      'USAGE',
      `${shownPath(subject.formula.path)} plans in a simulation of its own: it cannot run on a robot`,
    );
  }
  const bundle = requireBundle(subject);
  const { task } = subject;
  if (flags.robot !== undefined) requireRobot(flags.robot, bundle);
  return {
    subject,
    deployment: resolveDeployment(file, task),
    robot: task.robot.spec.name,
    task: task.name,
    taskFile: task.file,
    overrides: task.overrides,
    bundle: bundle.path,
  };
}

/** @throws CHECKPOINT where the policy was made for another robot, or another version of it */
function requireRobot(
  name: string,
  { path, policy }: { readonly path: string; readonly policy: { readonly robotHash: string } },
): void {
  const found = find(robots, name, process.cwd());
  if (!('path' in found)) throw new VernierError('USAGE', `--robot: ${found.problem}`);
  const { spec } = readRobot(found.path);
  if (spec && robotHash(spec) === policy.robotHash) return;
  throw new VernierError(
    'CHECKPOINT',
    `${shownPath(path)}: made for another robot, or another version of its file, than ${shownPath(found.path)}`,
    { hint: 'name the robot it was trained on, or train for this one' },
  );
}
