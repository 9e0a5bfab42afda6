// Physics benchmark: the fused control step of the batch against a bare C loop on the same model, two threads
// against one, native against WASM, all interleaved in short bursts, and the bits of one thread against two.
// Usage: npm run bench:physics [-- --bursts 15 --seconds 0.15 --environments 1024 --no-write]
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeEnv } from '#env/makeEnv';
import { nativeMujocoVersion } from '#native/nativeBatch';
import { loadTask } from '#spec/task';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({
  options: {
    bursts: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '0.15' },
    environments: { type: 'string', default: '1024' },
    'no-write': { type: 'boolean', default: false },
  },
});
const BURSTS = Number(options.bursts);
const SECONDS = Number(options.seconds);
const N = Number(options.environments);
const WASM_N = 64;

const GATES = { bare: 0.95, threads: 1.8, wasm: 1.3 };

/** Small motions keep the arm where the bare loop has it. */
const CASES = [
  { name: 'cartpole', task: join(root, 'bench/models/cartpole_task.yaml'), overrides: [], noise: 10 },
  { name: 'Panda', task: 'reach', overrides: ['control.translation=0.004'], noise: 0.02 },
  {
    name: 'Panda + cube',
    task: 'lift',
    overrides: ['control.translation=0.004', 'control.rotation=0.02'],
    noise: 0.02,
  },
];

function compileBareLoop() {
  const vendor = process.env.MUJOCO_PATH ?? join(root, 'vendor/mujoco/mujoco');
  const folders = [vendor, join(vendor, 'lib')];
  const library = folders
    .flatMap((folder) => listed(folder).map((file) => join(folder, file)))
    .find((file) => /libmujoco.*\.(so|dylib)/.test(file));
  if (!library) throw new Error(`no libmujoco in ${folders.join(' or ')}`);
  const out = join(root, 'build/bench');
  mkdirSync(out, { recursive: true });
  const program = join(out, 'bare_loop');
  const source = join(root, 'bench/bare_loop.c');
  const link = [library, `-Wl,-rpath,${dirname(library)}`, '-lm'];
  execFileSync(process.env.CC ?? 'cc', [
    '-O2',
    source,
    '-o',
    program,
    `-I${join(vendor, 'include')}`,
    ...link,
  ]);
  return program;
}

function listed(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The C loop as a child process that runs bursts on demand. */
class BareLoop {
  #child;
  #lines;

  constructor(program, task, noise, home, folder) {
    const model = join(folder, 'model.xml');
    writeFileSync(model, task.model.xml);
    for (const [name, bytes] of task.model.files) writeFileSync(join(folder, name), bytes);
    const { timestep, substeps } = task.control;
    const args = [model, timestep, substeps, task.horizon, noise, ...home.qpos, ...home.ctrl].map(String);
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async run(controlSteps) {
    this.#child.stdin.write(`${controlSteps}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the bare loop ended early');
    const [wall, cpu, steps, contacts] = value.split(' ').map(Number);
    return { wall: steps / wall, cpu: steps / cpu, contacts };
  }

  close() {
    this.#child.stdin.end();
  }
}

/** A batch that runs whole control steps with fresh random actions. */
class Stepper {
  #env;
  #task;
  #state = 1;

  constructor(env, task) {
    this.#env = env;
    this.#task = task;
  }

  run(controlSteps) {
    const { action } = this.#env;
    let wall = 0;
    let cpu = 0;
    for (let k = 0; k < controlSteps; k++) {
      for (let i = 0; i < action.length; i++) {
        this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff;
        action[i] = this.#state / 0x40000000 - 1;
      }
      const before = process.cpuUsage();
      const start = performance.now();
      this.#env.step();
      wall += performance.now() - start;
      const used = process.cpuUsage(before);
      cpu += used.user + used.system;
    }
    const steps = controlSteps * this.#env.B * this.#task.control.substeps;
    return { wall: (1e3 * steps) / wall, cpu: (1e6 * steps) / cpu };
  }

  get state() {
    return this.#env.getState();
  }

  close() {
    this.#env.close();
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const best = (values) => Math.max(...values);

async function measure(test, program) {
  const task = await loadTask(test.task, test.overrides);
  const folder = mkdtempSync(join(tmpdir(), 'vernier-bench-'));
  const seed = 1;
  const one = new Stepper(await makeEnv(task, { environments: N, seed, threads: 1 }), task);
  const two = new Stepper(await makeEnv(task, { environments: N, seed, threads: 2 }), task);
  const probe = await makeEnv(task, { environments: 1, seed, threads: 1 });
  const wasm = new Stepper(await makeEnv(task, { environments: WASM_N, seed, backend: 'wasm' }), task);
  const { qpos } = probe.readCopy(0);
  const { arm, gripper } = task.robot;
  const ctrl = new Float64Array(task.names.nu);
  for (const [i, id] of arm.actuators.entries()) ctrl[id] = task.control.mode === 'torque' ? 0 : arm.home[i];
  for (const id of gripper?.actuators ?? []) ctrl[id] = gripper.open;
  const bare = new BareLoop(program, task, test.noise, { qpos, ctrl }, folder);
  try {
    one.run(2);
    two.run(2);
    const identical = Buffer.compare(one.state, two.state) === 0;
    // Burst lengths that take about the asked time, found by trying; WASM also needs seconds to warm up.
    const { substeps } = task.control;
    const batchSteps = Math.max(1, Math.round((SECONDS * one.run(2).wall) / (N * substeps)));
    const bareSteps = Math.max(1, Math.round((SECONDS * (await bare.run(200)).wall) / substeps));
    for (const end = performance.now() + 2500; performance.now() < end; ) wasm.run(2);
    const wasmSteps = Math.max(1, Math.round((SECONDS * wasm.run(2).wall) / (WASM_N * substeps)));
    const rates = { bare: [], one: [], two: [], wasm: [] };
    for (let burst = 0; burst < BURSTS; burst++) {
      rates.bare.push(await bare.run(bareSteps));
      rates.one.push(one.run(batchSteps));
      rates.two.push(two.run(2 * batchSteps));
      rates.wasm.push(wasm.run(wasmSteps));
    }
    return { ...summarize(rates), identical, substeps, name: test.name };
  } finally {
    bare.close();
    for (const stepper of [one, two, wasm]) stepper.close();
    probe.close();
    rmSync(folder, { recursive: true });
  }
}

/** Ratios of the best bursts, and medians of burst-by-burst ratios. */
function summarize(rates) {
  const wall = (key) => rates[key].map((rate) => rate.wall);
  const paired = (a, b, clock) => median(rates[a].map((rate, i) => rate[clock] / rates[b][i][clock]));
  return {
    rate: {
      bare: best(wall('bare')),
      one: best(wall('one')),
      two: best(wall('two')),
      wasm: best(wall('wasm')),
    },
    bare: best(wall('one')) / best(wall('bare')),
    bareMedian: paired('one', 'bare', 'wall'),
    bareCpu: paired('one', 'bare', 'cpu'),
    threads: best(wall('two')) / best(wall('one')),
    threadsMedian: paired('two', 'one', 'wall'),
    wasm: best(wall('one')) / best(wall('wasm')),
    wasmMedian: paired('one', 'wasm', 'wall'),
    contacts: median(rates.bare.map((rate) => rate.contacts)),
  };
}

const ratio = (value) => value.toFixed(2);
const thousands = (value) => `${(value / 1e3).toFixed(0)}k`;
const verdict = (value, gate) => `${ratio(value)} ${value >= gate ? 'ok' : `BELOW ${gate}`}`;

function report(results) {
  const rows = results.map((r) =>
    [
      r.name,
      r.substeps,
      r.contacts.toFixed(1),
      thousands(r.rate.bare),
      thousands(r.rate.one),
      thousands(r.rate.two),
      thousands(r.rate.wasm),
      `${verdict(r.bare, GATES.bare)} (${ratio(r.bareMedian)}, CPU ${ratio(r.bareCpu)})`,
      `${verdict(r.threads, GATES.threads)} (${ratio(r.threadsMedian)})`,
      `${verdict(r.wasm, GATES.wasm)} (${ratio(r.wasmMedian)})`,
      r.identical ? 'yes' : 'NO',
    ].join(' | '),
  );
  const head = [
    'model',
    'substeps',
    'contacts',
    'bare C',
    '1 thread',
    '2 threads',
    'WASM',
    '1 thread / bare',
    '2 threads / 1',
    'native / WASM',
    '1 = 2 threads, bits',
  ];
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row} |`),
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
for (const test of CASES) {
  results.push(await measure(test, program));
  console.log(report(results.slice(-1)));
}
const text = `# Physics throughput

Physics steps per second (best burst), N = ${N} environments (WASM: ${WASM_N}); ratios of the best bursts, in brackets
the median over bursts that ran one after the other, and of CPU time instead of wall time. One batch call is a whole
control step: controls and inverse kinematics, substeps, signals, observation, reward, end of episode, reset with
randomisation. The bare loop only calls mj_step on one mjData. Gates: ${GATES.bare}, ${GATES.threads}, ${GATES.wasm}.

${report(results)}

MuJoCo ${nativeMujocoVersion()}, Node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}, load before ${before.map(ratio).join(' ')}, after
${loadavg().map(ratio).join(' ')}, commit ${commit()}. ${BURSTS} bursts of ${SECONDS} s. Reproduce: \`npm run bench:physics\`.
`;
console.log(`\n${text}`);
if (!options['no-write']) {
  mkdirSync(join(root, 'docs/results'), { recursive: true });
  writeFileSync(join(root, 'docs/results/physics.md'), text);
}
const passed = results.every(
  (r) => r.bare >= GATES.bare && r.threads >= GATES.threads && r.wasm >= GATES.wasm && r.identical,
);
process.exit(passed ? 0 : 1);
