// The training engine against PyTorch and JAX in one interleaved run: `npm run bench:engine [-- --rounds 12]`;
// `--kinds redq --threads 2` runs a part of it, `--out` elsewhere.
// Peers live in a virtual environment under build/ that the first run makes; without Python or network they are
// left out and the table says so. Prints markdown and writes it to docs/results/engine.md.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engineAddon } from '#nn/native';
import { buildActor, buildUpdate, operationsOf, sizes } from './engine/programs.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const packages = ['torch==2.13.0', 'numpy', 'jax==0.10.2', 'jaxlib==0.10.2'];
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '0.3' },
    kinds: { type: 'string', default: 'redq,td3' },
    threads: { type: 'string', default: '1,2' },
    out: { type: 'string', default: 'docs/results/engine.md' },
  },
});

function peerPython() {
  const venv = join(root, 'build', 'bench-venv');
  const python = join(venv, 'bin', 'python');
  const has = () => spawnSync(python, ['-c', 'import torch, jax']).status === 0;
  if (existsSync(python) && has()) return python;
  console.error(`making ${venv} with ${packages.join(' ')} ...`);
  mkdirSync(join(root, 'build'), { recursive: true });
  if (spawnSync('python3', ['-m', 'venv', venv]).status !== 0) return undefined;
  spawnSync(python, ['-m', 'pip', 'install', '--quiet', ...packages], { stdio: 'inherit' });
  return has() ? python : undefined;
}

// BLAS settings of the machine's own NumPy must not reach the peers.
const { OPENBLAS_CORETYPE: _type, OPENBLAS_L2_SIZE: _size, ...environment } = process.env;

/** A peer process that answers one line per burst. */
class Peer {
  #lines;
  #child;
  static async start(python, script, args, threads) {
    const peer = new Peer();
    const xla = threads === 1 ? '--xla_cpu_multi_thread_eigen=false' : '';
    const command = [python, join(root, 'bench', 'engine', script), ...args];
    // JAX takes its threads from the processors it may use.
    const pinned = threads === 1 && script.startsWith('jax') && spawnSync('taskset', ['-V']).status === 0;
    if (pinned) command.unshift('taskset', '-c', '0');
    peer.#child = spawn(command[0], command.slice(1), {
      env: { ...environment, XLA_FLAGS: xla, OMP_NUM_THREADS: String(threads) },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    peer.#lines = createInterface({ input: peer.#child.stdout })[Symbol.asyncIterator]();
    const ready = await peer.#next();
    if (!ready?.startsWith('ready')) return undefined;
    peer.version = ready.slice(6);
    return peer;
  }
  async #next() {
    return (await this.#lines.next()).value;
  }
  async burst(amount) {
    this.#child.stdin.write(`burst ${amount}\n`);
    return (await this.#next()).split(' ').map(Number);
  }
  stop() {
    this.#child.kill();
  }
}

function ownBurst(program, seconds) {
  const start = performance.now();
  let [count, passed, fastest] = [0, 0, Number.POSITIVE_INFINITY];
  while (passed < seconds * 1000) {
    program.run();
    const now = performance.now() - start;
    fastest = Math.min(fastest, now - passed);
    passed = now;
    count++;
  }
  return [(1000 * count) / passed, 1000 / fastest];
}

function ownActor(program, count) {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = process.hrtime.bigint();
    program.run();
    times[i] = Number(process.hrtime.bigint() - start) / 1000;
  }
  times.sort();
  return [times[count >> 1], times[Math.floor(count * 0.99)]];
}

async function contestants(python) {
  const list = [];
  const add = (kind, threads, who, burst, stop = () => {}) =>
    list.push({ kind, threads, who, burst, stop, best: 0, fastest: 0 });
  for (const kind of options.kinds.split(',')) {
    for (const threads of options.threads.split(',').map(Number)) {
      const program = buildUpdate(kind, threads);
      program.run();
      add(kind, threads, 'vernier', async (s) => ownBurst(program, s));
      if (!python) continue;
      const start = async (who, script, args) => {
        const peer = await Peer.start(python, script, args, threads);
        if (!peer) console.error(`${who} did not start; left out`);
        else
          add(
            kind,
            threads,
            who,
            (s) => peer.burst(s),
            () => peer.stop(),
          );
        return peer;
      };
      await start('PyTorch', 'torch_peer.py', [kind, String(threads), 'eager']);
      if (await usable('compile'))
        await start('PyTorch compile', 'torch_peer.py', [kind, String(threads), 'compile']);
      await start('JAX', 'jax_peer.py', [kind, String(threads)]);
    }
  }
  return list;
}

/** torch.compile needs a C++ compiler at run time. */
async function usable(mode) {
  return mode === 'compile' && spawnSync('g++', ['--version']).status === 0;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main() {
  const addon = engineAddon();
  const python = peerPython();
  const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
  const list = await contestants(python);
  const actor = buildActor();
  const torchActor = python && (await Peer.start(python, 'torch_peer.py', ['actor', '1', 'eager'], 1));
  const loads = [loadavg()[0]];
  let peak = 0;
  const act = { vernier: [], PyTorch: [] };
  for (let round = 0; round < rounds; round++) {
    peak = Math.max(peak, addon.engineFmaPeak(30));
    for (const c of list) {
      await pause(30);
      const [rate, fastest] = await c.burst(seconds);
      c.best = Math.max(c.best, rate);
      c.fastest = Math.max(c.fastest, fastest);
    }
    act.vernier.push(ownActor(actor, 4000));
    if (torchActor) act.PyTorch.push(await torchActor.burst(4000));
    loads.push(loadavg()[0]);
  }
  for (const c of list) c.stop();
  torchActor?.stop();
  const text = report({ list, act, peak, rounds, seconds, loads, isa: addon.engineInstructionSet });
  console.log(text);
  mkdirSync(dirname(resolve(root, options.out)), { recursive: true });
  writeFileSync(resolve(root, options.out), text);
}

function report({ list, act, peak, rounds, seconds, loads, isa }) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const of = (kind, threads, who) =>
    list.find((c) => c.kind === kind && c.threads === threads && c.who === who);
  const ratio = (kind, threads, who) => {
    const [own, peer] = [of(kind, threads, 'vernier'), of(kind, threads, who)];
    return own && peer ? own.best / peer.best : undefined;
  };
  const share = (kind, threads) => {
    const own = of(kind, threads, 'vernier');
    return own && (own.best * operationsOf(kind)) / (peak * threads);
  };
  const least = (times, k) => (times.length ? Math.min(...times.map((t) => t[k])) : undefined);
  const show = (x, digits = 2) => (x === undefined ? 'not run' : x.toFixed(digits));
  const fastestTorch = (kind, threads) => {
    const ratios = ['PyTorch', 'PyTorch compile']
      .map((who) => ratio(kind, threads, who))
      .filter((r) => r !== undefined);
    return ratios.length ? Math.min(...ratios) : undefined;
  };
  const gates = [
    ['REDQ-10 against PyTorch, 1 thread', ratio('redq', 1, 'PyTorch'), 1.8],
    ['REDQ-10 against PyTorch, 2 threads', ratio('redq', 2, 'PyTorch'), 2.5],
    ['REDQ-10 against JAX, 1 thread', ratio('redq', 1, 'JAX'), 1.2],
    ['REDQ-10 against JAX, 2 threads', ratio('redq', 2, 'JAX'), 1.2],
    ['REDQ-10 share of FMA peak, 1 thread', share('redq', 1), 0.6],
    ['TD3 against PyTorch, 1 thread', ratio('td3', 1, 'PyTorch'), 1.6],
    ['TD3 against PyTorch, 2 threads', ratio('td3', 2, 'PyTorch'), 1.6],
  ];
  const limits = [
    ['actor, batch 1, p50 us', least(act.vernier, 0), 10],
    ['actor, batch 1, p99 us', least(act.vernier, 1), 30],
  ];
  const verdict = (ok) => (ok === undefined ? '-' : ok ? 'yes' : 'NO');
  return [
    '# Training engine',
    '',
    `\`npm run bench:engine -- --rounds ${rounds}\`, commit ${commit}, ${new Date().toISOString().slice(0, 16)}Z.`,
    `${cpus()[0].model}, ${cpus().length} cores; load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}` +
      ' during the run; kernels ' +
      `${isa}; measured multiply-add peak ${(peak / 1e9).toFixed(1)} GFLOPS per core.`,
    `${[...new Set(list.map((c) => c.who))].join(', ')} take turns in bursts of ${seconds} s; the best of ${rounds} bursts counts.`,
    `One update: B=${sizes.B}, O=${sizes.O}, A=${sizes.A}, ${sizes.H}x${sizes.H}; REDQ-10 with LayerNorm` +
      ` (${(operationsOf('redq') / 1e6).toFixed(0)} MFLOP of products), TD3 (${(operationsOf('td3') / 1e6).toFixed(0)}); Adam and Polyak included.`,
    '',
    '| update | threads | who | updates/s | fastest single | share of peak |',
    '|---|---|---|---|---|---|',
    ...list.map(
      (c) =>
        `| ${c.kind} | ${c.threads} | ${c.who} | ${c.best.toFixed(1)} | ${c.fastest.toFixed(1)} | ${((100 * c.best * operationsOf(c.kind)) / (peak * c.threads)).toFixed(0)} % |`,
    ),
    '',
    '| gate | measured | at least | met |',
    '|---|---|---|---|',
    ...gates.map(
      ([what, x, limit]) =>
        `| ${what} | ${show(x)} | ${limit} | ${verdict(x === undefined ? x : x >= limit)} |`,
    ),
    '',
    '| latency | measured | at most | met | PyTorch |',
    '|---|---|---|---|---|',
    ...limits.map(
      ([what, x, limit], k) =>
        `| ${what} | ${show(x, 1)} | ${limit} | ${verdict(x <= limit)} | ${show(least(act.PyTorch, k), 1)} |`,
    ),
    '',
    `Against the faster of PyTorch eager and torch.compile: REDQ-10 ${show(fastestTorch('redq', 1))} (1 thread),` +
      ` ${show(fastestTorch('redq', 2))} (2 threads); TD3 ${show(fastestTorch('td3', 1))}, ${show(fastestTorch('td3', 2))}.`,
    '',
    'What bounds it, and what was tried: [decision 0004](../decisions/0004-own-training-engine.md).',
    '',
  ].join('\n');
}

await main();
