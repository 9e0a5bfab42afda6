import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { containerArray, decodeContainer, readFileBytes } from '#core/container';
import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';
import { input } from '#nn/graph';
import { exportOnnx } from '#nn/onnx';
import { loadBundle, makePolicy, saveBundle } from '#policy/bundle';
import { ChunkPolicy, chunkActions, chunkNetwork } from '#policy/chunkPolicy';
import { identityNormaliser } from '#policy/normaliser';
import { OnnxPolicy } from '#policy/onnxPolicy';

const PACKAGE = 'onnxruntime-node';
const available = await import(PACKAGE).then(
  () => true,
  () => false,
);

const O = 4;
const A = 2;
const spec = { O, A, chunk: 3, execute: 3, hidden: [8] };
const network = chunkNetwork(spec, new PhiloxStream(5));
const normaliser = identityNormaliser(O, A);

function model(rows: number): Uint8Array {
  const actions = chunkActions(network, input('observation', [rows, O]), normaliser, spec.chunk);
  return exportOnnx({ name: 'base', outputs: { actions } });
}

describe.skipIf(!available)('a base from an ONNX file', () => {
  it.each([
    ['all rows at once', 3],
    ['row by row', 1],
  ])('acts as the network it was exported from, %s', async (_, rows) => {
    const onnx = await OnnxPolicy.create(model(rows), { B: 3, O, A, label: 'base.onnx' });
    const own = new ChunkPolicy(3, spec, network, normaliser, { backend: 'reference' });
    expect(onnx.chunk).toBe(3);
    const [x, y] = [new Float32Array(6), new Float32Array(6)];
    const seen = new Float32Array(3 * O);
    for (let t = 0; t < 8; t++) {
      new Draws(t, 0).uniforms(seen, -1, 1);
      if (t === 4) for (const policy of [onnx, own]) policy.reset(Uint8Array.of(0, 1, 0));
      await onnx.act(seen, x);
      own.act(seen, y);
      for (let i = 0; i < 6; i++) expect(x[i]).toBeCloseTo(y[i]!, 5);
      expect(onnx.phase).toEqual(own.phase);
    }
    onnx.close();
  });

  it('travels in a bundle', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'vernier-onnx-')), 'policy.vrn');
    saveBundle(path, {
      task: 'toy',
      taskHash: 't',
      robotHash: 'r',
      controlPeriod: 0.05,
      observationFields: [{ name: 'x', length: O, unit: 'm' }],
      actionNames: ['x', 'y'],
      control: {},
      made: {},
      O,
      A,
      scale: 0,
      base: { kind: 'onnx', model: model(1), label: 'base.onnx', execute: 2 },
      normaliser,
      trained: undefined,
    });
    const stored = decodeContainer(readFileBytes(path), {
      kind: 'policy',
      version: 1,
      code: 'CHECKPOINT',
      label: path,
    });
    expect(containerArray(stored, 'base.onnx', 'u8', [-1], { code: 'CHECKPOINT', label: path })).toEqual(
      model(1),
    );
    const policy = await makePolicy(loadBundle(path), 2);
    const out = new Float32Array(2 * A);
    await policy.act(new Float32Array(2 * O), out);
    expect(out.some((a) => a !== 0)).toBe(true);
    policy.close();
  });

  it('that does not fit the task is one DATA error', async () => {
    const wrong = OnnxPolicy.create(model(1), { B: 1, O: 7, A, label: 'base.onnx' });
    await expect(wrong).rejects.toMatchObject({ code: 'DATA', hint: expect.stringContaining('[batch, 7]') });
    const odd = OnnxPolicy.create(model(1), { B: 1, O, A: 4, label: 'base.onnx' });
    await expect(odd).rejects.toThrow(/base\.onnx: the output is \[1, 6\]/);
    const garbage = OnnxPolicy.create(Uint8Array.of(1, 2, 3), { B: 1, O, A, label: 'base.onnx' });
    await expect(garbage).rejects.toMatchObject({ code: 'DATA' });
  });
});
