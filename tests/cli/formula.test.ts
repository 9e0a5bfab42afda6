import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { vernier } from './cli.js';

// A formula that is learned, through the commands a user gives.
const folder = mkdtempSync(join(tmpdir(), 'vernier-formula-'));
const run = join(folder, 'run');
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = [
  ...['--tgpo.environments=32', '--tgpo.rollout=16', '--tgpo.minibatch=128', '--tgpo.hidden=[16,16]'],
  ...['--tgpo.steps=4096', '--tgpo.evaluate_every=2048', '--tgpo.evaluate_episodes=8', '--tgpo.candidates=8'],
  ...['--evaluation.episodes=8', '--evaluation.environments=8'],
];

let trained: ReturnType<typeof vernier>;
beforeAll(() => {
  trained = vernier(['train', 'stl_linear', '--out', run, '--seed', '5', '--threads', '1', ...SMALL]);
}, 120_000);

it('trains a task with a section tgpo, and leaves a report and its paths', () => {
  expect(trained.stderr).toBe('');
  expect(trained.stdout).toMatch(/success by the exact monitor +\d+\.\d % \[/);
  expect(trained.stdout).toContain('without rehearsals');
  const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as { overrides: string[] };
  expect(record.overrides).toContain('tgpo.seed=5');
  expect(readFileSync(join(run, 'trajectories.svg'), 'utf8')).toMatch(/\d+ of 12 starts succeed/);
  expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('TGPO');
});

it('evaluates it, and says that there is no base', () => {
  const evaluated = vernier(['eval', run, '--episodes', '4', '--json']);
  const { policies } = JSON.parse(evaluated.stdout) as { policies: Record<string, { episodes: number }> };
  expect(Object.keys(policies)).toEqual(['policy']);
  expect(policies['policy']!.episodes).toBe(4);
  const base = vernier(['eval', run, '--policy', 'base']);
  expect(base.status).toBe(2);
  expect(base.stderr).toContain('learned a formula: it has no base');
});

it('evaluates and plays the checkpoint of a run without a bundle as what it is: the same policy', () => {
  const unfinished = join(folder, 'unfinished');
  cpSync(run, unfinished, { recursive: true });
  rmSync(join(unfinished, 'policy.vrn'));
  const evaluate = (what: string) => vernier(['eval', what, '--episodes', '8', '--json']);
  const [whole, part] = [evaluate(run), evaluate(unfinished)];
  expect(part.stderr).toMatch(/has not finished: .* its checkpoint at 4096 environment steps/);
  expect(JSON.parse(part.stdout)).toEqual(JSON.parse(whole.stdout));
  const played = vernier(['play', unfinished, '--episodes', '1', '--strip', '--out', join(folder, 'play')]);
  expect(played.stderr).toContain('has not finished');
  expect(played.stdout).toMatch(/(success|failure) after \d+ steps/);
});

it('exports policy and value network', () => {
  const out = join(folder, 'export');
  expect(vernier(['export', run, '--out', out]).status).toBe(0);
  const contract = JSON.parse(readFileSync(join(out, 'policy.json'), 'utf8')) as { networks: object };
  expect(Object.keys(contract.networks)).toEqual(['policy', 'value']);
  expect(existsSync(join(out, 'policy.onnx')) && existsSync(join(out, 'value.onnx'))).toBe(true);
});
