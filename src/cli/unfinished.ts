import { shownPath } from '#cli/runFolder';
import type { Subject } from '#cli/subject';
import { runConfig } from '#learn/runConfig';
import { taskProblem } from '#learn/taskProblem';
import { unfinishedFormula } from '#learn/tgpo/unfinishedFormula';
import { unfinishedPolicy } from '#learn/unfinished';

/** A run without a bundle, with its newest checkpoint's policy in the bundle's place, where it has one; `announce` says
 * so. Any other subject as it is. */
export function orCheckpoint(subject: Subject, announce: (text: string) => void): Subject {
  const { task, run } = subject;
  if (!run || subject.bundle || subject.formula) return subject;
  const { tgpo } = task.spec;
  const formula = tgpo && unfinishedFormula(task, tgpo, run.folder);
  const bundle = tgpo ? undefined : unfinishedPolicy(taskProblem(task), runConfig(task), run.folder);
  const found = formula ?? bundle;
  if (!found) return subject;
  announce(
    `${shownPath(run.folder)} has not finished: this is the policy of its checkpoint at ${found.environmentSteps} environment steps`,
  );
  return { ...subject, bundle, formula };
}
