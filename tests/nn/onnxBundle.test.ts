import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { containerArray, decodeContainer, readFileBytes } from '#core/container';
import { PhiloxStream } from '#core/philox';
import { type BaseModel, makeBase, makePolicy, type PolicyBundle, saveBundle } from '#policy/bundle';
import { chunkNetwork } from '#policy/chunkPolicy';
import { actorNetwork } from '#policy/networks';
import { fitNormaliser } from '#policy/normaliser';
import type { BasePolicy, Policy } from '#policy/policy';
import { runModel, runtime } from './onnxRuntime.js';

/** The networks that a bundle carries as ONNX act as the policy that is made of the bundle. */

const [O, A, H] = [5, 2, 3];
const rng = new PhiloxStream(21);
const draw = (size: number, spread = 1) => Float32Array.from({ length: size }, () => spread * rng.normal());

const spec = { O, A, chunk: H, execute: H, hidden: [16] };
const normaliser = fitNormaliser(draw(O * 50, 0.3), O, draw(A * 50, 0.4), A, {
  scale: 0.3,
  rangeFloor: 0.1,
  stdFloor: 0.1,
});
const base: BaseModel = { kind: 'chunk', spec, network: chunkNetwork(spec, rng), normaliser };
const actor = actorNetwork({ kind: 'residual', O, A, hidden: [16], layerNorm: true, chunkPhase: true }, rng);
actor.block.values.set(draw(actor.block.values.length, 0.5));
const bundle: PolicyBundle = {
  task: 'reach',
  taskHash: 't',
  robotHash: 'r',
  controlPeriod: 0.05,
  observationFields: [{ name: 'ee.position', length: O, unit: 'm' }],
  actionNames: ['x', 'y'],
  control: {},
  made: {},
  ...{ O, A, scale: 0.3, base, normaliser, trained: { actor } },
};

const folder = mkdtempSync(join(tmpdir(), 'vernier-bundle-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'policy.vrn');
saveBundle(path, bundle);
const options = { kind: 'policy', version: 1, code: 'CHECKPOINT', label: path } as const;
const container = decodeContainer(readFileBytes(path), options);
const model = (name: string) => containerArray(container, name, 'u8', [-1], options);

async function act(policy: Policy, observation: Float32Array): Promise<Float32Array> {
  const out = new Float32Array(A);
  await policy.act(observation, out);
  return out;
}

describe.skipIf(!runtime)(
  `a bundle's ONNX models${runtime ? '' : ' (skipped: onnxruntime is not installed)'}`,
  () => {
    it('act as the policy: base, phase and residual composed as the bundle says', async () => {
      const policy = await makePolicy(bundle, 1);
      const alone = (await makeBase(base, { B: 1, O, A })) as BasePolicy;
      for (let step = 0; step < 2 * H; step++) {
        const observation = draw(O, 0.3);
        const executed = await act(policy, observation);
        const baseAction = await act(alone, observation);
        const { residual } = await runModel(model('actor.onnx'), {
          observation: { data: observation, dims: [1, O] },
          base: { data: baseAction, dims: [1, A] },
          phase: { data: alone.phase, dims: [1, 1] },
          scale: { data: Float32Array.of(bundle.scale), dims: [1] },
        });
        for (let i = 0; i < A; i++) {
          const raw = baseAction[i]! + normaliser.actionHalf[i]! * residual!.data[i]!;
          expect(executed[i]).toBeCloseTo(Math.min(1, Math.max(-1, raw)), 5);
          expect(residual!.data[i]).not.toBe(0);
        }
      }
      policy.close();
      alone.close();
    });

    it('come back as a base of their own that decides the same chunks', async () => {
      const cloned = await makeBase(base, { B: 1, O, A });
      const foreign = await makeBase(
        { kind: 'onnx', model: model('base.onnx'), label: 'base.onnx' },
        { B: 1, O, A },
      );
      for (let step = 0; step < 2 * H + 1; step++) {
        const observation = draw(O, 0.3);
        const [ours, theirs] = [await act(cloned, observation), await act(foreign, observation)];
        for (let i = 0; i < A; i++) expect(theirs[i]).toBeCloseTo(ours[i]!, 5);
        expect(foreign.phase).toEqual(cloned.phase);
      }
      cloned.close();
      foreign.close();
    });
  },
);
