import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockFile } from '#learn/runLock';
import { packageRoot } from '#native/addon';

const folder = mkdtempSync(join(tmpdir(), 'vernier-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const newPath = (): string => join(folder, `${count++}.lock`);

const USED = { code: 'USAGE', message: expect.stringContaining('in use by') };
const refused = (path: string): unknown => {
  try {
    lockFile(path)();
    return undefined;
  } catch (error) {
    return error;
  }
};
const holder = (changes: object): string =>
  JSON.stringify({ pid: process.pid, birth: '', host: hostname(), since: 'today', ...changes });

/** A process that takes the lock, says so, waits a little and gives it back; it prints `refused` where it cannot. */
const CONTENDER = `
  const { lockFile } = await import('#learn/runLock');
  try {
    const unlock = lockFile(process.argv.at(-1));
    console.log('have');
    await new Promise((done) => setTimeout(done, 200_000));
    unlock();
  } catch (error) {
    console.log(error.code === 'USAGE' ? 'refused' : String(error));
  }
`;

function contend(path: string) {
  const loader = ['--conditions=vernier-src', '--import', './tests/tools/typescript.mjs'];
  const child = spawn(process.execPath, [...loader, '--input-type=module', '-e', CONTENDER, path], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = once(child.stdout, 'data').then(([text]) => String(text).trim());
  return { child, said };
}

describe('the lock of a run folder', () => {
  it('is free again once given back', () => {
    const path = newPath();
    for (let k = 0; k < 2; k++) {
      const unlock = lockFile(path);
      expect(refused(path)).toMatchObject(USED);
      unlock();
      expect(existsSync(path)).toBe(false);
    }
  });

  it('goes on holding for a process of another machine', () => {
    const path = newPath();
    writeFileSync(path, holder({ host: 'elsewhere', pid: 2 ** 22 + 1 }));
    expect(refused(path)).toMatchObject(USED);
    expect(readFileSync(path, 'utf8')).toContain('elsewhere');
  });

  it.runIf(existsSync('/proc/self/stat'))('knows a process from a later one of the same number', () => {
    const path = newPath();
    writeFileSync(path, holder({ birth: '1' }));
    expect(refused(path)).toBeUndefined();
  });

  it('takes an empty file for one that is being written, until it is old', () => {
    const path = newPath();
    writeFileSync(path, '');
    expect(refused(path)).toMatchObject(USED);
    utimesSync(path, new Date(0), new Date(0));
    expect(refused(path)).toBeUndefined();
  });

  it('goes to one of several processes that find the lock of a killed one', async () => {
    const path = newPath();
    const killed = contend(path);
    expect(await killed.said).toBe('have');
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    expect(existsSync(path)).toBe(true);
    const contenders = [1, 2, 3, 4].map(() => contend(path));
    const answers = await Promise.all(contenders.map(({ said }) => said));
    expect(answers.sort()).toEqual(['have', 'refused', 'refused', 'refused']);
    for (const { child } of contenders) child.kill('SIGKILL');
    expect(readdirSync(folder).filter((name) => /lock\./.test(name))).toEqual([]);
  });
});
