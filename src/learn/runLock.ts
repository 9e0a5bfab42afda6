import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { VernierError } from '#core/errors';

/** One process at a time works in a run folder: a file created exclusively says which. A process that was killed leaves
 * it behind, and the next one finds that out by the process's number and start time. */

interface Holder {
  readonly pid: number;
  /** When the process started, in the system's own clock; empty where the system does not tell. */
  readonly birth: string;
  readonly host: string;
  /** ISO time of the locking. */
  readonly since: string;
}

/** A file that is being written by its maker is this young, in ms. */
const HALF_WRITTEN_MS = 10_000;
const TRIES = 5;

/** Makes the lock file and returns what removes it.
 * @throws VernierError USAGE naming the process that has it; nothing is changed then */
export function lockFile(path: string): () => void {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (create(path)) return () => rmSync(path, { force: true });
    const text = readText(path);
    if (text === undefined) continue;
    const holder = parse(text);
    if (holder ? isAlive(holder) : isYoung(path)) throw inUse(path, holder);
    removeStale(path, text);
  }
  throw inUse(path, undefined);
}

function create(path: string): boolean {
  const holder: Holder = {
    pid: process.pid,
    birth: birthOf(process.pid) ?? '',
    host: hostname(),
    since: new Date().toISOString(),
  };
  try {
    const file = openSync(path, 'wx');
    try {
      writeSync(file, `${JSON.stringify(holder)}\n`);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new VernierError('IO', `${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** Two processes may find the same stale file: it is moved aside, and moved back where it turns out to be another's. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new VernierError('IO', `${path}: cannot be removed: ${(cause as Error).message}`, { cause });
  }
  if (readText(aside) === stale) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new VernierError('IO', `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, birth, host, since } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isInteger(pid) || typeof birth !== 'string' || typeof host !== 'string') return undefined;
    return { pid: pid!, birth, host, since: String(since) };
  } catch {
    return undefined;
  }
}

function isYoung(path: string): boolean {
  const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - made < HALF_WRITTEN_MS;
}

/** A process of another machine counts as alive: it cannot be asked. */
function isAlive({ pid, birth, host }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
  const now = birthOf(pid);
  return now === undefined || birth === '' || now === birth;
}

/** Start of a process in clock ticks since the machine's own start, where /proc tells; 'ended' once it has ended and only
 * waits to be noticed. */
function birthOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything; state and start time are the 1st and 20th field behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}

function inUse(path: string, holder: Holder | undefined): VernierError {
  const here = holder?.host === hostname();
  const who = holder
    ? `process ${holder.pid}${here ? '' : ` on ${holder.host}`} since ${holder.since}`
    : 'another process';
  const stop = here ? `stop it (kill -INT ${holder!.pid} lets it save)` : `delete ${path} if it has ended`;
  return new VernierError('USAGE', `the run folder is in use by ${who} (${path})`, {
    hint: `wait for it, ${stop}, or name another folder`,
  });
}
