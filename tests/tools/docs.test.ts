import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

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
