import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import pc from 'picocolors';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import { makeDisplay } from '#cli/display';
import { EXIT } from '#cli/failure';
import { duration, table } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { isRunFolder, newRunFolder, readRunRecord, shownPath, writeRunRecord } from '#cli/runFolder';
import { loadSubject, mergeOverrides } from '#cli/subject';
import type { TrainFlags } from '#cli/train';
import { formatPaired, formatScore, trainView } from '#cli/trainView';
import { packageVersion } from '#cli/version';
import { filmPolicies, videoPath } from '#cli/video';
import { VernierError } from '#core/errors';
import { listCheckpoints } from '#learn/checkpoint';
import type { TrainEvent } from '#learn/events';
import { checkFolder, type RunConfig, runConfig } from '#learn/runConfig';
import { RunDirectory } from '#learn/runDirectory';
import { checkFormulaFolder, type FormulaResult, trainFormula } from '#learn/tgpo/formulaRun';
import { type TrainResult, train } from '#learn/train';
import { loadTask, type ResolvedTask } from '#spec/task';
import { scalarsOf } from '#view/runEvents';
import { EventFileWriter } from '#view/tensorboard';

/** One session of `vernier train`: opens or goes on with a run, trains, and says what came of it. */

interface OpenRun {
  readonly task: ResolvedTask;
  readonly config: RunConfig;
  readonly folder: string;
  readonly directory: RunDirectory;
  readonly resumed: boolean;
  /** Lets other processes have the folder. */
  unlock(): void;
}

/** Resolves to the exit code. */
export async function trainFromCommandLine(
  what: string,
  flags: TrainFlags,
  context: CliContext,
): Promise<number> {
  const run = await openRun(what, flags, context.overrides);
  try {
    const video = flags.video === undefined ? undefined : videoPath(flags.video, run.folder);
    return await trainToReport(run, context, video);
  } finally {
    run.unlock();
  }
}

async function trainToReport(run: OpenRun, context: CliContext, video: string | undefined): Promise<number> {
  const result = await trainIn(run);
  const folder = shownPath(run.folder);
  if (!result.finished) {
    context.out(
      `stopped at ${result.environmentSteps} environment steps; go on with: vernier train ${folder}`,
    );
    return EXIT.interrupted;
  }
  const report = await writeReport(run);
  for (const line of summary(run, result, report)) context.out(line);
  if (video !== undefined) {
    const subject = await loadSubject(run.folder, []);
    await filmPolicies(subject, subject.formula ? ['policy'] : ['base', 'policy'], video);
    context.out(`film: ${shownPath(video)}`);
  }
  return 0;
}

/** Pictures and report of a finished run; resolves to the report's path. */
async function writeReport({ task, folder }: OpenRun): Promise<string> {
  const { drawContrast, drawTrajectories } = await import('#cli/runPictures');
  const { writeRunReport } = await import('#view/runReport');
  const subject = await loadSubject(folder, []);
  const undrawn = await (task.spec.tgpo ? drawTrajectories(folder, subject) : drawContrast(folder, subject));
  const { overrides, vernier, started } = readRunRecord(folder);
  return writeRunReport(folder, {
    title: task.spec.tgpo ? `${task.name}: a formula learned` : `${task.name}: base against base + residual`,
    description: task.spec.description,
    command: ['vernier train', shownPath(task.file), ...overrides.map((text) => `--${text}`)].join(' '),
    facts: [
      ['robot', task.robot.spec.name],
      ['machine', `${cpus()[0]?.model.trim() ?? process.arch}, ${describeBackends(threadsOf(task))}`],
      ['started', started],
      ['Vernier', vernier],
      ...(undrawn === undefined ? [] : [['pictures', `none: ${undrawn}`] as const]),
    ],
  });
}

function threadsOf(task: ResolvedTask): number | undefined {
  return (task.spec.tgpo ?? task.spec.residual).threads;
}

/** What the flags mean for the task's way to learn. */
function flagOverrides({ seed, threads }: TrainFlags, { spec }: ResolvedTask): string[] {
  const section = spec.tgpo ? 'tgpo' : 'residual';
  const seeded = spec.tgpo ? ['tgpo'] : ['base', 'residual'];
  return [
    ...(seed === undefined ? [] : seeded.map((name) => `${name}.seed=${seed}`)),
    ...(threads === undefined ? [] : [`${section}.threads=${threads}`]),
  ];
}

/** Finds task and folder, takes the folder, and writes down how the run is started, unless the folder holds another. */
async function openRun(what: string, flags: TrainFlags, overrides: readonly string[]): Promise<OpenRun> {
  const named = isRunFolder(what);
  if (named && flags.out !== undefined && resolve(flags.out) !== resolve(what)) {
    throw new VernierError('USAGE', `${what} is a run to go on with, so --out ${flags.out} means nothing`, {
      hint: `a new run starts from a task: vernier train ${shownPath(readRunRecord(what).task)} --out ${flags.out}`,
    });
  }
  const existing = [what, flags.out].find((path) => path !== undefined && isRunFolder(path));
  const record = existing === undefined ? undefined : readRunRecord(existing);
  const file = named ? record!.task : what;
  const given = mergeOverrides(record?.overrides ?? [], overrides);
  const asGiven = await loadTask(file, given);
  const flagged = flagOverrides(flags, asGiven);
  const merged = mergeOverrides(given, flagged);
  const task = flagged.length === 0 ? asGiven : await loadTask(file, merged);
  if (record && record.task !== task.file) {
    throw new VernierError(
      'USAGE',
      `${existing} holds a run of ${shownPath(record.task)}, not of ${shownPath(task.file)}`,
      {
        hint: 'name another folder with --out',
      },
    );
  }
  const folder = existing ?? flags.out ?? newRunFolder(task, new Date());
  const directory = new RunDirectory(folder);
  const unlock = directory.lock();
  const config = runConfig(task);
  try {
    if (task.spec.tgpo) checkFormulaFolder(directory, task);
    else checkFolder(directory, task.hash, config);
    writeRunRecord(folder, {
      task: task.file,
      overrides: merged,
      vernier: record?.vernier ?? packageVersion(),
      started: record?.started ?? new Date().toISOString(),
      resolved: task.spec,
    });
  } catch (error) {
    unlock();
    throw error;
  }
  return { task, config, folder, directory, resumed: record !== undefined, unlock };
}

async function trainIn({
  task,
  config,
  folder,
  directory,
  resumed,
}: OpenRun): Promise<TrainResult | FormulaResult> {
  const start = performance.now();
  const display = makeDisplay({ stream: process.stdout });
  const { tgpo } = task.spec;
  const view = trainView(display, () => (performance.now() - start) / 1000, tgpo ? 'formula' : 'residual');
  const boards = tensorBoard(join(folder, 'tensorboard'), resumed);
  const interrupt = catchInterrupt((text) => display.line(pc.yellow(text)), 'stopping: saving a checkpoint');
  display.line(`${pc.bold(task.name)} in ${shownPath(folder)}`);
  display.line(pc.dim(describeBackends(threadsOf(task))));
  try {
    const report = (event: TrainEvent): void => {
      view(event);
      boards.write(event);
    };
    if (tgpo) return await trainFormula(task, tgpo, directory, report, interrupt.signal);
    return await train(task, config, directory, report, interrupt.signal);
  } finally {
    display.close();
    boards.close();
    interrupt.dispose();
  }
}

/** Event files for TensorBoard; a session's own begins with its first number. */
function tensorBoard(folder: string, resumed: boolean): { write(event: TrainEvent): void; close(): void } {
  let writer: EventFileWriter | undefined;
  return {
    write: (event) => {
      const scalars = scalarsOf(event);
      if (!scalars) return;
      writer ??= new EventFileWriter(folder, resumed ? { firstStep: scalars.step } : {});
      writer.scalars(scalars.step, scalars.values);
    },
    close: () => writer?.close(),
  };
}

function summary({ folder, task }: OpenRun, result: TrainResult | FormulaResult, report: string): string[] {
  const { base, policy, paired, shipped, bundle, environmentSteps, seconds } = result;
  const learned = task.spec.tgpo ? 'success by the exact monitor' : 'base + residual';
  const checkpoint = listCheckpoints(folder)[0];
  const scores = [
    ...(base ? [['base', formatScore(base)]] : []),
    ...(policy ? [[shipped === 'base' ? 'shipped: the base' : learned, formatScore(policy)]] : []),
    ...('unrehearsed' in result && result.unrehearsed
      ? [['without rehearsals', formatScore(result.unrehearsed)]]
      : []),
  ];
  const files = [
    ['report', shownPath(report)],
    ...(checkpoint ? [['checkpoint', shownPath(checkpoint)]] : []),
    ...(bundle ? [['policy', shownPath(bundle)]] : []),
    ['TensorBoard', `tensorboard --logdir ${shownPath(folder)}`],
  ];
  return [
    '',
    ...table(scores),
    ...(paired ? [formatPaired(paired)] : []),
    `${environmentSteps} environment steps, ${duration(seconds)} in this session`,
    '',
    ...table(files),
    '',
    `next: vernier play ${shownPath(folder)}, or vernier eval ${shownPath(folder)}`,
  ];
}
