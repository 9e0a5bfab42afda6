// Physics benchmark: the fused control step of the batch against a bare C loop over as many environments of the same
// model, two threads against one, native against WASM, and the bits of one thread against two. A pair is two short
// bursts, one right after the other, and gives one ratio; gates judge the median over pairs. Bursts of about 10 ms are
// shorter than most of what else happens on a machine, so a disturbance spoils a few pairs and not the median.
// Usage: npm run bench:physics [-- --pairs 400 --environments 1024 --only Panda --no-write]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeEnv } from '#env/makeEnv';
import { nativeMujocoVersion } from '#native/nativeBatch';
import { loadTask } from '#spec/task';
import { BareLoop, compileBareLoop } from './bareLoop.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '400' },
    environments: { type: 'string', default: '1024' },
    only: { type: 'string', default: '' },
    'no-write': { type: 'boolean', default: false },
  },
});
const N = Number(options.environments);
const WASM_N = 64;
const PAIRS = Number(options.pairs);
/** Two threads share whole passes, which take long; WASM differs by more than noise. */
const THREAD_PAIRS = Math.ceil(PAIRS / 10);
const WASM_PAIRS = Math.ceil(PAIRS / 10);
const WASM_WARM_UP_MS = 2500;

/** Cores of one machine may differ in speed, as those of a shared host do from minute to minute: both halves of a pair
 * run on the same one, where the system has taskset. Only this thread is bound; a pool's other threads stay free. */
const CORES = cpus().map((_, core) => String(core));
const EVERY_CORE = CORES.join(',');
function bind(cores, pid = process.pid) {
  try {
    execFileSync('taskset', ['-cp', cores, String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const GATES = { bare: 0.95, threads: 1.8, wasm: 1.3 };

/** Small motions keep the arm where the bare loop has it. `burst`: environments that step in about 10 ms. */
const CASES = [
  {
    name: 'cartpole',
    task: join(root, 'bench/models/cartpole_task.yaml'),
    overrides: [],
    noise: 10,
    burst: 256,
  },
  { name: 'Panda', task: 'reach', overrides: ['control.translation=0.004'], noise: 0.02, burst: 64 },
  {
    name: 'Panda + cube',
    task: 'lift',
    overrides: ['control.translation=0.004', 'control.rotation=0.02'],
    noise: 0.02,
    burst: 32,
  },
];

/** A batch that runs bursts of control steps with fresh random actions. */
class Stepper {
  #env;
  #substeps;
  #random = 1;
  #next = 0;

  constructor(env, task) {
    this.#env = env;
    this.#substeps = task.control.substeps;
  }

  /** One control step of the next `count` environments, the others inactive. Wall and CPU seconds, physics steps. */
  run(count = this.#env.B) {
    const { action, active, B } = this.#env;
    for (let i = 0; i < action.length; i++) {
      this.#random = (Math.imul(this.#random, 1103515245) + 12345) & 0x7fffffff;
      action[i] = this.#random / 0x40000000 - 1;
    }
    if (count < B) {
      if (this.#next + count > B) this.#next = 0;
      active.fill(0).fill(1, this.#next, this.#next + count);
      this.#next += count;
    } else active.fill(1);
    return this.#timed(count);
  }

  #timed(count) {
    const before = process.cpuUsage();
    const start = performance.now();
    this.#env.step();
    const wall = (performance.now() - start) / 1e3;
    const used = process.cpuUsage(before);
    return { wall, cpu: (used.user + used.system) / 1e6, steps: count * this.#substeps };
  }

  /** Brings environment i into control step i mod horizon, so that every burst has its share of resets. */
  spread(horizon) {
    const { active, B } = this.#env;
    for (let k = horizon - 1; k > 0; k--) {
      for (let i = 0; i < B; i++) active[i] = i % horizon >= k ? 1 : 0;
      this.#timed(B);
    }
  }

  get state() {
    return this.#env.getState();
  }

  set state(state) {
    this.#env.setState(state);
  }

  close() {
    this.#env.close();
  }
}

async function measure(test, program) {
  const task = await loadTask(test.task, test.overrides);
  const folder = mkdtempSync(join(tmpdir(), 'vernier-bench-'));
  const seed = 1;
  const one = new Stepper(await makeEnv(task, { environments: N, seed, threads: 1 }), task);
  const two = new Stepper(await makeEnv(task, { environments: N, seed, threads: 2 }), task);
  const wasm = new Stepper(await makeEnv(task, { environments: WASM_N, seed, backend: 'wasm' }), task);
  const probe = await makeEnv(task, { environments: 1, seed, threads: 1 });
  const { qpos } = probe.readCopy(0);
  const bare = new BareLoop(program, task, { environments: N, noise: test.noise, qpos, folder });
  try {
    for (const stepper of [one, two, one, two]) stepper.run();
    const identical = Buffer.compare(one.state, two.state) === 0;
    one.spread(task.horizon);
    two.state = one.state;
    for (const end = performance.now() + WASM_WARM_UP_MS; performance.now() < end; ) wasm.run();
    const count = Math.min(N, test.burst);
    const ours = () => one.run(count);
    const bound = bind('0') && bind('0', bare.pid);
    const againstBare = await pairs(PAIRS, ours, () => bare.run(count));
    const againstWasm = await pairs(WASM_PAIRS, ours, () => wasm.run());
    return {
      name: test.name,
      substeps: task.control.substeps,
      count,
      identical,
      bound,
      bare: againstBare,
      threads: await threadPairs(one, two),
      wasm: againstWasm,
    };
  } finally {
    bare.close();
    for (const stepper of [one, two, wasm]) stepper.close();
    probe.close();
    rmSync(folder, { recursive: true });
  }
}

/** Bursts of a and b in turn, the order swapped from pair to pair. */
async function pairs(count, a, b) {
  const runs = [];
  for (let k = 0; k < count; k++) {
    const first = await (k % 2 === 0 ? a() : b());
    const second = await (k % 2 === 0 ? b() : a());
    runs.push(k % 2 === 0 ? [first, second] : [second, first]);
  }
  return runs;
}

/** Two threads on all cores, against one thread on each of the first two in turn. */
async function threadPairs(one, two) {
  const both = () => {
    bind(EVERY_CORE);
    return two.run();
  };
  const alone = () => {
    const runs = CORES.slice(0, 2).map((core) => {
      bind(core);
      return one.run();
    });
    const total = (key) => runs.reduce((sum, run) => sum + run[key], 0);
    return { wall: total('wall'), cpu: total('cpu'), steps: total('steps') };
  };
  const runs = await pairs(THREAD_PAIRS, both, alone);
  bind(EVERY_CORE);
  return runs;
}

function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

const median = (values) => quantile(values, 0.5);

/** Median of a burst's figure, of the pair's first or second half. */
const rateOf = (runs, half) => median(runs.map((pair) => pair[half].steps / pair[half].wall));

function ratioOf(runs, clock = 'wall') {
  const ratios = runs.map(([a, b]) => a.steps / a[clock] / (b.steps / b[clock]));
  return { median: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) };
}

const digits = (value) => value.toFixed(2);
const thousands = (value) => `${(value / 1e3).toFixed(0)}k`;
const shown = ({ median: middle, low, high }) =>
  `${middle.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
const verdict = (ratio, gate) => `${shown(ratio)} ${ratio.median >= gate ? 'ok' : `BELOW ${gate}`}`;
const mean = (runs, field) => median(runs.map(([, loop]) => loop[field])).toFixed(1);

function report(results) {
  const columns = [
    ['model', (r) => r.name],
    ['substeps', (r) => r.substeps],
    ['contacts, rows', (r) => `${mean(r.bare, 'contacts')}, ${mean(r.bare, 'rows')}`],
    ['burst', (r) => r.count],
    ['bare C', (r) => thousands(rateOf(r.bare, 1))],
    ['1 thread', (r) => thousands(rateOf(r.bare, 0))],
    ['2 threads', (r) => thousands(rateOf(r.threads, 0))],
    ['WASM', (r) => thousands(rateOf(r.wasm, 1))],
    ['1 thread / bare', (r) => verdict(ratioOf(r.bare), GATES.bare)],
    ['the same, CPU time', (r) => shown(ratioOf(r.bare, 'cpu'))],
    ['2 threads / 1', (r) => verdict(ratioOf(r.threads), GATES.threads)],
    ['native / WASM', (r) => verdict(ratioOf(r.wasm), GATES.wasm)],
    ['1 = 2 threads, bits', (r) => (r.identical ? 'yes' : 'NO')],
  ];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map(() => '---')),
    ...results.map((result) => line(columns.map(([, cell]) => cell(result)))),
  ].join('\n');
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

const before = loadavg();
const program = compileBareLoop();
const results = [];
for (const test of CASES.filter(({ name }) => options.only === '' || name === options.only)) {
  results.push(await measure(test, program));
  console.log(report(results.slice(-1)));
}
const BINDING = results.every(({ bound }) => bound)
  ? 'Both halves of a pair\nran on the same core; two threads had both, and one thread each of them in turn.'
  : 'No thread was bound to a core.';
const text = `# Physics throughput

Physics steps per second, N = ${N} environments (WASM: ${WASM_N}), medians over bursts. A ratio is the median over pairs of
bursts that ran one right after the other, in brackets its quartiles: ${PAIRS} pairs against the bare loop, ${THREAD_PAIRS} of two threads
against one (whole passes), ${WASM_PAIRS} against WASM. Gates, on the medians: ${GATES.bare}, ${GATES.threads}, ${GATES.wasm}.

${report(results)}

What is compared. A burst of the batch is one call: a whole control step of as many of its ${N} environments as the column
says, in turn, the others inactive: controls and inverse kinematics, substeps, signals, observation, reward, end of
episode, reset with randomisation, faults caught. The bare loop (\`bench/bare_loop.c\`, one thread) does for as many of its
${N} environments what no program can leave out: load the state, write controls, \`mj_step\` the substeps, save the state,
reset at the horizon. Both have their resets spread evenly over bursts. Contacts and constraint rows are the bare loop's
means. WASM has fewer environments, which favours it. ${BINDING}

MuJoCo ${nativeMujocoVersion()}, Node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}, load before ${before.map(digits).join(' ')}, after
${loadavg().map(digits).join(' ')}, commit ${commit()}. Reproduce: \`npm run bench:physics\`.
`;
console.log(`\n${text}`);
if (!options['no-write'] && options.only === '') {
  mkdirSync(join(root, 'docs/results'), { recursive: true });
  writeFileSync(join(root, 'docs/results/physics.md'), text);
}
const passed = results.every(
  (r) => r.identical && Object.entries(GATES).every(([key, gate]) => ratioOf(r[key]).median >= gate),
);
process.exit(passed ? 0 : 1);
