import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadLatestCheckpoint } from '#learn/checkpoint';
import { addonStatus } from '#native/addon';
import { loadBundle, makeBase } from '#policy/bundle';
import { startVernier, vernier } from '../cli/cli.js';
import { hasZeromq } from './policyServers.js';
import { python, runPeer } from './pythonPeers.js';

// A run whose base is served by another process, against the same run with the base in its own.
const able = hasZeromq && addonStatus().addon !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'vernier-remote-'));
const local = join(folder, 'local');

const SMALL = [
  ...['--demos.episodes=4', '--residual.environments=4', '--residual.hidden=[16,16]', '--residual.critics=2'],
  ...['--residual.utd=0.25', '--residual.warmup_steps=40', '--residual.critic_only_updates=5'],
  ...['--residual.steps=4000', '--residual.evaluate_episodes=4', '--residual.batch=16'],
  ...['--evaluation.episodes=8', '--evaluation.environments=8', '--residual.checkpoint_every=400'],
];

const children = new Set<ChildProcess>();
const started = (child: ChildProcess): ChildProcess => {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
};
const killAll = async (): Promise<void> => {
  for (const child of children) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
};
afterEach(killAll);
afterAll(() => rmSync(folder, { recursive: true }));

function outputOf(child: ChildProcess): {
  readonly text: () => string;
  until(pattern: RegExp): Promise<RegExpExecArray>;
} {
  let text = '';
  const waiting: (() => void)[] = [];
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk) => {
      text += chunk;
      for (const check of waiting) check();
    });
  return {
    text: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = pattern.exec(text);
          if (found) resolve(found);
        };
        waiting.push(check);
        child.on('close', () => reject(new Error(`ended before ${pattern}:\n${text}`)));
        check();
      }),
  };
}

async function serve(
  port = 0,
  what = local,
): Promise<{ readonly child: ChildProcess; readonly endpoint: string }> {
  const child = started(startVernier(['serve', what, '--policy', 'base', '--port', String(port)]));
  const [, endpoint] = await outputOf(child).until(/serving reach, base, at (\S+):/);
  return { child, endpoint: endpoint! };
}

function train(name: string, endpoint: string, more: readonly string[] = []) {
  const run = join(folder, name);
  const demos = `--demos.file=${join(local, 'demos.vrn')}`;
  const base = ['--base.kind=remote', `--base.endpoint=${endpoint}`];
  const child = started(startVernier(['train', 'reach', '--out', run, ...SMALL, demos, ...base, ...more]));
  const ended = once(child, 'close').then(([status]) => status as number);
  return { run, child, output: outputOf(child), ended };
}

/** Everything that was learned and where the environments stand, array by array. */
function finalState(run: string): Map<string, unknown> {
  const { arrays } = loadLatestCheckpoint(run)!;
  const text = (data: ArrayBufferView): string =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return new Map([...arrays].map(([name, data]) => [name, text(data)]));
}

const sameAsLocal = (run: string): void => {
  const [found, wanted] = [finalState(run), finalState(local)];
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  const differing = [...found].filter(([name, bytes]) => bytes !== wanted.get(name)).map(([name]) => name);
  expect(differing).toEqual([]);
};

beforeAll(() => {
  if (!able) return;
  const base = ['--base.steps=40', '--base.hidden=[16]', '--base.validation=0'];
  expect(vernier(['train', 'reach', '--out', local, ...SMALL, ...base])).toMatchObject({ status: 0 });
});

describe.skipIf(!able)('a run with a remote base', () => {
  it('ends with the bits of the run with the same base in its own process', async () => {
    const { endpoint } = await serve();
    const { run, output, ended } = train('remote', endpoint);
    expect(await ended, output.text()).toBe(0);
    sameAsLocal(run);
    const scores = (path: string) => {
      const { base, policy, paired } = JSON.parse(readFileSync(join(path, 'result.json'), 'utf8'));
      return { base, policy, paired };
    };
    expect(scores(run)).toEqual(scores(local));
    const bundle = loadBundle(join(run, 'policy.vrn'));
    expect(bundle.base).toMatchObject({ kind: 'remote', endpoint });
    const evaluated = (where: string) =>
      vernier([
        'eval',
        run,
        '--episodes',
        '4',
        '--json',
        `--base.endpoint=${where}`,
        '--base.reconnect_ms=300',
      ]);
    expect(evaluated(endpoint)).toMatchObject({ status: 0, stdout: expect.stringContaining('"policy"') });
    expect(evaluated('tcp://127.0.0.1:9')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('127.0.0.1:9'),
    });
  });

  it('goes on when the server was killed and is back in time', async () => {
    const first = await serve();
    const { run, child, output, ended } = train('restarted', first.endpoint, ['--base.reconnect_ms=120000']);
    await output.until(/acting and learning/);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await new Promise((resume) => setTimeout(resume, 2500));
    expect(child.exitCode).toBe(null);
    await serve(Number(first.endpoint.split(':').pop()));
    expect(await ended, output.text()).toBe(0);
    sameAsLocal(run);
  });

  it.each<[string, NodeJS.Signals]>([
    ['is killed and does not come back', 'SIGKILL'],
    ['stops answering', 'SIGSTOP'],
  ])('ends with one clear error when the server %s, and goes on later', async (_, signal) => {
    const server = await serve();
    const limits = ['--base.timeout_ms=1000', '--base.reconnect_ms=3000'];
    const { run, output, ended } = train(signal, server.endpoint, limits);
    // Some way into learning, so that there is a checkpoint to go on from.
    while (
      !readdirSync(folder).includes(signal) ||
      !readdirSync(run).some((name) => name.startsWith('checkpoint-'))
    )
      await new Promise((resume) => setTimeout(resume, 20));
    server.child.kill(signal);
    expect(await ended, output.text()).toBe(3);
    const lines = output
      .text()
      .split('\n')
      .filter((line) => line.startsWith('error:'));
    expect(lines).toEqual([
      expect.stringMatching(/the remote base tcp:\S+ did not answer get_action: asked \d times in/),
    ]);
    expect(output.text()).toContain('goes on from its last checkpoint');

    if (signal === 'SIGSTOP') server.child.kill('SIGCONT');
    const again = signal === 'SIGSTOP' ? server : await serve();
    const resumed = vernier(['train', run, `--base.endpoint=${again.endpoint}`]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(resumed.stdout + resumed.stderr).toMatch(/resumed at \d+ environment steps/);
    sameAsLocal(run);
  });

  it('does not begin without its server, nor go on with another policy', async () => {
    const missing = train('missing', 'tcp://127.0.0.1:9', [
      '--base.timeout_ms=200',
      '--base.reconnect_ms=400',
    ]);
    expect(await missing.ended).toBe(3);
    expect(missing.output.text()).toContain('did not answer metadata');
    const first = await serve();
    const begun = train('changed', first.endpoint);
    await begun.output.until(/acting and learning/);
    begun.child.kill('SIGINT');
    expect(await begun.ended).toBe(130);
    const other = join(folder, 'other');
    const base = ['--base.steps=30', '--base.hidden=[16]', '--base.validation=0'];
    expect(
      vernier(['train', 'reach', '--out', other, ...SMALL, ...base, '--residual.steps=100']),
    ).toMatchObject({ status: 0 });
    const { endpoint } = await serve(0, other);
    const resumed = vernier(['train', begun.run, `--base.endpoint=${endpoint}`]);
    expect(resumed.status).toBe(2);
    expect(resumed.stderr).toContain('another policy is served than when the run began');
  });

  it.skipIf(python === undefined)('serves clients written in Python, with keys too', async () => {
    const name = join(folder, 'robot');
    expect(vernier(['serve', '--new-keys', name]).status).toBe(0);
    expect(vernier(['serve', '--new-keys', name]).stderr).toContain('is there already');
    const bundle = loadBundle(join(local, 'policy.vrn'));
    const { O, A } = bundle;
    const base = await makeBase(bundle.base, { B: 1, O, A });
    await base.act(
      Float32Array.from({ length: O }, (_, i) => Math.sin(i * 1.7)),
      new Float32Array(A),
    );
    const H = base.chunk;
    const wanted = Array.from({ length: H }, (_, k) => [...base.decided!.subarray(k * A, (k + 1) * A)]);
    base.close();
    const client = join(folder, 'client');
    expect(vernier(['serve', '--new-keys', client]).status).toBe(0);
    const keys = [
      '--curve-keys',
      `${name}.key_secret`,
      '--curve-clients',
      `${client}.key`,
      '--host',
      '0.0.0.0',
    ];
    const child = started(startVernier(['serve', local, '--policy', 'base', '--port', '0', ...keys]));
    const output = outputOf(child);
    const [, endpoint] = await output.until(/at (\S+), encrypted/);
    const key = (file: string, which: string) =>
      new RegExp(`${which} = "(.{40})"`).exec(readFileSync(file, 'utf8'))![1]!;
    const serverKey = key(`${name}.key`, 'public-key');
    const own = ['public-key', 'secret-key'].map((which) => key(`${client}.key_secret`, which));
    const received = await runPeer('policy_client.py', [
      endpoint!.replace('0.0.0.0', '127.0.0.1'),
      serverKey,
      ...own,
    ]);
    expect(received).toMatchObject({ ping: { status: 'ok' }, reset: { status: 'ok' }, dtype: '<f4' });
    expect(received['unknown']).toMatchObject({ error: expect.stringContaining('was get_action meant?') });
    const close = (found: unknown): void => {
      const numbers = (found as number[][]).flat();
      expect(numbers).toHaveLength(H * A);
      for (const [i, value] of wanted.flat().entries()) expect(numbers[i]).toBeCloseTo(value, 5);
    };
    close(received['whole']);
    close(received['n15']);
    close((received['openpi'] as unknown[])[0]);
    close((received['n16'] as unknown[])[0]);
    child.kill('SIGINT');
    const [status] = await once(child, 'close');
    expect(status).toBe(0);
    expect(output.text()).toMatch(/stopped: \d+ answered, 1 refused/);
  });

  it.skipIf(python === undefined)('answers the client of docs/serving.md', async () => {
    const { endpoint } = await serve();
    const [, snippet] = /```python\n([\s\S]*?)```/.exec(readFileSync('docs/serving.md', 'utf8'))!;
    const script = join(folder, 'client.py');
    writeFileSync(script, snippet!.replace('tcp://127.0.0.1:5555', endpoint));
    const { status, stdout, stderr } = spawnSync(python!, [script], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stdout.trim()).toBe('(8, 3)');
  });

  it('warns where it listens to the world, and says when a port is taken', async () => {
    const child = started(startVernier(['serve', local, '--port', '0', '--host', '0.0.0.0']));
    const output = outputOf(child);
    const [, endpoint] = await output.until(/serving reach, policy, at (\S+):/);
    expect(output.text()).toContain('warning: listening at 0.0.0.0 without --curve-keys');
    const second = vernier(['serve', local, '--host', '0.0.0.0', '--port', endpoint!.split(':').pop()!]);
    expect(second.status).toBe(2);
    expect(second.stderr).toMatch(/cannot listen at tcp:\/\/0.0.0.0:\d+/);
  });
});
