import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { join, resolve } from 'node:path';

const bin = resolve('bin/vernier.js');

/** The newest modification under a folder, in ms. */
function newest(folder: string, suffix: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .reduce((time, entry) => Math.max(time, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}

const fresh = (): boolean => existsSync('dist/cli/main.js') && newest('dist', '.js') >= newest('src', '.ts');

/** These tests run the built command line, as a user does: an old build is built anew, by one test file while the
 * others wait. */
export function ensureBuild(): void {
  const lock = resolve('build', 'dist.lock');
  mkdirSync('build', { recursive: true });
  while (!fresh()) {
    try {
      mkdirSync(lock);
    } catch {
      // A test run that was killed leaves its lock behind.
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 240_000) rmdirSync(lock);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      continue;
    }
    try {
      const tsc = resolve('node_modules/typescript/bin/tsc');
      const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`src does not compile:\n${stdout}`);
      utimesSync('dist/cli/main.js', new Date(), new Date());
    } finally {
      rmdirSync(lock);
    }
  }
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
  ensureBuild();
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
  ensureBuild();
  return spawn(process.execPath, [bin, ...args], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
