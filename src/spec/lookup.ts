import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { nearestHint } from '#expr/source';
import { packageRoot } from '#native/addon';

/** Finding robots, scenes and tasks by name or path. */

/** A folder of named things: `robots/<name>/robot.yaml`. */
export interface Collection {
  /** Article and noun for messages: `a robot`. */
  readonly what: string;
  readonly folder: string;
  /** Path of `name` under the folder. */
  file(name: string): string;
}

export const robots: Collection = {
  what: 'a robot',
  folder: 'robots',
  file: (name) => join(name, 'robot.yaml'),
};
export const scenes: Collection = {
  what: 'a scene',
  folder: join('sim', 'scenes'),
  file: (name) => `${name}.xml`,
};
export const tasks: Collection = { what: 'a task', folder: 'tasks', file: (name) => `${name}.yaml` };

export type Found = { readonly path: string } | { readonly problem: string };

/** A path is looked up from `base` and from the working folder; a bare name in the collection's folder there, above
 * `base`, and in this package. */
export function find(collection: Collection, reference: string, base: string): Found {
  if (extname(reference) !== '' || reference.includes('/')) {
    const path = [resolve(base, reference), resolve(reference)].find(isFile);
    return path
      ? { path }
      : { problem: `expected the path of ${collection.what}, and there is no file ${reference}` };
  }
  const roots = [...new Set([...ancestors(base), resolve('.'), packageRoot])];
  const path = roots.map((root) => join(root, collection.folder, collection.file(reference))).find(isFile);
  if (path) return { path };
  const known = [
    ...new Set(roots.flatMap((root) => namesIn(collection, join(root, collection.folder)))),
  ].sort();
  const list = known.length > 0 ? ` (${known.join(', ')})` : '';
  return {
    problem: `expected the name of ${collection.what}${list} or a path, received "${reference}"${nearestHint(reference, known)}`,
  };
}

function ancestors(base: string): string[] {
  const up = dirname(base);
  return up === base ? [base] : [base, ...ancestors(up)];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function namesIn(collection: Collection, folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((entry) => entry.replace(/\.(xml|yaml)$/, ''))
    .filter((name) => isFile(join(folder, collection.file(name))));
}
