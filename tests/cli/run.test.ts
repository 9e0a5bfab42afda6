import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addonStatus } from '#native/addon';
import { renderingMissing } from '../env/rendering.js';
import { startVernier, vernier } from './cli.js';

// One small run through all its commands, as a user gives them: stopped by Ctrl-C, gone on with, looked at.
const native = addonStatus().addon !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'vernier-run-'));
const run = join(folder, 'run');
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = [
  ...['--demos.episodes=4', '--base.steps=40', '--base.hidden=[16]', '--base.validation=0'],
  ...[
    '--residual.environments=4',
    '--residual.hidden=[16,16]',
    '--residual.critics=2',
    '--residual.utd=0.25',
  ],
  ...['--residual.warmup_steps=40', '--residual.critic_only_updates=5', '--residual.evaluate_episodes=4'],
  ...['--residual.evaluate_every=1000000', '--residual.checkpoint_every=1000000', '--residual.batch=16'],
  ...['--evaluation.episodes=8', '--evaluation.environments=8'],
];

const steps = (): number => {
  const [checkpoint] = readdirSync(run).filter((name) => name.startsWith('checkpoint-'));
  return Number(/\d+/.exec(checkpoint!)![0]);
};

let stopped: { status: number | null; output: string };
beforeAll(async () => {
  if (!native) return;
  const child = startVernier(['train', 'reach', '--out', run, '--residual.steps=100000000', ...SMALL]);
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
    if (/acting and learning/.test(output) && !/stopping/.test(output)) child.kill('SIGINT');
  });
  child.stderr!.on('data', (chunk) => {
    output += chunk;
  });
  const [status] = await once(child, 'close');
  stopped = { status, output };
}, 120_000);

it.skipIf(!native)('saves a checkpoint at Ctrl-C, says how to go on, and ends with 130', () => {
  expect(stopped.output).toContain('Ctrl-C again exits at once');
  expect(stopped.output).toMatch(/stopped at \d+ environment steps; go on with: vernier train /);
  expect(stopped.status).toBe(130);
  expect(steps()).toBeGreaterThan(40);
});

it.skipIf(!native)('evaluates the checkpoint of a run that has not finished, and says so', () => {
  const { status, stdout, stderr } = vernier(['eval', run, '--episodes', '6', '--json']);
  expect(stderr).toMatch(/has not finished: .* its checkpoint at \d+ environment steps/);
  expect(status).toBe(0);
  expect(JSON.parse(stdout).policies.policy.episodes).toBe(6);
});

it.skipIf(!native)('keeps the resolved configuration with the run', () => {
  const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
  expect(record.task).toMatch(/tasks\/reach\.yaml$/);
  expect(record.overrides).toContain('base.steps=40');
  expect(record.resolved).toMatchObject({
    base: { steps: 40, chunk: expect.any(Number) },
    horizon: expect.any(Number),
  });
});

it.skipIf(!native)('goes on from the run folder alone, to its report', () => {
  const before = steps();
  const { status, stdout, stderr } = vernier(['train', run, `--residual.steps=${before + 40}`]);
  expect(stderr).toBe('');
  expect(stdout).toContain(`resumed at ${before} environment steps`);
  expect(stdout).not.toContain('demonstrations by the expert');
  expect(stdout).toMatch(/base {2,}\d+\.\d % \[/);
  expect(status).toBe(0);
  for (const name of ['report.html', 'policy.vrn', 'result.json'])
    expect(existsSync(join(run, name))).toBe(true);
  expect(readdirSync(join(run, 'tensorboard')).length).toBeGreaterThan(0);
});

it.skipIf(!native || renderingMissing)(
  'films base and policy, and the episodes that are played',
  () => {
    const again = vernier(['train', run, '--video', join(run, 'both.apng')]);
    expect(again.stderr).toBe('');
    expect(again.status).toBe(0);
    expect(again.stdout).toMatch(/film: .*both\.apng/);
    // Two pictures of 240 pixels, each in a frame of 4, and 4 between them.
    expect(readFileSync(join(run, 'both.apng')).readUInt32BE(16)).toBe(2 * 248 + 4);
    const film = join(folder, 'one.apng');
    const args = ['--episodes', '2', '--size', '64x48', '--out', join(folder, 'played'), '--video', film];
    expect(vernier(['play', run, ...args]).stdout).toMatch(/film: .*one\.apng/);
    expect(readFileSync(film).readUInt32BE(16)).toBe(64 + 8);
    expect(readdirSync(join(folder, 'played')).every((name) => name.endsWith('.png'))).toBe(true);
  },
  240_000,
);

it('refuses a film before anything is trained', () => {
  const out = join(folder, 'unfilmed');
  const { status, stderr } = vernier(['train', 'reach', '--out', out, '--video', 'film.gif']);
  expect(stderr).toContain('.mp4 or .apng');
  expect(status).toBe(2);
  expect(existsSync(join(out, 'metrics.jsonl'))).toBe(false);
});

it.skipIf(!native)('refuses other settings for a run that is under way, and leaves its record alone', () => {
  const record = readFileSync(join(run, 'run.json'), 'utf8');
  const { status, stderr } = vernier(['train', run, '--residual.gamma=0.5']);
  expect(readFileSync(join(run, 'run.json'), 'utf8')).toBe(record);
  expect(stderr).toContain('residual.gamma was 0.98, now it is 0.5');
  expect(status).toBe(2);
});

it.skipIf(!native)('refuses to put another task into the folder', () => {
  const { status, stderr } = vernier(['train', 'lift', '--out', run]);
  expect(stderr).toContain('holds a run of tasks/reach.yaml');
  expect(status).toBe(2);
});

it.skipIf(!native)('refuses a folder whose settings are of another task, though no record says so', () => {
  const foreign = join(folder, 'foreign');
  mkdirSync(foreign);
  cpSync(join(run, 'config.json'), join(foreign, 'config.json'));
  const { status, stderr } = vernier(['train', 'lift', '--out', foreign]);
  expect(stderr).toContain('started with other settings: task was');
  expect(status).toBe(2);
  expect(readdirSync(foreign)).toEqual(['config.json']);
});

it.skipIf(!native)('evaluates base and policy on the same starts', () => {
  const { status, stdout } = vernier(['eval', run, '--episodes', '6', '--json']);
  expect(status).toBe(0);
  const { policies, paired } = JSON.parse(stdout);
  expect(policies.base.episodes).toBe(6);
  expect(policies.policy.episodes).toBe(6);
  expect(paired.both + paired.onlyFirst + paired.onlySecond + paired.neither).toBe(6);
  expect(paired.both + paired.onlyFirst).toBe(policies.base.successes);
});

it.skipIf(!native)('inspects the run and its files', () => {
  expect(vernier(['inspect', run]).stdout).toContain('finished after');
  expect(vernier(['inspect', join(run, 'policy.vrn')]).stdout).toContain('chunk, 8 actions');
  expect(vernier(['inspect', join(run, 'demos.vrn')]).stdout).toMatch(/episodes +4, 100\.0 % successful/);
});

it.skipIf(!native)('distils the run into a bundle that the other commands take', () => {
  const out = join(folder, 'student.vrn');
  const small = ['--distill.steps=512', '--distill.rollout=16', '--distill.minibatch=64'];
  const asked = ['distill', run, '--out', out, ...small, '--distill.evaluate_episodes=4'];
  const { status, stdout, stderr } = vernier(asked);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toMatch(/teacher .* \d+ parameters[\s\S]*student .* \d+ parameters/);
  expect(stdout).toContain('on the same starts: only student');
  expect(vernier(asked).stderr).toContain('is there already');
  expect(vernier(['inspect', out]).stdout).toContain('chunk, 1 action');
  const evaluated = vernier(['eval', out, '--policy', 'policy', '--episodes', '4', '--json']);
  expect(JSON.parse(evaluated.stdout).policies.policy.episodes).toBe(4);
  expect(vernier(['export', out, '--out', join(folder, 'student')]).status).toBe(0);
  expect(existsSync(join(folder, 'student', 'base.onnx'))).toBe(true);
  expect(vernier(['distill', out]).stderr).toContain('a student already');
});

it.skipIf(!native)('exports networks and the contract that tells how to use them', () => {
  const out = join(folder, 'export');
  expect(vernier(['export', run, '--out', out]).status).toBe(0);
  const contract = JSON.parse(readFileSync(join(out, 'policy.json'), 'utf8'));
  expect(contract).toMatchObject({ task: 'reach', actionNames: ['x', 'y', 'z'], controlPeriod: 0.05 });
  for (const { file } of Object.values(contract.networks as Record<string, { file: string }>))
    expect(existsSync(join(out, file))).toBe(true);
});

it.skipIf(!native)('refuses a torn bundle with one message', () => {
  const torn = join(folder, 'torn.vrn');
  writeFileSync(torn, readFileSync(join(run, 'policy.vrn')).subarray(0, -100));
  const { status, stderr } = vernier(['eval', torn]);
  expect(stderr).toContain('torn');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(status).toBe(2);
});

it.skipIf(!native)('refuses the bundle of another task', () => {
  const { status, stderr } = vernier(['eval', join(run, 'policy.vrn'), '--task', 'lift']);
  expect(stderr).toContain('made for another');
  expect(status).toBe(2);
});

it.skipIf(!native)('records demonstrations once, and trains from the file', () => {
  const out = join(folder, 'demos.vrn');
  expect(vernier(['demos', 'reach', '--episodes', '3', '--out', out]).stdout).toContain('3 episodes');
  expect(vernier(['demos', 'reach', '--episodes', '3', '--out', out]).stderr).toContain('is there already');
  const other = vernier(['train', 'lift', '--out', join(folder, 'lift'), `--demos.file=${out}`]);
  expect(other.stderr).toMatch(/observations have|recorded for another/);
  expect(other.status).toBe(2);
});

it('trains without the addon: WASM physics, TypeScript networks, no pictures', () => {
  const out = join(folder, 'wasm');
  const args = ['train', 'reach', '--out', out, '--residual.steps=80', ...SMALL];
  const { status, stdout, stderr } = vernier(args, { VERNIER_BACKEND: 'wasm' });
  expect(stderr).toBe('');
  expect(stdout).toContain('physics: MuJoCo in WASM; networks: TypeScript');
  expect(status).toBe(0);
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('none: the native addon is not available');
});

it.skipIf(!native)('ends an evaluation at Ctrl-C without a result', async () => {
  const child = startVernier(['eval', 'reach', '--policy', 'zero', '--episodes', '10000000']);
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
    child.kill('SIGINT');
  });
  const [status] = await once(child, 'close');
  expect(status).toBe(130);
  expect(output).not.toContain('%');
});
