import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const bin = resolve('bin/vernier.js');

/** The newest modification under a folder, in ms. */
function newest(folder: string, suffix: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .reduce((time, entry) => Math.max(time, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}

/** These tests run the built command line, as a user does: an old build would test old code. */
function requireFreshBuild(): void {
  if (existsSync('dist/cli/main.js') && newest('dist', '.js') >= newest('src', '.ts')) return;
  throw new Error(
    'dist is older than src: run `npm test`, which builds first, or `npx tsc -p tsconfig.build.json`',
  );
}

export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = (extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...process.env,
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
  ...extra,
});

/** Runs `vernier <args>` to its end. */
export function vernier(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliResult {
  requireFreshBuild();
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: 'utf8',
    env: environment(env),
  });
  return { status, stdout, stderr };
}

/** Starts `vernier <args>` and hands back the running child. */
export function startVernier(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  requireFreshBuild();
  return spawn(process.execPath, [bin, ...args], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
