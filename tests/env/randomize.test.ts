import { describe, expect, it } from 'vitest';
import type { PhysicsBatch } from '#native/physicsBatch';
import type { RandomizationSpec } from '#native/physicsSpec';
import { backends, hasNative, namesOn, withBatch } from './backends.js';
import { bench, physics, pose } from './fixture.js';

const groups = {
  observation: ['ball.position', 'post.position', 'marker.position', 'post.yaw', 'slide.position'],
};
const B = 200;

function column(batch: PhysicsBatch, k: number): number[] {
  return Array.from({ length: batch.B }, (_, i) => batch.observation[i * batch.O + k]!);
}
const smallest = (values: readonly number[]) => Math.min(...values);
const largest = (values: readonly number[]) => Math.max(...values);

describe.each(backends)('randomisation on %s', (backend) => {
  const test = it.runIf(backend === 'wasm' || hasNative);
  const spec = async (randomize: (names: readonly string[]) => readonly RandomizationSpec[], more = {}) => {
    const fixture = await bench(namesOn(backend));
    return physics(fixture, groups, {
      environments: B,
      randomize: randomize(fixture.names.body),
      ...more,
    });
  };

  test('places free, fixed and mocap bodies in their ranges', async () => {
    const options = await spec((body) => [
      pose(body.indexOf('ball'), { x: [-0.5, 0.5], y: [0, 0.2] }),
      pose(body.indexOf('post'), { x: [-0.1, 0.3], yaw: [-1, 1] }),
      pose(body.indexOf('marker'), { z: [0.5, 1] }),
    ]);
    await withBatch(backend, options, (batch) => {
      for (const [k, lo, hi] of [
        [0, 2.5, 3.5],
        [1, 0, 0.2],
        [3, 2.9, 3.3],
        [8, 0.5, 1],
        [9, -1, 1],
      ] as const) {
        const values = column(batch, k);
        const margin = 0.05 * (hi - lo);
        expect(smallest(values)).toBeGreaterThanOrEqual(lo - 1e-6);
        expect(smallest(values)).toBeLessThan(lo + margin);
        expect(largest(values)).toBeLessThanOrEqual(hi + 1e-6);
        expect(largest(values)).toBeGreaterThan(hi - margin);
      }
      expect(new Set(column(batch, 2)).size).toBe(1);
      const placed = column(batch, 3);
      batch.step();
      expect(column(batch, 3)).toEqual(placed);
    });
  });

  test('draws anew for each episode and the same again for each seed', async () => {
    const options = await spec((body) => [pose(body.indexOf('post'), { x: [-1, 1] })], { horizon: 1 });
    await withBatch(backend, options, (batch) => {
      const first = column(batch, 3);
      batch.step();
      const second = column(batch, 3);
      expect(second).not.toEqual(first);
      batch.reset();
      expect(column(batch, 3)).toEqual(first);
      batch.reset({ episode: 1 });
      expect(column(batch, 3)).toEqual(second);
      batch.reset({ seed: 8 });
      expect(column(batch, 3)).not.toEqual(first);
      batch.reset({ seed: 7, firstEnvironment: 10 });
      expect(column(batch, 3).slice(0, 50)).toEqual(first.slice(10, 60));
    });
  });

  test('keeps bodies apart', async () => {
    const near = { x: [-0.4, 0.4], y: [-0.4, 0.4] } as const;
    const options = await spec((body) => [
      pose(body.indexOf('post'), near),
      pose(body.indexOf('ball'), {
        x: [-0.4, 0.4],
        y: [0.6, 1.4],
        apartFrom: [body.indexOf('post')],
        distance: 0.3,
      }),
    ]);
    await withBatch(backend, options, (batch) => {
      const gaps = column(batch, 0).map((x, i) =>
        Math.hypot(x - column(batch, 3)[i]!, column(batch, 1)[i]! - column(batch, 4)[i]!),
      );
      expect(smallest(gaps)).toBeGreaterThanOrEqual(0.3 - 1e-6);
    });
  });

  test('moves joints within noise and limits', async () => {
    const fixture = await bench(namesOn(backend));
    const options = physics(fixture, groups, {
      environments: B,
      randomize: [{ kind: 'joints', joints: fixture.control.arm.joints, noise: 0.05 }],
    });
    await withBatch(backend, options, (batch) => {
      const before = column(batch, 10);
      expect(smallest(before)).toBeLessThan(-0.04);
      expect(largest(before)).toBeGreaterThan(0.04);
      expect(largest(before.map(Math.abs))).toBeLessThanOrEqual(0.05);
      for (let step = 0; step < 5; step++) batch.step();
      // The command holds the joints where they were put.
      const drift = column(batch, 10).map((x, i) => Math.abs(x - before[i]!));
      expect(largest(drift)).toBeLessThan(1e-4);
    });
  });

  /** What a constant push does to the sled within two steps, per environment. */
  async function pushed(entry: (joint: number) => RandomizationSpec, mode: 'torque' | 'joint_delta') {
    const fixture = await bench(namesOn(backend), { mode, scale: mode === 'torque' ? 10 : 0.1 });
    const options = physics(
      fixture,
      { observation: ['slide.velocity'] },
      { environments: B, randomize: [entry(fixture.names.joint.indexOf('slide'))] },
    );
    return withBatch(backend, options, (batch) => {
      batch.action.fill(1);
      batch.step();
      return column(batch, 0);
    });
  }

  test('scales masses', async () => {
    const speeds = await pushed(() => ({ kind: 'mass', body: 1, scale: [0.5, 2] }), 'torque');
    // v = F t / m with F = 10 N, t = 0.05 s.
    expect(largest(speeds)).toBeCloseTo(1, 1);
    expect(smallest(speeds)).toBeCloseTo(0.25, 1);
  });

  test('scales gains', async () => {
    const speeds = await pushed(() => ({ kind: 'gain', actuators: [0], scale: [0.5, 2] }), 'torque');
    expect(largest(speeds)).toBeCloseTo(1, 1);
    expect(smallest(speeds)).toBeCloseTo(0.25, 1);
  });

  test('scales friction', async () => {
    const fixture = await bench(namesOn(backend));
    const xml = fixture.source.xml
      .replace('<geom name="floor"', '<geom name="floor" friction="0.01 0.005 0.0001"')
      .replace(
        '<geom name="ball" type="sphere" size="0.1" mass="0.5"/>',
        '<geom name="ball" type="box" size="0.1 0.1 0.1" mass="0.5" friction="0.5 0 0"/>',
      )
      .replace('<option', '<option gravity="2 0 -10"');
    const source = { ...fixture.source, xml };
    const options = physics(
      { ...fixture, source },
      { observation: ['ball.velocity.x'] },
      {
        environments: B,
        randomize: [{ kind: 'friction', geoms: [fixture.names.geom.indexOf('ball')], scale: [0.1, 1] }],
      },
    );
    await withBatch(backend, options, (batch) => {
      for (let step = 0; step < 10; step++) batch.step();
      const speeds = column(batch, 0);
      // It slides down with 2 - 10 mu, or stays.
      expect(largest(speeds)).toBeGreaterThan(0.6);
      expect(smallest(speeds)).toBeLessThan(0.05);
    });
  });

  test('a mass that differs changes what MuJoCo derives from it', async () => {
    const fixture = await bench(namesOn(backend));
    const ball = fixture.names.body.indexOf('ball');
    const bounce = (environments: number, firstEnvironment: number) =>
      withBatch(
        backend,
        physics(
          fixture,
          { observation: ['ball.position.z'] },
          {
            environments,
            firstEnvironment,
            randomize: [{ kind: 'mass', body: ball, scale: [0.2, 5] }, pose(ball, { z: [0.2, 0.3] })],
          },
        ),
        (batch) => {
          for (let step = 0; step < 20; step++) batch.step();
          return column(batch, 0);
        },
      );
    const together = await bounce(6, 0);
    for (let i = 0; i < 6; i++) expect(await bounce(1, i)).toEqual([together[i]]);
  });
});
