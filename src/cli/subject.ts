import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyName } from '#cli/arguments';
import { isRunFolder, type RunRecord, readRunRecord, shownPath } from '#cli/runFolder';
import { VernierError } from '#core/errors';
import { Expert } from '#env/expert';
import type { VectorEnv } from '#env/vectorEnv';
import { taskProblem } from '#learn/taskProblem';
import { type FormulaBundle, isFormulaBundle, loadFormulaBundle } from '#learn/tgpo/formulaBundle';
import { formulaPolicy } from '#learn/tgpo/formulaPolicy';
import { loadBundle, makeBase, makePolicy, type PolicyBundle } from '#policy/bundle';
import type { Policy } from '#policy/policy';
import { RandomPolicy, ZeroPolicy } from '#policy/simpleBases';
import { loadTask, type ResolvedTask } from '#spec/task';

/** What `eval`, `play` and `export` work on: a task, with the bundle of a run or file where one is named. */
export interface Subject {
  readonly task: ResolvedTask;
  /** Where the bundle came from; undefined for a task alone. */
  readonly bundle: { readonly path: string; readonly policy: PolicyBundle } | undefined;
  /** The same where a formula was learned. */
  readonly formula: { readonly path: string; readonly policy: FormulaBundle } | undefined;
  /** The run's folder, where the subject is a run. */
  readonly run: { readonly folder: string; readonly record: RunRecord } | undefined;
}

/** Overrides in order, a later one for the same key in the place of an earlier one. */
export function mergeOverrides(...lists: readonly (readonly string[])[]): string[] {
  const byKey = new Map<string, string>();
  for (const override of lists.flat()) byKey.set(override.slice(0, override.indexOf('=')), override);
  return [...byKey.values()];
}

/** @param what a run folder, a bundle file, or a task
 * @param taskFile the task of a bundle file, where it is not the shipped task of the bundle's name
 * @throws CHECKPOINT when the bundle does not match the task */
export async function loadSubject(
  what: string,
  overrides: readonly string[],
  taskFile?: string,
): Promise<Subject> {
  if (isRunFolder(what)) {
    const record = readRunRecord(what);
    const task = await loadTask(taskFile ?? record.task, mergeOverrides(record.overrides, overrides));
    const path = join(what, 'policy.vrn');
    const found = existsSync(path) ? matching(path, task) : { bundle: undefined, formula: undefined };
    return { task, ...found, run: { folder: what, record } };
  }
  if (what.endsWith('.vrn')) {
    const { task: name } = isFormulaBundle(what) ? loadFormulaBundle(what) : loadBundle(what);
    const task = await loadTask(taskFile ?? name, overrides);
    return { task, ...matching(what, task), run: undefined };
  }
  return { task: await loadTask(what, overrides), bundle: undefined, formula: undefined, run: undefined };
}

function matching(path: string, task: ResolvedTask): Pick<Subject, 'bundle' | 'formula'> {
  const { taskHash, robotHash, controlPeriod, observationFields, actionNames } = taskProblem(task);
  const expected = { taskHash, robotHash, controlPeriod, observationFields, actionNames };
  return isFormulaBundle(path)
    ? { bundle: undefined, formula: { path, policy: loadFormulaBundle(path, expected) } }
    : { bundle: { path, policy: relocated(loadBundle(path, expected), task) }, formula: undefined };
}

/** A bundle with a remote base asks where the task says, with its overrides, and else where it was trained. */
function relocated(bundle: PolicyBundle, { spec }: ResolvedTask): PolicyBundle {
  const { base } = bundle;
  if (base.kind !== 'remote') return bundle;
  const { endpoint = base.endpoint, timeout_ms, reconnect_ms } = spec.base;
  const timeoutMs = timeout_ms ?? base.timeoutMs;
  return { ...bundle, base: { ...base, endpoint, timeoutMs, reconnectMs: reconnect_ms ?? base.reconnectMs } };
}

/** The bundle, or an error that says how to come by one. */
export function requireBundle(subject: Subject): { readonly path: string; readonly policy: PolicyBundle } {
  if (subject.bundle) return subject.bundle;
  if (subject.formula) {
    throw new VernierError('USAGE', `${shownPath(subject.formula.path)} learned a formula: it has no base`, {
      hint: 'choose --policy policy, zero or random',
    });
  }
  if (subject.run) {
    const { folder } = subject.run;
    throw new VernierError('CHECKPOINT', `${shownPath(folder)} has no policy yet: the run has not finished`, {
      hint: `vernier train ${shownPath(folder)}`,
    });
  }
  throw new VernierError('USAGE', `${subject.task.name} is a task, not a trained policy`, {
    hint: `name a run folder or a bundle (.vrn), or choose --policy expert, zero or random`,
  });
}

/** A policy for the rows of an environment. */
export async function makeNamedPolicy(
  subject: Subject,
  name: PolicyName,
  env: VectorEnv,
  seed: number,
): Promise<Policy> {
  const { B, O, A } = env;
  switch (name) {
    case 'policy':
      if (subject.formula) return formulaPolicy(subject.task, subject.formula.policy, env, seed);
      return makePolicy(requireBundle(subject).policy, B);
    case 'base':
      return makeBase(requireBundle(subject).policy.base, { B, O, A });
    case 'expert':
      return expertPolicy(subject.task, env, seed);
    case 'zero':
      return new ZeroPolicy(B, O, A);
    case 'random':
      return new RandomPolicy(B, O, A, seed);
    default:
      return name satisfies never;
  }
}

/** The task's way-points as a policy of this very environment. */
function expertPolicy(task: ResolvedTask, env: VectorEnv, seed: number): Policy {
  const expert = new Expert(task, env, seed);
  return {
    B: env.B,
    O: env.O,
    A: env.A,
    reset: (mask) => expert.reset(mask),
    act: (_, outAction) => expert.act(outAction),
    close: () => {},
  };
}
