import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ScoringEvent, TrainEvent } from '#learn/events';
import { packageRoot } from '#native/addon';
import { readEvents } from '#view/runEvents';
import { renderingMissing } from '../env/rendering.js';

const root = mkdtempSync(join(tmpdir(), 'vernier-scored-'));
afterAll(() => rmSync(root, { recursive: true }));

const SETTINGS = [
  'cameras={near: {width: 32, height: 32, of: overview}}',
  'scores={likeness: {goal-image: {}, every: 10}, fast: {distilled: {of: likeness, steps: 100}}}',
  'reward=[{potential: {score: likeness}, weight: 0.3}, {name: near, potential: {score: fast}, weight: 0.3}]',
  'demos.episodes=8',
  'base={steps: 40, hidden: [16, 16]}',
  'evaluation={episodes: 4, environments: 4}',
  'residual.hidden=[16, 16]',
  'residual.batch=16',
  'residual.environments=4',
  'residual.warmup_steps=100',
  'residual.critic_only_updates=10',
  'residual.utd=0.25',
  'residual.evaluate_every=100000',
  'residual.evaluate_episodes=4',
];

interface Run {
  readonly folder: string;
  readonly child: ChildProcess;
  /** What it has told by now. */
  events(): TrainEvent[];
  /** Resolves with its exit code and what it wrote to stderr. */
  readonly over: Promise<{ readonly code: number | null; readonly errors: string }>;
}

function start(name: string, ...overrides: string[]): Run {
  const folder = join(root, name);
  const file = join(root, `${name}-${process.hrtime.bigint()}.jsonl`);
  const child = spawn(
    process.execPath,
    [
      ...['--conditions=vernier-src', '--import', join(packageRoot, 'tests', 'tools', 'typescript.mjs')],
      ...[join(packageRoot, 'tests', 'learn', 'scoredChild.ts'), 'reach', folder, file],
      ...[...SETTINGS, ...overrides],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const over = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, errors })),
  );
  const events = (): TrainEvent[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as TrainEvent)
      : [];
  return { folder, child, events, over };
}

const scoring = (events: readonly TrainEvent[]): ScoringEvent =>
  events.findLast((event) => event.kind === 'scoring') as ScoringEvent;

describe.skipIf(renderingMissing)('a run with scores of pictures', () => {
  it('scores demonstrations first, then episodes beside the learning, and stops and goes on', async () => {
    const first = start('resumed', 'residual.steps=800', 'residual.checkpoint_every=400');
    expect(await first.over).toEqual({ code: 0, errors: '' });
    const events = first.events();
    const phases = events.flatMap((event) => (event.kind === 'phase' ? [event.phase] : []));
    expect(phases.slice(0, 4)).toEqual(['demos', 'base', 'scores', 'warm-up']);
    const demos = events.filter(({ kind }) => kind === 'scored demos');
    expect(demos).toMatchObject(Array.from({ length: 8 }, (_, k) => ({ done: k + 1, total: 8 })));
    // Networks have learned of the pictures' scores by the time the demonstrations have theirs.
    expect(
      events.filter((event) => event.kind === 'note' && event.text.startsWith('score fast')),
    ).not.toEqual([]);
    const taken = events.some((event) => event.kind === 'note' && /score fast.*: taken/.test(event.text));
    expect(existsSync(join(first.folder, 'scores-fast.vrn'))).toBe(taken);
    const told = scoring(events);
    expect(told).toMatchObject({ missing: 0, lost: 0, broken: [] });
    expect(told.scored).toBeGreaterThanOrEqual(8);
    expect(told.calls).toBeGreaterThan(0);
    // Logged as told, and read back by whoever draws the run.
    expect(
      readEvents(join(first.folder, 'metrics.jsonl')).filter(({ kind }) => kind === 'scoring'),
    ).not.toEqual([]);
    const kept = statSync(join(first.folder, 'scores.log')).size;
    expect(kept).toBeGreaterThan(0);

    const second = start('resumed', 'residual.steps=1200', 'residual.checkpoint_every=400');
    expect(await second.over).toEqual({ code: 0, errors: '' });
    const after = scoring(second.events());
    // The pictures of the demonstrations are known from the log; what was pending or running is lost, and counted.
    expect(after.hits).toBeGreaterThan(0);
    expect(after.lost).toBeGreaterThanOrEqual(4);
    expect(after.scored).toBeGreaterThanOrEqual(told.scored);
  }, 120_000);

  it('refuses to start where the reference is missing', async () => {
    const run = start(
      'missing',
      'demos.successful_only=false',
      'expert.waypoints=[{position: "[0.4, 0, 0.3]"}]',
      'residual.steps=200',
    );
    const { code, errors } = await run.over;
    expect(code).not.toBe(0);
    expect(errors).toMatch(/goal-image: there is no picture of the goal/);
  }, 120_000);
});
