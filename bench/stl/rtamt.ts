import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#native/addon';

/** rtamt beside us: its Python monitors from PyPI, and its C++ ones built from the same release's source where Boost.Python
 * is there (on Debian: libboost-python-dev, libboost-system-dev, python3-dev). */

const VERSION = '0.4.10';
const folder = join(packageRoot, 'build', 'rtamt');
const source = join(folder, 'source');
const venv = join(packageRoot, 'build', 'bench-venv');
const python = join(venv, 'bin', 'python');
const library = join(source, 'rtamt', 'lib', 'rtamt_stl_library_wrapper');

export interface PeerTask {
  readonly spec: string;
  /** Whether the formula speaks of the future and is to be turned into one of the past. */
  readonly pastify: boolean;
  readonly signal: Float64Array;
  /** Samples of a stretch that is timed. */
  readonly chunk: number;
  /** At most, apart from the last stretch. */
  readonly seconds: number;
}

export interface PeerResult {
  readonly microseconds: number;
  readonly samples: number;
  /** null where infinite. */
  readonly values: readonly (number | null)[];
}

/** Installs what is missing. @returns whether the C++ monitors are there, or why not */
export function prepareRtamt(): true | string {
  if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv]);
  if (spawnSync(python, ['-c', 'import rtamt']).status !== 0)
    run(python, ['-m', 'pip', 'install', '--quiet', `rtamt==${VERSION}`]);
  if (isBuilt()) return true;
  try {
    buildCpp();
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
  return isBuilt() || 'the build left no library';
}

const isBuilt = (): boolean =>
  existsSync(library) && readdirSync(library).some((name) => name.startsWith('stl_and_node'));

/** As rtamt's README says, optimised. */
function buildCpp(): void {
  mkdirSync(source, { recursive: true });
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', ':all:', '-d', folder];
  run(python, [...pip, `rtamt==${VERSION}`]);
  run('tar', ['xzf', join(folder, `rtamt-${VERSION}.tar.gz`), '-C', source, '--strip-components=1']);
  const build = join(folder, 'cpp');
  const settings = ['-DPythonVersion=3', `-DPython3_EXECUTABLE=${python}`, '-DCMAKE_BUILD_TYPE=Release'];
  run('cmake', ['-S', join(source, 'rtamt'), '-B', build, ...settings]);
  run('cmake', ['--build', build, '--parallel', '2']);
}

function run(command: string, parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** One run in a process of its own. */
export function runRtamt(task: PeerTask, how: 'python' | 'cpp' | 'offline'): PeerResult {
  const peer = join(packageRoot, 'bench', 'stl', 'rtamt_peer.py');
  const input = { ...task, signal: Array.from(task.signal), cpp: how === 'cpp', offline: how === 'offline' };
  const { stdout, status, stderr } = spawnSync(python, [peer], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 27,
    env: how === 'cpp' ? { ...process.env, PYTHONPATH: source } : process.env,
  });
  if (status !== 0) throw new Error(`rtamt failed on ${task.spec}:\n${stderr}`);
  return JSON.parse(stdout) as PeerResult;
}
