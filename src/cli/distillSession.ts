import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import { makeDisplay } from '#cli/display';
import type { DistillFlags } from '#cli/distill';
import { EXIT } from '#cli/failure';
import { percent, table } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { loadSubject, requireBundle } from '#cli/subject';
import { formatPaired, formatScore } from '#cli/trainView';
import { VernierError } from '#core/errors';
import { type Distilled, distill, requireTeacher } from '#learn/distill';
import { taskProblem } from '#learn/taskProblem';
import { saveBundle } from '#policy/bundle';

/** Resolves to the exit code. */
export async function distillFromCommandLine(
  what: string,
  flags: DistillFlags,
  context: CliContext,
): Promise<number> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  const { path, policy: teacher } = requireBundle(subject);
  requireTeacher(teacher);
  const out = flags.out ?? join(dirname(path), 'student.vrn');
  if (existsSync(out) && !flags.force) {
    throw new VernierError('USAGE', `${out} is there already`, {
      hint: 'choose another file with --out, or replace it with --force',
    });
  }
  const { distill: settings, evaluation } = subject.task.spec;
  const display = makeDisplay({ stream: process.stdout });
  const interrupt = catchInterrupt((text) => display.line(text));
  display.line(`${subject.task.name}: ${describeBackends(flags.threads)}`);
  try {
    const result = await distill({
      ...{ problem: taskProblem(subject.task), teacher, settings, evaluation, threads: flags.threads },
      compile: {},
      signal: interrupt.signal,
      report: ({ environmentSteps, total, teacherLoss, score }) => {
        const at = `${environmentSteps} of ${total} steps, ${teacherLoss.toFixed(4)} from the teacher`;
        if (score) display.line(`  ${at}: ${percent(score.rate)}`);
        else display.status(`  ${at}`);
      },
    });
    display.close();
    if (!result) return EXIT.interrupted;
    mkdirSync(dirname(out), { recursive: true });
    saveBundle(out, result.student);
    for (const line of describe(result)) context.out(line);
    context.out(`wrote ${out}`);
    return 0;
  } finally {
    display.close();
    interrupt.dispose();
  }
}

function describe({ scores, paired, parameters, latency }: Distilled): string[] {
  const rows = (['teacher', 'student'] as const).map((name) => [
    name,
    formatScore(scores[name]),
    parameters[name] === undefined ? 'size not known' : `${parameters[name]} parameters`,
    `${latency[name].toFixed(0)} us per decision`,
  ]);
  return [...table(rows), formatPaired(paired, ['teacher', 'student'])];
}
