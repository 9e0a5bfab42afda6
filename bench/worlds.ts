import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeEnv } from '#env/makeEnv';
import type { EnvOptions, VectorEnv } from '#env/vectorEnv';
import { packageRoot } from '#native/addon';
import { loadFormulaTask } from '#spec/formulaTask';
import { loadTask, type ResolvedTask } from '#spec/task';
import { generateFormula } from '#stl/families';
import { familySpaces } from '#stl/familySpaces';
import { commit } from './commit.js';

/** `npm run bench:worlds`: environment steps per second of the worlds that formulas are put into, everything included
 * (dynamics, expressions, monitor, reward, reset), on one thread, two, and in WASM, in turns of short bursts.
 * Writes docs/results/worlds.md. */

const { values: options } = parseArgs({
  options: {
    bursts: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '0.2' },
    environments: { type: 'string', default: '1024' },
    'no-write': { type: 'boolean', default: false },
  },
});
const bursts = Number(options.bursts);
const seconds = Number(options.seconds);
const B = Number(options.environments);
const wasmB = 32;

interface World {
  readonly name: string;
  readonly steps: string;
  readonly task: ResolvedTask;
}

/** A sequence of three regions among two to avoid, whose places are constants. */
async function generated(
  world: 'linear' | 'unicycle' | 'quadrotor' | 'panda' | 'ant',
  steps: string,
): Promise<World> {
  const horizon = world === 'ant' ? 600 : 200;
  const problem = generateFormula('sequence', { space: familySpaces[world], subgoals: 3, horizon, seed: 1 });
  return { name: world, steps, task: await loadFormulaTask(`stl_${world}`, problem) };
}

const worlds: readonly World[] = [
  await generated('linear', 'closed form'),
  { name: 'linear, regions are bodies', steps: 'closed form', task: await loadTask('stl_linear') },
  await generated('unicycle', 'closed form'),
  await generated('quadrotor', 'closed form, 10 substeps'),
  await generated('panda', 'closed form, kinematics of the hand'),
  await generated('ant', 'MuJoCo, 10 substeps'),
];

/** Steps with fresh actions for about `seconds`. @returns environment steps per second */
function burst(env: VectorEnv): number {
  let state = 1;
  let steps = 0;
  let wall = 0;
  while (wall < 1e3 * seconds) {
    for (let i = 0; i < env.action.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      env.action[i] = state / 0x40000000 - 1;
    }
    const start = performance.now();
    env.step();
    wall += performance.now() - start;
    steps++;
  }
  return (1e3 * steps * env.B) / wall;
}

async function measure({ name, steps, task }: World): Promise<string> {
  const kinds: Partial<EnvOptions>[] = [
    { threads: 1, backend: 'native' },
    { threads: 2, backend: 'native' },
    { environments: wasmB, backend: 'wasm' },
  ];
  const envs = await Promise.all(kinds.map((kind) => makeEnv(task, { environments: B, seed: 1, ...kind })));
  const rates: number[][] = envs.map(() => []);
  for (let k = 0; k <= bursts; k++) {
    for (const [i, env] of envs.entries()) {
      const rate = burst(env);
      if (k > 0) rates[i]!.push(rate);
    }
  }
  for (const env of envs) env.close();
  const [one, two, wasm] = rates.map((each) => each.toSorted((a, b) => a - b)) as [
    number[],
    number[],
    number[],
  ];
  const middle = (sorted: readonly number[]): number => sorted[sorted.length >> 1]!;
  const thousands = (x: number): string => `${(x / 1e3).toFixed(x < 1e4 ? 1 : 0)}k`;
  const cells = [
    name,
    steps,
    `${thousands(middle(one))} (${thousands(one.at(-1)!)})`,
    thousands(middle(two)),
    thousands(middle(wasm)),
    (middle(two) / middle(one)).toFixed(2),
    (middle(one) / middle(wasm)).toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

const before = loadavg();
const rows: string[] = [];
for (const world of worlds) {
  rows.push(await measure(world));
  console.log(rows.at(-1));
}
const load = (values: readonly number[]): string => values.map((x) => x.toFixed(2)).join(' ');
const text = `# Worlds for formulas: environment steps per second

One step is a control step of one environment with everything in it: dynamics, expressions, the monitor of the formula,
reward, end of episode, reset with randomisation. B = ${B} (WASM: ${wasmB}), fresh random actions, a generated sequence of three
regions and two to avoid; median over bursts (in brackets the best).

| world | stepped by | 1 thread | 2 threads | WASM | 2 threads / 1 | native / WASM |
|---|---|---|---|---|---|---|
${rows.join('\n')}

Regions that are bodies of the scene cost frames of the scene only where a randomisation moves them.

Node ${process.version}, ${cpus().length} x ${cpus()[0]!.model.trim()}, load before ${load(before)}, after ${load(loadavg())},
commit ${commit()}. ${bursts} bursts of ${seconds} s. Reproduce: \`npm run bench:worlds\`.
`;
console.log(`\n${text}`);
if (!options['no-write']) {
  const file = join(packageRoot, 'docs/results/worlds.md');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
