import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ScoringEvent, TrainEvent } from '#learn/events';
import { packageRoot } from '#native/addon';
import { readEvents } from '#view/runEvents';
import { renderingMissing } from '../env/rendering.js';
import { chatServerMissing, startChatServer } from '../reward/chatServer/chatServer.js';

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
    expect(existsSync(join(first.folder, 'scores-fast.vrn'))).toBe(true);
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

/** One address for servers that come and go. */
class Address {
  #target: string | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((from) => {
    if (this.#target === undefined) {
      from.destroy();
      return;
    }
    const { hostname, port } = new URL(this.#target);
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        other.destroy();
        this.#sockets.delete(socket);
      });
    }
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Leads to `target` from now on; nowhere without one. */
  lead(target: string | undefined): void {
    this.#target = target;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const missing = renderingMissing ?? chatServerMissing;

describe.skipIf(missing)(`a run whose model server is killed${missing ? ` (${missing})` : ''}`, () => {
  it('goes on without scores, says so once, and has scores again when a server is back', async () => {
    const address = new Address();
    const endpoint = await address.open();
    let server = await startChatServer();
    address.lead(server.endpoint);
    const chat = `{mode: expectation, endpoint: "${endpoint}", model: tiny-vlm, retries: 0, in_flight: 1}`;
    const run = start(
      'killed',
      `scores={likeness: {vlm-chat: ${chat}, every: 50, batch: 2, pause: 1}}`,
      'reward=[{potential: {score: likeness}, weight: 0.5}]',
      'demos.episodes=3',
      'residual.steps=10000000',
      'residual.checkpoint_every=10000000',
    );
    try {
      const until = async (holds: (events: TrainEvent[]) => boolean): Promise<void> => {
        while (!holds(run.events())) {
          if (run.child.exitCode !== null) throw new Error((await run.over).errors);
          await new Promise((resume) => setTimeout(resume, 100));
        }
      };
      const notes = (events: readonly TrainEvent[], text: string): number =>
        events.filter((event) => event.kind === 'note' && event.text.includes(text)).length;
      await until((events) => (scoring(events)?.scored ?? 0) > 4 && scoring(events).missing < 1);
      await server.kill();
      address.lead(undefined);
      await until((events) => scoring(events).broken.includes('likeness'));
      const broken = scoring(run.events());
      // Learning goes on, its episodes are answered at once with nothing, and the model is not asked all the time.
      await until((events) => scoring(events).environmentSteps > broken.environmentSteps + 400);
      const later = scoring(run.events());
      expect(later.scored).toBeGreaterThan(broken.scored);
      expect(later.missing).toBeGreaterThan(broken.missing);
      expect(notes(run.events(), 'its model fails')).toBe(1);
      server = await startChatServer();
      address.lead(server.endpoint);
      await until((events) => notes(events, 'answers again') === 1 && scoring(events).broken.length === 0);
      const back = scoring(run.events());
      await until((events) => scoring(events).scored > back.scored + 1);
      expect(scoring(run.events()).calls).toBeGreaterThan(back.calls);
      run.child.kill('SIGTERM');
      expect(await run.over).toEqual({ code: 0, errors: '' });
    } finally {
      run.child.kill('SIGKILL');
      await server.kill();
      address.close();
    }
  }, 240_000);
});
