import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { splitOverrides } from '#cli/overrides';
import { vernier } from './cli.js';

it('separates overrides from the rest, and keeps the order of both', () => {
  const line = [
    'train',
    '--residual.scale=0.2',
    'task.yaml',
    '--base.steps',
    '100',
    '--set',
    'horizon=80',
    '--seed=3',
  ];
  expect(splitOverrides(line)).toEqual({
    rest: ['train', 'task.yaml', '--seed=3'],
    overrides: ['residual.scale=0.2', 'base.steps=100', 'horizon=80'],
  });
  expect(splitOverrides(['train', '--', '--a.b=1'])).toEqual({
    rest: ['train', '--', '--a.b=1'],
    overrides: [],
  });
  expect(splitOverrides(['--a.b=x=y\nz'])).toEqual({ rest: [], overrides: ['a.b=x=y\nz'] });
});

it('shows help without arguments and on --help', () => {
  for (const args of [[], ['--help']]) {
    const { status, stdout } = vernier(args);
    expect(stdout).toContain('Usage: vernier');
    expect(status).toBe(0);
  }
});

it('prints the version of package.json', () => {
  expect(vernier(['--version'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

it.each([
  ['an unknown command', ['doctr'], "unknown command 'doctr'\n(Did you mean doctor?)"],
  ['an unknown flag', ['doctor', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)"],
  ['an argument too many', ['doctor', 'x'], 'too many arguments'],
  ['an override where no task is read', ['doctor', '--a.b=1'], 'reads no task file'],
  ['an override without a value', ['doctor', '--a.b'], '--a.b expects a value'],
  ['a --set without a key', ['doctor', '--set', '80'], '--set expects key=value'],
])('refuses %s with one message and exit code 2', (_, args, message) => {
  const { status, stdout, stderr } = vernier(args);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stdout).toBe('');
  expect(status).toBe(2);
});

it('prints the stack of a foreseen error only when asked', () => {
  const { stderr } = vernier(['doctor', '--a.b=1'], { VERNIER_DEBUG: '1' });
  expect(stderr).toMatch(/\n\s+at /);
});

it('ends quietly when its reader goes away', () => {
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `"${process.execPath}" bin/vernier.js doctor | head -1`],
    {
      encoding: 'utf8',
    },
  );
  expect(stdout).toContain('Node');
  expect(stderr).toBe('');
});
