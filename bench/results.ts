import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Results of a bench, one JSON file per run, so that a long bench can be assembled run by run. */

/** All that lie in the folder, by name. */
export function readResults<T>(folder: string): T[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T);
}

/** Makes the results that are not there yet, or all of them by force. @param runs by the name of their file, without ending */
export async function fillResults(
  folder: string,
  runs: ReadonlyMap<string, () => Promise<unknown>>,
  force: boolean,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [name, run] of runs) {
    const file = join(folder, `${name}.json`);
    if (existsSync(file) && !force) continue;
    console.log(name);
    writeFileSync(file, `${JSON.stringify(await run(), undefined, 1)}\n`);
  }
}
