import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { startVernier, vernier } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'vernier-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const WASM = { VERNIER_BACKEND: 'wasm' };
const SMALL = [
  ...['--demos.episodes=2', '--base.steps=20', '--base.hidden=[8]', '--base.validation=0'],
  ...['--residual.environments=2', '--residual.hidden=[8,8]', '--residual.critics=2', '--residual.utd=0.25'],
  ...['--residual.warmup_steps=20', '--residual.critic_only_updates=2', '--residual.evaluate_episodes=2'],
  ...['--residual.evaluate_every=1000000', '--residual.checkpoint_every=40', '--residual.batch=8'],
  ...['--evaluation.episodes=2', '--evaluation.environments=2'],
];

/** Every file with its size and time of change. */
const everything = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => {
    const { size, mtimeMs } = statSync(join(path, name));
    return `${name} ${size} ${mtimeMs}`;
  });

it('gives a run folder to one process, and to the next one once that was killed', async () => {
  const run = join(folder, 'run');
  const first = startVernier(['train', 'reach', '--out', run, '--residual.steps=100000000', ...SMALL], WASM);
  first.stdout!.resume();
  const saved = () => existsSync(run) && readdirSync(run).some((name) => /^checkpoint-.*\.vrn$/.test(name));
  while (!saved()) await new Promise((wake) => setTimeout(wake, 50));
  first.kill('SIGSTOP');
  try {
    const before = everything(run);
    const second = vernier(['train', run], WASM);
    expect(second.stderr).toContain(`the run folder is in use by process ${first.pid} since 20`);
    expect(second.stderr).toContain(`kill -INT ${first.pid} lets it save`);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    expect(second.status).toBe(2);
    expect(everything(run)).toEqual(before);
  } finally {
    first.kill('SIGKILL');
  }
  await once(first, 'exit');
  expect(readFileSync(join(run, 'run.lock'), 'utf8')).toContain(`"pid":${first.pid}`);
  const { status, stdout, stderr } = vernier(['train', run, '--residual.steps=1'], WASM);
  expect(stderr).toBe('');
  expect(stdout).toContain('resumed at');
  expect(status).toBe(0);
  expect(readdirSync(run)).not.toContain('run.lock');
}, 120_000);
