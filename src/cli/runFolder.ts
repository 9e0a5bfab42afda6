import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { VernierError } from '#core/errors';
import type { ResolvedTask } from '#spec/resolved';

/** How a run was started, kept in its folder as run.json: enough to go on with it by naming the folder alone. */

const recordSchema = z.strictObject({
  /** Task file, absolute. */
  task: z.string(),
  overrides: z.array(z.string()),
  /** Version of Vernier that started it. */
  vernier: z.string(),
  /** ISO time of the start. */
  started: z.string(),
  /** The whole task file as resolved: presets expanded, defaults filled in. */
  resolved: z.record(z.string(), z.unknown()),
});
export type RunRecord = z.output<typeof recordSchema>;

const NAME = 'run.json';

export function isRunFolder(path: string): boolean {
  return existsSync(join(path, NAME)) && statSync(path).isDirectory();
}

/** @throws CHECKPOINT when run.json is not what `writeRunRecord` writes */
export function readRunRecord(folder: string): RunRecord {
  const file = join(folder, NAME);
  try {
    return recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new VernierError('CHECKPOINT', `${file}: not the record of a run: ${(cause as Error).message}`, {
      cause,
    });
  }
}

export function writeRunRecord(folder: string, record: RunRecord): void {
  writeFileSync(join(folder, NAME), `${JSON.stringify(record, null, 2)}\n`);
}

/** `runs/<task>-<date>-<time>` under the working directory; a suffix keeps two of one second apart. */
export function newRunFolder(task: ResolvedTask, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const base = join('runs', `${task.name}-${stamp}`);
  let path = base;
  for (let n = 2; existsSync(path); n++) path = `${base}-${n}`;
  return path;
}

/** A path as a user would type it from here. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), resolve(path));
  return near === '' ? '.' : near.startsWith('..') ? resolve(path) : near;
}
