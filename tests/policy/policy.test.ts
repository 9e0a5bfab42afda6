import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import {
  type BaseModel,
  loadBundle,
  makeBase,
  makePolicy,
  type PolicyBundle,
  saveBundle,
} from '#policy/bundle';
import { ChunkPolicy, chunkNetwork } from '#policy/chunkPolicy';
import { compose } from '#policy/compose';
import { actorNetwork, criticNetwork, type TrainedActor } from '#policy/networks';
import { fitNormaliser, identityNormaliser } from '#policy/normaliser';
import { RandomPolicy } from '#policy/simpleBases';

const O = 4;
const A = 2;
const reference = { backend: 'reference' } as const;
const spec = { O, A, chunk: 3, execute: 3, hidden: [8] };

function observations(rows: number, seed = 1): Float32Array {
  const out = new Float32Array(rows * O);
  new Draws(seed, 0).uniforms(out, -1, 1);
  return out;
}

describe('normaliser', () => {
  it('has floors for ranges and deviations, and widens the range by 1 + scale', () => {
    const n = fitNormaliser(Float32Array.of(1, 5, 1, 7), 2, Float32Array.of(-0.2, 0.4, 0.6, 0.42), 2, {
      scale: 0.5,
      rangeFloor: 0.1,
      stdFloor: 0.1,
    });
    expect([...n.observationMean]).toEqual([1, 6]);
    expect(n.observationStd[0]).toBeCloseTo(0.1, 6);
    expect(n.observationStd[1]).toBeCloseTo(1, 6);
    expect(n.actionCenter[0]).toBeCloseTo(0.2, 6);
    expect(n.actionHalf[0]).toBeCloseTo(0.4 * 1.5, 6);
    expect(n.actionHalf[1]).toBeCloseTo(0.05 * 1.5, 6);
    // The executable range in normalised units.
    expect(n.actionUpper[0]).toBeCloseTo((1 - 0.2) / 0.6, 5);
    expect(n.actionLower[0]).toBeCloseTo((-1 - 0.2) / 0.6, 5);
  });
});

describe('compose', () => {
  it('adds in normalised units, clips, and leaves unmasked rows alone', () => {
    const out = Float32Array.of(9, 9, 9, 9);
    compose(
      Float32Array.of(0.5, -0.5, 0.1, 0.2),
      Float32Array.of(0.5, -2, 1, 1),
      Float32Array.of(0.4, 0.8),
      out,
      Uint8Array.of(1, 0),
    );
    expect(out[0]).toBeCloseTo(0.7, 6);
    expect([...out.subarray(1)]).toEqual([-1, 9, 9]);
  });
});

describe('chunk policy', () => {
  const make = (B: number, execute = 3): ChunkPolicy =>
    new ChunkPolicy(
      B,
      { ...spec, execute },
      chunkNetwork(spec, new PhiloxStream(5)),
      identityNormaliser(O, A),
      reference,
    );

  it('decides once per chunk and tells its phase', () => {
    const policy = make(1);
    const out = new Float32Array(A);
    const seen: string[] = [];
    for (let t = 0; t < 6; t++) {
      policy.act(observations(1, 10 + (t < 3 ? 0 : 1)), out);
      expect(policy.phase[0]).toBeCloseTo((t % 3) / 3, 6);
      seen.push(`${out}`);
    }
    expect(new Set(seen).size).toBe(6);
    const again = make(1);
    for (let t = 0; t < 3; t++) {
      // Only the first observation of a chunk matters.
      again.act(observations(1, t === 0 ? 10 : 99), out);
      expect(`${out}`).toBe(seen[t]);
    }
  });

  it('acts in a batch as it does alone, with resets and masks per row', () => {
    const batch = make(3);
    const alone = [0, 1, 2].map(() => make(1));
    const out = new Float32Array(3 * A);
    const one = new Float32Array(A);
    for (let t = 0; t < 12; t++) {
      const seen = observations(3, t);
      const mask = Uint8Array.of(1, t % 2, 1);
      if (t === 4) {
        batch.reset(Uint8Array.of(0, 0, 1));
        alone[2]!.reset();
      }
      const before = out.slice();
      batch.act(seen, out, mask);
      for (let row = 0; row < 3; row++) {
        const action = [...out.subarray(row * A, (row + 1) * A)];
        if (mask[row] === 0) {
          expect(action).toEqual([...before.subarray(row * A, (row + 1) * A)]);
          continue;
        }
        alone[row]!.act(seen.subarray(row * O, (row + 1) * O), one);
        expect(action).toEqual([...one]);
        expect(batch.phase[row]).toBe(alone[row]!.phase[0]);
      }
    }
  });

  it('can drop the rest of a chunk', () => {
    const policy = make(1, 2);
    const out = new Float32Array(A);
    const phases = [0, 1, 2, 3].map((t) => {
      policy.act(observations(1, t), out);
      return policy.phase[0]!;
    });
    expect(phases[1]).toBeCloseTo(1 / 3, 6);
    expect(phases[2]).toBe(0);
  });
});

describe('random policy', () => {
  it('draws per row, whatever the other rows do', () => {
    const [a, b] = [new RandomPolicy(2, O, A, 3), new RandomPolicy(2, O, A, 3)];
    const [x, y] = [new Float32Array(4), new Float32Array(4)];
    a.act(x, x);
    a.act(x, x);
    b.act(y, y, Uint8Array.of(0, 1));
    b.act(y, y);
    expect([...x.subarray(2)]).toEqual([...y.subarray(2)]);
    expect([...x.subarray(0, 2)]).not.toEqual([...y.subarray(0, 2)]);
    expect(x.every((v) => Math.abs(v) <= 1)).toBe(true);
  });
});

describe('bundles', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-bundle-'));
  const header = {
    task: 'toy',
    taskHash: 'task-hash',
    robotHash: 'robot-hash',
    controlPeriod: 0.05,
    observationFields: [{ name: 'x', length: 4, unit: 'm' }],
    actionNames: ['x', 'y'],
    control: { mode: 'end_effector_delta', translation: 0.02 },
    made: { environmentSteps: 7 },
  };
  const normaliser = fitNormaliser(observations(20), O, observations(10, 3), A, {
    scale: 0.3,
    rangeFloor: 0.1,
    stdFloor: 0.1,
  });
  const chunk: BaseModel = {
    kind: 'chunk',
    spec,
    network: chunkNetwork(spec, new PhiloxStream(1)),
    normaliser,
  };
  const net = { O, A, hidden: [8], layerNorm: true };

  function trained(kind: 'residual' | 'gaussian' | 'choose'): TrainedActor {
    const actor = actorNetwork({ ...net, kind, chunkPhase: true }, new PhiloxStream(2));
    actor.block.values.forEach((v, i, values) => {
      values[i] = v + 0.1 * Math.sin(i);
    });
    if (kind !== 'choose') return { actor };
    const critic = criticNetwork({ ...net, heads: 2, seesBase: false }, new PhiloxStream(4));
    return { actor, judge: { critic, block: critic.block } };
  }

  const bundle = (over: Partial<PolicyBundle> = {}): PolicyBundle => ({
    ...header,
    O,
    A,
    scale: 0.3,
    base: chunk,
    normaliser,
    trained: trained('residual'),
    ...over,
  });

  async function actions(from: PolicyBundle): Promise<number[]> {
    const policy = await makePolicy(from, 3, reference);
    const out = new Float32Array(3 * A);
    const all: number[] = [];
    for (let t = 0; t < 5; t++) {
      await policy.act(observations(3, t), out);
      all.push(...out);
    }
    policy.close();
    return all;
  }

  it.each(['residual', 'gaussian', 'choose'] as const)(
    'with a %s actor act the same after a round trip',
    async (kind) => {
      const made = bundle({ trained: trained(kind) });
      const path = join(folder, `${kind}.vrn`);
      saveBundle(path, made);
      const loaded = loadBundle(path, {
        taskHash: 'task-hash',
        robotHash: 'robot-hash',
        controlPeriod: 0.05,
      });
      expect(await actions(loaded)).toEqual(await actions(made));
      expect(loaded.control).toEqual(header.control);
    },
  );

  it('with scale 0 are the base, exactly', async () => {
    const base = await makeBase(chunk, { B: 3, O, A }, reference);
    const out = new Float32Array(3 * A);
    const expected: number[] = [];
    for (let t = 0; t < 5; t++) {
      base.act(observations(3, t), out);
      expected.push(...out);
    }
    expect(await actions(bundle({ scale: 0 }))).toEqual(expected);
    expect(await actions(bundle())).not.toEqual(expected);
  });

  it.each([
    [{ robotHash: 'other' }, /another robot: the bundle says "robot-hash", here it is "other"/],
    [{ taskHash: 'other' }, /another version of the task/],
    [{ controlPeriod: 0.1 }, /another control period: the bundle says 0.05, here it is 0.1/],
    [{ actionNames: ['y', 'x'] }, /another action/],
    [{ observationFields: [{ name: 'x', length: 4, unit: 'mm' }] }, /another observation/],
  ])('are refused for %o', (expected, message) => {
    const path = join(folder, 'refused.vrn');
    saveBundle(path, bundle());
    let error: unknown;
    try {
      loadBundle(path, expected);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(VernierError);
    expect((error as VernierError).code).toBe('CHECKPOINT');
    expect((error as VernierError).message).toMatch(message);
  });

  it('that are torn are refused', () => {
    const path = join(folder, 'torn.vrn');
    saveBundle(path, bundle());
    const bytes = readFileSync(path);
    bytes[bytes.length - 100]! ^= 4;
    writeFileSync(path, bytes);
    expect(() => loadBundle(path)).toThrow(/checksum/);
  });
});
