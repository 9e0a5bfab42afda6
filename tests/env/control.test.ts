import { describe, expect, it } from 'vitest';
import type { PhysicsBatch } from '#native/physicsBatch';
import { backends, hasNative, namesOn, withBatch } from './backends.js';
import { bench, type PandaOptions, panda, physics } from './fixture.js';

const benchGroups = {
  observation: ['slide.position', 'spin.position', 'slide.velocity', 'spin.velocity', 'arm.command'],
};
const pandaGroups = { observation: ['ee.position', 'ee.quaternion', 'gripper.width', 'gripper.command'] };

const position = (batch: PhysicsBatch) => [...batch.observation.subarray(0, 3)];

/** Angle between the orientations at the start and now. */
function turned(from: readonly number[], batch: PhysicsBatch): number {
  const now = [...batch.observation.subarray(3, 7)];
  const dot = now.reduce((sum, x, i) => sum + x * from[i]!, 0);
  return 2 * Math.acos(Math.min(1, Math.abs(dot)));
}

describe.each(backends)('control modes on %s', (backend) => {
  const test = it.runIf(backend === 'wasm' || hasNative);
  const pandaSpec = async (options: PandaOptions) =>
    physics(await panda(namesOn(backend), { scene: 'reach', ...options }), pandaGroups);

  test('joint_delta moves by the delta within the step', async () => {
    const spec = physics(await bench(namesOn(backend)), benchGroups);
    await withBatch(backend, spec, (batch) => {
      for (const [a, b, x, q] of [
        [1, -0.5, 0.1, -0.05],
        [1, 0, 0.2, -0.05],
        [-1, 1, 0.1, 0.05],
      ] as const) {
        batch.action.set([a, b]);
        batch.step();
        // Inertia takes up to a quarter of the delta when the joint starts, stops or turns round.
        expect(Math.abs(batch.observation[0]! - x)).toBeLessThan(0.025);
        expect(Math.abs(batch.observation[1]! - q)).toBeLessThan(0.025);
      }
      batch.action.fill(0);
      for (let step = 0; step < 10; step++) batch.step();
      expect(Math.abs(batch.observation[2]!)).toBeLessThan(1e-3);
    });
  });

  test('actions beyond one are clipped', async () => {
    const spec = physics(await bench(namesOn(backend)), benchGroups, { environments: 2 });
    await withBatch(backend, spec, (batch) => {
      batch.action.set([1, -1, 50, -50]);
      batch.step();
      expect([...batch.observation.subarray(0, 6)]).toEqual([...batch.observation.subarray(6)]);
    });
  });

  test('joint_position maps [-1, 1] to the limits', async () => {
    const fixture = await bench(namesOn(backend), { mode: 'joint_position' });
    await withBatch(backend, physics(fixture, benchGroups), (batch) => {
      batch.action.set([0.5, -0.25]);
      for (let step = 0; step < 60; step++) batch.step();
      expect(batch.observation[0]).toBeCloseTo(1, 2);
      expect(batch.observation[1]).toBeCloseTo(-0.25 * Math.PI, 2);
    });
  });

  test('a velocity limit slows joint_position down', async () => {
    const fixture = await bench(namesOn(backend), { mode: 'joint_position' });
    const arm = { ...fixture.control.arm, velocity: [1, 1] };
    const spec = physics({ ...fixture, control: { ...fixture.control, arm } }, benchGroups);
    await withBatch(backend, spec, (batch) => {
      batch.action.set([1, 0]);
      for (let step = 0; step < 20; step++) batch.step();
      expect(Math.abs(batch.observation[0]! - 1)).toBeLessThan(0.05);
      expect(Math.abs(batch.observation[2]! - 1)).toBeLessThan(0.05);
    });
  });

  test('joint_velocity settles at the velocity', async () => {
    const fixture = await bench(namesOn(backend), { mode: 'joint_velocity', scale: 0.5 });
    await withBatch(backend, physics(fixture, benchGroups), (batch) => {
      batch.action.set([1, -0.5]);
      for (let step = 0; step < 20; step++) batch.step();
      expect(batch.observation[2]).toBeCloseTo(0.5, 3);
      expect(batch.observation[3]).toBeCloseTo(-0.25, 3);
      expect([...batch.observation.subarray(4)]).toEqual([0.5, -0.25]);
    });
  });

  test('torque applies the torque', async () => {
    const fixture = await bench(namesOn(backend), { mode: 'torque', scale: 2 });
    await withBatch(backend, physics(fixture, benchGroups), (batch) => {
      batch.action.set([0.5, 0]);
      for (let step = 0; step < 4; step++) batch.step();
      // 1 N on 1 kg for 0.2 s.
      expect(batch.observation[2]).toBeCloseTo(0.2, 5);
      expect(batch.observation[0]).toBeCloseTo(0.5 * 0.2 ** 2, 3);
      expect(batch.observation[3]).toBe(0);
    });
  });

  test.each(['achieved', 'commanded'] as const)(
    'end_effector_delta moves the frame by the delta and holds its orientation (%s)',
    async (goal) => {
      await withBatch(backend, await pandaSpec({ goal, gripper: false }), (batch) => {
        const start = position(batch);
        const orientation = [...batch.observation.subarray(3, 7)];
        const expected = [...start];
        for (const [axis, sign] of [
          [0, 1],
          [0, 1],
          [1, 1],
          [2, -1],
          [1, -1],
          [0, -1],
        ] as const) {
          batch.action.fill(0);
          batch.action[axis] = sign;
          batch.step();
          expected[axis]! += sign * 0.03;
          const error = Math.hypot(...position(batch).map((x, k) => x - expected[k]!));
          // Every other step turns a corner, and inertia carries the arm on by up to a third of the delta.
          expect(error).toBeLessThan(0.01);
          expect(turned(orientation, batch)).toBeLessThan(0.03);
        }
        batch.action.fill(0);
        for (let step = 0; step < 20; step++) batch.step();
        expect(Math.hypot(...position(batch).map((x, k) => x - expected[k]!))).toBeLessThan(
          goal === 'achieved' ? 0.008 : 0.001,
        );
        expect(turned(orientation, batch)).toBeLessThan(0.003);
      });
    },
  );

  test('end_effector_delta stays where it is under zero actions', async () => {
    await withBatch(backend, await pandaSpec({ gripper: false }), (batch) => {
      const start = position(batch);
      for (let step = 0; step < 90; step++) batch.step();
      expect(Math.hypot(...position(batch).map((x, k) => x - start[k]!))).toBeLessThan(0.001);
    });
  });

  test('yaw turns about the vertical and leaves the position', async () => {
    await withBatch(backend, await pandaSpec({ axes: ['yaw'], gripper: false }), (batch) => {
      const start = position(batch);
      const orientation = [...batch.observation.subarray(3, 7)];
      batch.action.fill(0.5);
      for (let step = 0; step < 4; step++) batch.step();
      batch.action.fill(0);
      for (let step = 0; step < 10; step++) batch.step();
      expect(turned(orientation, batch)).toBeCloseTo(4 * 0.5 * 0.15, 1);
      expect(Math.hypot(...position(batch).map((x, k) => x - start[k]!))).toBeLessThan(0.002);
    });
  });

  test('unlisted directions go back to rest', async () => {
    const fixture = await panda(namesOn(backend), { scene: 'reach', axes: ['x', 'y'], gripper: false });
    const { joints } = fixture.control.arm;
    const spec = physics(fixture, pandaGroups, { randomize: [{ kind: 'joints', joints, noise: 0.05 }] });
    const rest = await withBatch(backend, physics(fixture, pandaGroups), (batch) => [...batch.observation]);
    await withBatch(backend, spec, (batch) => {
      expect(turned(rest.slice(3, 7), batch)).toBeGreaterThan(0.01);
      for (let step = 0; step < 20; step++) batch.step();
      expect(turned(rest.slice(3, 7), batch)).toBeLessThan(0.003);
      expect(Math.abs(position(batch)[2]! - rest[2]!)).toBeLessThan(0.001);
    });
  });

  test('an arm at its limits stops without a fault', async () => {
    await withBatch(backend, await pandaSpec({ gripper: false }), (batch) => {
      batch.action.set([1, 0, 0, 0]);
      for (let step = 0; step < 60; step++) {
        batch.step();
        expect(batch.faults).toEqual([]);
      }
      expect(position(batch)[0]).toBeLessThan(0.9);
    });
  });

  test('the last entry opens and closes the gripper', async () => {
    await withBatch(backend, await pandaSpec({ gripper: true }), (batch) => {
      const width = () => batch.observation[7]!;
      expect(width()).toBeCloseTo(0.08, 3);
      batch.action.set([0, 0, 0, 0, -1]);
      for (let step = 0; step < 30; step++) batch.step();
      expect(width()).toBeLessThan(0.005);
      expect(batch.observation[8]).toBe(0);
      batch.action[4] = 1;
      for (let step = 0; step < 30; step++) batch.step();
      expect(width()).toBeGreaterThan(0.075);
    });
  });
});
