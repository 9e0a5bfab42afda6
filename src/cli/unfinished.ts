import { shownPath } from '#cli/runFolder';
import type { Subject } from '#cli/subject';
import { runConfig } from '#learn/runConfig';
import { taskProblem } from '#learn/taskProblem';
import { unfinishedPolicy } from '#learn/unfinished';

/** A run without a bundle, with its newest checkpoint's policy in the bundle's place, where it has one; `announce`
 * says so. Any other subject as it is, a run on a formula too: what it would act with is in its bundle alone. */
export function orCheckpoint(subject: Subject, announce: (text: string) => void): Subject {
  const { task, run } = subject;
  if (!run || subject.bundle || task.spec.tgpo) return subject;
  const found = unfinishedPolicy(taskProblem(task), runConfig(task), run.folder);
  if (!found) return subject;
  const { path, policy, environmentSteps } = found;
  announce(
    `${shownPath(run.folder)} has not finished: this is the policy of its checkpoint at ${environmentSteps} environment steps`,
  );
  return { ...subject, bundle: { path, policy } };
}
