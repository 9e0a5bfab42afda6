import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import type { DemosFlags } from '#cli/demos';
import { makeDisplay } from '#cli/display';
import { EXIT } from '#cli/failure';
import { percent } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { mergeOverrides } from '#cli/subject';
import { VernierError } from '#core/errors';
import { saveDemos } from '#data/demos';
import { collectDemos } from '#learn/collect';
import { taskProblem } from '#learn/taskProblem';
import { loadTask } from '#spec/task';

/** Resolves to the exit code. */
export async function recordFromCommandLine(
  what: string,
  flags: DemosFlags,
  context: CliContext,
): Promise<number> {
  const { episodes, seed, threads } = flags;
  const task = await loadTask(
    what,
    mergeOverrides(
      context.overrides,
      episodes === undefined ? [] : [`demos.episodes=${episodes}`],
      seed === undefined ? [] : [`demos.seed=${seed}`],
    ),
  );
  const out = flags.out ?? join('demos', `${task.name}.vrn`);
  if (existsSync(out) && !flags.force) {
    throw new VernierError('USAGE', `${out} is there already`, {
      hint: 'choose another file with --out, or replace it with --force',
    });
  }
  const settings = task.spec.demos;
  const display = makeDisplay({ stream: process.stdout });
  const interrupt = catchInterrupt((text) => display.line(text));
  display.line(`${task.name}: ${describeBackends(threads)}`);
  try {
    const collected = await collectDemos(taskProblem(task), {
      settings,
      ...(threads === undefined ? {} : { threads }),
      report: (kept, tried) => display.status(`  ${kept} of ${settings.episodes} kept, ${tried} tried`),
      stop: () => interrupt.requested,
    });
    display.close();
    if (!collected) return EXIT.interrupted;
    mkdirSync(dirname(out), { recursive: true });
    saveDemos(out, collected.demos);
    const { tried, successes, demos } = collected;
    context.out(`the expert succeeded in ${successes} of ${tried} episodes (${percent(successes / tried)})`);
    const steps = demos.episodes.reduce((sum, { length }) => sum + length, 0);
    context.out(`wrote ${out}: ${demos.episodes.length} episodes, ${steps} steps`);
    return 0;
  } finally {
    display.close();
    interrupt.dispose();
  }
}
