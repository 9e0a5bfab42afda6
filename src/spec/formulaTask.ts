import { ConfigFile } from '#spec/configFile';
import { shortPath } from '#spec/robot';
import { findTask, loadTask, type ResolvedTask } from '#spec/task';

/** Tasks made of a task file and another formula: the same robot, observation and start, something else to do. */

export interface FormulaProblem {
  /** Name to expression: what the formula speaks of, over the signals that the file's observation is made of. */
  readonly signals: Readonly<Record<string, string | number>>;
  /** One formula, or several that must all hold. */
  readonly formula: string | readonly string[];
  /** Control steps. */
  readonly horizon: number;
}

/** Loads a task file with its formula, the signals of that, and its horizon replaced. Signals of the file stay where
 * its observation, reward or expert uses them.
 * @param overrides as of loadTask(), over all of that
 * @throws what loadTask() throws; places in the problem are those of overrides */
export function loadFormulaTask(
  path: string,
  problem: FormulaProblem,
  overrides: readonly string[] = [],
  readNames?: Parameters<typeof loadTask>[2],
): Promise<ResolvedTask> {
  return loadTask(path, [...formulaOverrides(path, problem), ...overrides], readNames);
}

/** The same as overrides: what a run writes down to be repeated. @throws IO, SPEC */
export function formulaOverrides(path: string, { signals, formula, horizon }: FormulaProblem): string[] {
  const file = new ConfigFile(shortPath(findTask(path))).value as TaskFile;
  const kept = Object.entries(file.signals ?? {}).filter(([name]) => usedNames(file).has(name));
  const { spec } = file;
  const options = typeof spec === 'object' && !Array.isArray(spec) ? spec : {};
  return [
    `signals=${JSON.stringify({ ...Object.fromEntries(kept), ...signals })}`,
    `spec=${JSON.stringify({ ...options, formula })}`,
    `horizon=${horizon}`,
  ];
}

/** What is read of a task file before its schema has seen it. */
interface TaskFile {
  readonly signals?: Readonly<Record<string, unknown>>;
  readonly spec?: unknown;
  readonly [key: string]: unknown;
}

/** Every word of the parts that stay, and of the signals that those use. */
function usedNames({ signals = {}, observation, reward, failure, guard, expert }: TaskFile): Set<string> {
  const words = (value: unknown): string[] => (JSON.stringify(value) ?? '').match(/[A-Za-z_]\w*/g) ?? [];
  const used = new Set<string>();
  const open = words([observation, reward, failure, guard, expert]);
  for (let word = open.pop(); word !== undefined; word = open.pop()) {
    if (used.has(word)) continue;
    used.add(word);
    if (Object.hasOwn(signals, word)) open.push(...words(signals[word]));
  }
  return used;
}
