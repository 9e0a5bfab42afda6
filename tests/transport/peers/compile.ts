import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/* Programs in C that speak DDS without anything of this repository, made on the spot by idlc and the C compiler. */

const sources = dirname(fileURLToPath(import.meta.url));

/** Why peers in C cannot be made here; undefined where they can. */
export const peersMissing: string | undefined = ['idlc', 'cc'].every(runs)
  ? undefined
  : 'no peers in C: apt-get install cyclonedds-dev cyclonedds-tools gcc';

function runs(command: string): boolean {
  return spawnSync(command, [command === 'cc' ? '--version' : '-v'], { stdio: 'ignore' }).status === 0;
}

/** @param programs paths of C files without `.c`; those without a folder lie beside this file
 * @returns the executables in `folder`, in the same order */
export function compilePeers(programs: readonly string[], folder: string): string[] {
  check('idlc', [join(sources, 'messages.idl')], folder);
  check('cc', ['-O2', '-c', 'messages.c'], folder);
  return programs.map((program) => {
    const out = join(folder, program.split('/').at(-1)!);
    const source = program.includes('/') ? program : join(sources, program);
    check(
      'cc',
      ['-O2', '-Wall', '-I', sources, '-I', folder, `${source}.c`, 'messages.o', '-lddsc', '-o', out],
      folder,
    );
    return out;
  });
}

function check(command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? ''}\n${stdout}${stderr}`);
}

export interface PeerResult {
  readonly status: number | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** A process that was started, its output gathered. */
export interface Peer {
  readonly process: ChildProcess;
  readonly ended: Promise<PeerResult>;
}

/** Starts a program; it is killed after two minutes. */
export function startPeer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Peer {
  const child = spawn(command, args, { env: { ...process.env, ...env }, timeout: 120_000 });
  let stdout = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = once(child, 'close').then(([status]) => ({
    status: status as number | null,
    lines: stdout.split('\n').filter((line) => line !== ''),
    errors,
  }));
  return { process: child, ended };
}
