import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vernier-summary-'));
afterAll(() => rmSync(folder, { recursive: true }));
const script = resolve('tests/tools/summary.mjs');

function report(name: string, files: readonly { status: string; tests: readonly string[] }[]): string {
  const path = join(folder, name);
  const testResults = files.map(({ status, tests }) => ({
    status,
    assertionResults: tests.map((state) => ({ status: state })),
  }));
  writeFileSync(path, JSON.stringify({ testResults }));
  return path;
}

it('counts passes and skips', () => {
  const path = report('ok.json', [{ status: 'passed', tests: ['passed', 'passed', 'skipped', 'todo'] }]);
  expect(execFileSync('node', [script, path], { encoding: 'utf8' })).toBe(
    'tests: 2 passed, 0 failed, 2 skipped\n',
  );
});

it('fails on a failure, on a file that did not load, and on no test at all', () => {
  const failing = report('failing.json', [
    { status: 'failed', tests: ['passed', 'failed'] },
    { status: 'failed', tests: [] },
  ]);
  const broken = spawnSync('node', [script, failing], { encoding: 'utf8' });
  expect(broken.stdout).toBe('tests: 1 passed, 2 failed, 0 skipped\n');
  expect(broken.status).toBe(1);
  expect(spawnSync('node', [script, report('none.json', [])]).status).toBe(1);
});
