import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, describe, expect, it } from 'vitest';
import { addonStatus } from '#native/addon';
import { allocateBuffers } from '#native/buffers';
import { nativeModelNames } from '#native/nativeBatch';
import { bench, physics } from '../env/fixture.js';

/* How a batch that nobody closed leaves a process: always quietly. */

const { addon, path } = addonStatus();
const folder = mkdtempSync(join(tmpdir(), 'vernier-lifecycle-'));
afterAll(() => rmSync(folder, { recursive: true }));

const OPEN = `
const { readFileSync } = require('node:fs');
const { deserialize } = require('node:v8');
const { PhysicsBatch } = require(process.env.ADDON);
const { xml, spec, buffers } = deserialize(readFileSync(process.env.SPEC));
const batch = new PhysicsBatch({ xml, files: {} }, spec, buffers);
`;

async function run(script: string) {
  const fixture = await bench(nativeModelNames);
  const { model, ...spec } = physics(
    fixture,
    { observation: ['sled.position.x'] },
    { environments: 64, threads: 2, substeps: 400 },
  );
  const file = join(folder, 'spec.bin');
  const buffers = allocateBuffers({ model, ...spec });
  writeFileSync(file, serialize({ xml: model.xml, spec, buffers }));
  const env = { ...process.env, ADDON: path, SPEC: file };
  const child = spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8', timeout: 120_000 });
  return { status: child.status, signal: child.signal, stderr: child.stderr, stdout: child.stdout };
}

const quiet = { status: 0, signal: null, stderr: '' };

describe.runIf(addon?.PhysicsBatch !== undefined)('an open batch', () => {
  it('lets the process end, stepping or not', async () => {
    expect(await run(`${OPEN} batch.step();`)).toMatchObject(quiet);
    expect(await run(`${OPEN} batch.stepAsync().then(() => process.stdout.write('done'));`)).toMatchObject({
      ...quiet,
      stdout: 'done',
    });
    expect(await run(`${OPEN} batch.stepAsync(); process.exit(0);`)).toMatchObject(quiet);
  });

  it('lets a worker end, stepping or not', async () => {
    const worker = (body: string) => `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(`${OPEN} ${body}`)}, { eval: true, env: process.env });
      worker.on('message', () => worker.terminate());
      worker.on('error', (error) => { console.error(error); process.exit(1); });
    `;
    expect(await run(worker('batch.step();'))).toMatchObject(quiet);
    const stepping = "batch.stepAsync(); require('node:worker_threads').parentPort.postMessage(1);";
    expect(await run(worker(stepping))).toMatchObject(quiet);
  });

  it('may be collected, and others go on', async () => {
    const script = `
      ${OPEN}
      require('node:v8').setFlagsFromString('--expose-gc');
      const gc = require('node:vm').runInNewContext('gc');
      for (let i = 0; i < 5; i++) new PhysicsBatch({ xml, files: {} }, spec, buffers).step();
      gc();
      setTimeout(() => { gc(); batch.step(); }, 50);
    `;
    expect(await run(script)).toMatchObject(quiet);
  });

  it('refuses buffers and specifications that do not fit', async () => {
    const fixture = await bench(nativeModelNames);
    const { model, ...spec } = physics(fixture, { observation: ['sled.position.x'] });
    const buffers = allocateBuffers({ model, ...spec });
    const Batch = addon!.PhysicsBatch as new (...args: unknown[]) => unknown;
    const make =
      (changed: object, kept: object = buffers) =>
      () =>
        new Batch({ xml: model.xml, files: {} }, { ...spec, ...changed }, kept);
    const { control } = spec;
    const withArm = (arm: object) => ({ control: { ...control, arm: { ...control.arm, ...arm } } });
    for (const [attempt, code, message] of [
      [make({ environments: 2 }), 'SHAPE', /action: expected 4 elements, got 2/],
      [make({}, { ...buffers, reward: new Float64Array(1) }), 'SHAPE', /reward/],
      [make({}, { ...buffers, expert: undefined }), 'SHAPE', /expert/],
      [make({ substeps: 0 }), 'PHYSICS', /substeps: expected a whole number/],
      [make({ horizon: Number.NaN }), 'PHYSICS', /horizon/],
      [make({ latency: [2, 1] }), 'PHYSICS', /latency/],
      [make(withArm({ joints: [0, 99] })), 'PHYSICS', /arm\.joints\.1: expected a whole number in \[0, 2\]/],
      [make(withArm({ home: [0] })), 'PHYSICS', /arm\.home: expected 2 entries, got 1/],
      [make(withArm({ joints: [0, 2] })), 'PHYSICS', /neither hinge nor slide/],
      [make({ randomize: [{ kind: 'wind' }] }), 'PHYSICS', /randomize\.0\.kind/],
      [make({ program: { ...spec.program, code: new Float64Array(3) } }), 'EXPRESSION', /./],
    ] as const) {
      expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    }
    expect(() => new Batch()).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
