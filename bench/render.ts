import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '#native/addon';
import { commitWithChanges } from './commit.js';
import type { SceneTimings } from './render/frames.js';
import { variants } from './render/scenes.js';

/** `npm run bench:render`: what a frame costs on a software driver and where the time goes. Writes docs/results/render.md. */

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '300' },
    turns: { type: 'string', default: '3' },
    'no-write': { type: 'boolean', default: false },
  },
});
const GATE_MS = 12;
const here = dirname(fileURLToPath(import.meta.url));

/** The core that one-core runs are bound to, where the system can. */
const bound = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** @param threads of llvmpipe beside the one that draws; its own choice when left out */
function frames(
  sides: readonly number[],
  rounds: number,
  { oneCore, threads, all }: { oneCore: boolean; threads?: number; all?: boolean },
): SceneTimings[] {
  const node = ['--conditions=vernier-src', '--import', join(here, '..', 'tests/tools/typescript.mjs')];
  const args = [
    ...node,
    join(here, 'render', 'frames.ts'),
    sides.join(','),
    String(rounds),
    ...(all ? ['all'] : []),
  ];
  const [command, ...rest] =
    oneCore && bound ? ['taskset', '-c', '0', process.execPath, ...args] : [process.execPath, ...args];
  const { LP_NUM_THREADS: _, ...env } = process.env;
  if (threads !== undefined) env.LP_NUM_THREADS = String(threads);
  const out = execFileSync(command!, rest, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(out) as SceneTimings[];
}

const ms = (x: number): string => (x < 0.095 ? x.toFixed(3) : x.toFixed(2));
const row = (cells: readonly (string | number)[]): string => {
  console.log(cells.join(' | '));
  return `| ${cells.join(' | ')} |`;
};
const before = loadavg()[0]!.toFixed(1);
const single = frames([64, 128, 224], Number(options.rounds), { oneCore: true, all: true });
const frameRows = single.map(({ scene, side, frame, hash, variants: { nothing } }) =>
  row([scene, side, ms(frame.median), ms(frame.p99), ms(nothing!), ms(hash)]),
);
const large = single.filter(({ side }) => side === 224);
const variantRows = Object.keys(variants).map((name) =>
  row([name, ...large.map(({ frame, variants: medians }) => (medians[name]! / frame.median).toFixed(2))]),
);
const keptRows = single
  .filter(({ scene }) => scene !== 'nut_assembly')
  .flatMap(({ scene, side, kept }) =>
    Object.entries(kept).map(([way, { ms: time, bytes }]) =>
      row([scene, side, way, ms(time), bytes, (bytes / (3 * side * side)).toFixed(2)]),
    ),
  );

const settings = [
  { name: 'one core', oneCore: true },
  { name: 'one core, `LP_NUM_THREADS=0`', oneCore: true, threads: 0 },
  { name: 'all cores', oneCore: false },
  { name: 'all cores, `LP_NUM_THREADS=0`', oneCore: false, threads: 0 },
];
const turns = Array.from({ length: Number(options.turns) }, () =>
  settings.map((setting) => frames([224], Number(options.rounds) / 3, setting)),
);
const threadRows = settings.map(({ name }, i) =>
  row([
    name,
    ...large.map(({ scene }) =>
      ms(Math.min(...turns.map((turn) => turn[i]!.find((each) => each.scene === scene)!.frame.median))),
    ),
  ]),
);

const gate = large.find(({ scene }) => scene === 'humanoid')!.frame.median;
const verdict = `${gate <= GATE_MS ? 'Kept' : '**Missed**'}: a 224 x 224 frame of the humanoid takes ${ms(gate)} ms, the gate is ${GATE_MS} ms.`;
console.log(verdict);

const names = large.map(({ scene }) => scene).join(' | ');
const report = `# What a frame costs

\`npm run bench:render\`, commit ${commitWithChanges()}, ${cpus()[0]!.model.trim()}, ${cpus().length} cores, load ${before} before and ${loadavg()[0]!.toFixed(1)} after the run (averages
of a minute), Node ${process.versions.node}, Mesa's llvmpipe. Milliseconds, medians unless said otherwise. ${verdict}

## On one core

As a task's cameras draw: no shadows, no multisampling, round bodies of 16 slices and 8 stacks. \`nothing\` is the same call for an
empty world: making the context current, clearing, reading the pixels back, turning them over. The hash is SHA-256.

| scene | side | frame | p99 | nothing | hash |
|---|---|---|---|---|---|
${frameRows.join('\n')}

## Where the time goes

Frames of 224 x 224 in turns with those above, one thing changed in each; the ratio of medians.

| | ${names} |
|---|${large.map(() => '---').join('|')}|
${variantRows.join('\n')}

Corners cost more than pixels, so round bodies are drawn with fewer faces. What is left of the humanoid is mostly its floor:
MuJoCo draws an endless plane as 200 x 200 squares whatever is asked for. A plane with a size is drawn in squares
as large as the third number of its size instead. Reading pixels back, clearing and hashing do not count.

## Threads of the driver

${options.turns} turns of each, 224 x 224; the median of the turn that was disturbed least.

| | ${names} |
|---|${large.map(() => '---').join('|')}|
${threadRows.join('\n')}

## Keeping frames

What \`FrameStore.put\` costs, hash and write included, beside Brotli, deflate and PNG of the same frames by themselves; the last
column is the share of the raw pixels.

| scene | side | | ms | bytes | share |
|---|---|---|---|---|---|
${keptRows.join('\n')}
`;
if (!options['no-write']) {
  const out = join(packageRoot, 'docs', 'results', 'render.md');
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, report);
}
