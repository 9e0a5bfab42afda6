import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { VernierError } from '#core/errors';
import { type Distilled, distill } from '#learn/distill';
import { taskProblem } from '#learn/taskProblem';
import { packageRoot } from '#native/addon';
import { loadBundle } from '#policy/bundle';
import { loadTask } from '#spec/task';
import { type Machine, machineAt } from './learningRun.js';

/** One distillation of a bench. */

export interface DistillRun extends Omit<Distilled, 'student'> {
  readonly minutes: number;
  readonly overrides: readonly string[];
  readonly machine: Machine;
}

/** @param teacher a run of the bench, in `runs/bench` */
export async function distillRun(
  teacher: string,
  file: string,
  overrides: readonly string[],
): Promise<DistillRun> {
  const path = join(packageRoot, 'runs', 'bench', teacher, 'policy.vrn');
  if (!existsSync(path))
    throw new VernierError('USAGE', `${path} is not there: the teacher has to be trained first`);
  const task = await loadTask(file, overrides);
  const started = performance.now();
  const load = loadavg()[0]!;
  const result = await distill({
    ...{ problem: taskProblem(task), teacher: loadBundle(path), compile: {} },
    ...{ settings: task.spec.distill, evaluation: task.spec.evaluation },
    signal: new AbortController().signal,
    report: ({ environmentSteps, score }) => {
      if (score) console.log(`  student at ${environmentSteps} steps: ${(100 * score.rate).toFixed(1)} %`);
    },
  });
  const { student: _, ...rest } = result!;
  const minutes = (performance.now() - started) / 60_000;
  return { ...rest, minutes, overrides, machine: machineAt(load) };
}
