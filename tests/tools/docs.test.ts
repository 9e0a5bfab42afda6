import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { loadTask } from '#spec/task';

const pages = [
  ...readdirSync('.'),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));

it.each(pages)('%s links to files that are there', (page) => {
  const text = readFileSync(page, 'utf8').replace(/```[\s\S]*?```/g, '');
  const targets = [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
  const missing = targets.filter(
    (target) => !/^[a-z]+:/.test(target) && !existsSync(join(dirname(page), target)),
  );
  expect(missing).toEqual([]);
});

it.each(pages)('%s names files of this repository that are there', (page) => {
  const text = readFileSync(page, 'utf8').replace(/```[\s\S]*?```/g, '');
  const named = [...text.matchAll(/`((?:src|native|tests|bench|docs|robots|sim|tasks|bin)\/[\w./-]+)`/g)].map(
    (m) => m[1]!,
  );
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});

it('the task that docs/tasks.md builds is one', async () => {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(readFileSync('docs/tasks.md', 'utf8'))!;
  const folder = mkdtempSync(join(tmpdir(), 'vernier-docs-'));
  try {
    const file = join(folder, 'hover.yaml');
    writeFileSync(file, yaml!);
    const task = await loadTask(file);
    expect(task.observationLength).toBe(9);
    expect(task.actionNames).toEqual(['x', 'y', 'z']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('docs/papers.md names functions that are there', () => {
  const rows = [...readFileSync('docs/papers.md', 'utf8').matchAll(/`(\w+)` in `([\w./]+)`/g)];
  expect(rows.length).toBeGreaterThan(10);
  const missing = rows.filter(
    ([, name, file]) => !new RegExp(`(function|class|const) ${name}\\b`).test(readFileSync(file!, 'utf8')),
  );
  expect(missing.map(([text]) => text)).toEqual([]);
});
