import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

// Inside the tree, so that the repository's .clang-format and .clang-tidy apply.
const folder = resolve('build/clang-checks-test');
const installed = existsSync(resolve('build/clang/pinned.txt'));
beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true }));

function check(text: string): { status: number | null; output: string } {
  const file = join(folder, 'sample.cc');
  writeFileSync(file, text);
  const run = spawnSync('node', [resolve('tests/tools/clangChecks.mjs'), file], { encoding: 'utf8' });
  return { status: run.status, output: run.stdout + run.stderr };
}

// `npm run check:native` brings the tools; without it these are counted as skipped.
it.skipIf(!installed)('passes on a clean file', () => {
  expect(check('int twice(int x) { return 2 * x; }\n')).toMatchObject({ status: 0 });
});

it.skipIf(!installed)('fails on formatting', () => {
  const { status, output } = check('int  twice(int x){return 2*x;}\n');
  expect(output).toContain('clang-format found differences');
  expect(status).toBe(1);
});

it.skipIf(!installed)('fails on a finding of clang-tidy', () => {
  const { status, output } = check('bool same(int x) { return x == x; }\n');
  expect(output).toContain('misc-redundant-expression');
  expect(status).toBe(1);
});
