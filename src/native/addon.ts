import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VernierError } from '#core/errors';

/** The sole loader of the native addon. Nothing else in src names a .node file. */

const ABI = 1;
/** The package's root: the folder of package.json, from src/native and dist/native alike. */
export const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface AddonStatus {
  readonly path: string;
  /** The loaded module, or undefined with the reason why it is not there. */
  readonly addon: Readonly<Record<string, unknown>> | undefined;
  readonly reason: string | undefined;
  /** What the install step could not do, one line each. */
  readonly installNotes: readonly string[];
}

let cached: AddonStatus | undefined;

/** Loads the addon once; a missing one is a value with its reason, a broken or foreign one too.
 * VERNIER_BACKEND=wasm leaves it aside. */
export function addonStatus(): AddonStatus {
  cached ??= load();
  return cached;
}

function load(): AddonStatus {
  const path = join(packageRoot, 'build', 'Release', 'vernier.node');
  const notesFile = join(packageRoot, 'build', 'install-notes.json');
  const installNotes = existsSync(notesFile) ? (JSON.parse(readFileSync(notesFile, 'utf8')) as string[]) : [];
  const missing = (reason: string): AddonStatus => ({ path, addon: undefined, reason, installNotes });
  if (process.env['VERNIER_BACKEND'] === 'wasm')
    return missing('VERNIER_BACKEND=wasm asks to leave it aside');
  if (!existsSync(path)) return missing('it has not been built');
  try {
    const addon = createRequire(import.meta.url)(path) as Record<string, unknown>;
    if (addon['abi'] !== ABI)
      return missing(`it was built for another version (abi ${addon['abi']}, need ${ABI})`);
    return { path, addon, reason: undefined, installNotes };
  } catch (error) {
    return missing(`it does not load: ${(error as Error).message}`);
  }
}

/** The addon, or a BACKEND error that says how to build it. */
export function requireAddon(): Readonly<Record<string, unknown>> {
  const status = addonStatus();
  if (status.addon) return status.addon;
  throw new VernierError('BACKEND', `the native addon is not available: ${status.reason}`, {
    hint: 'npm run build',
  });
}
