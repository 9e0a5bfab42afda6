import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, describe, expect, it } from 'vitest';
import { addonStatus } from '#native/addon';
import * as nn from '#nn/graph';
import { lower } from '#nn/lowering/lower';
import { hasNativeEngine } from '#nn/native';

/* How a program that nobody closed leaves a process, running or not: always quietly. */

const { path } = addonStatus();
const folder = mkdtempSync(join(tmpdir(), 'vernier-engine-lifecycle-'));
afterAll(() => rmSync(folder, { recursive: true }));

const OPEN = `
const { readFileSync } = require('node:fs');
const { deserialize } = require('node:v8');
const { EngineProgram } = require(process.env.ADDON);
const { code, buffers } = deserialize(readFileSync(process.env.PLAN));
const program = new EngineProgram(code, buffers, 2);
`;

/** A program that runs for some tenths of a second. */
function slowPlan(): Buffer {
  const x = nn.input('x', [1024, 1024]);
  let y: nn.Tensor = x;
  for (let i = 0; i < 12; i++) y = nn.tanh(nn.matmul(y, x));
  const { code, buffers } = lower({ name: 'slow', stages: [{ outputs: { y } }] });
  return serialize({ code, buffers });
}

function run(script: string) {
  const file = join(folder, 'plan.bin');
  writeFileSync(file, slowPlan());
  const env = { ...process.env, ADDON: path, PLAN: file };
  const child = spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8', timeout: 120_000 });
  return { status: child.status, signal: child.signal, stderr: child.stderr, stdout: child.stdout };
}

const quiet = { status: 0, signal: null, stderr: '' };

describe.runIf(hasNativeEngine())('an open program', () => {
  it('lets the process end, running or not', () => {
    expect(run(`${OPEN} program.run();`)).toMatchObject(quiet);
    expect(run(`${OPEN} program.runAsync().then((s) => process.stdout.write(String(s)));`)).toMatchObject({
      ...quiet,
      stdout: '-1',
    });
    expect(run(`${OPEN} program.runAsync(); process.exit(0);`)).toMatchObject(quiet);
  });

  it('lets a worker end while it runs', () => {
    const running = `${OPEN} program.runAsync(); require('node:worker_threads').parentPort.postMessage(program.busy);`;
    const script = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(running)}, { eval: true, env: process.env });
      worker.on('message', (busy) => { process.stdout.write(String(busy)); worker.terminate(); });
      worker.on('error', (error) => { console.error(error); process.exit(1); });
    `;
    expect(run(script)).toMatchObject({ ...quiet, stdout: 'true' });
  });
});
