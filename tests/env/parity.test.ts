import { describe, expect, it } from 'vitest';
import { modelNames } from '#native/modelNames';
import type { PhysicsSpec } from '#native/physicsSpec';
import { hasNative, namesOn, withBatch } from './backends.js';
import { Actions, bench, panda, physics, pose } from './fixture.js';

const poses = {
  observation: ['ee.position', 'ee.quaternion', 'ee.velocity', 'arm.velocity', 'gripper.width'],
};

/** Observations of every step under the same actions. */
function play(spec: PhysicsSpec, backend: 'native' | 'wasm', steps: number): Promise<Float32Array[]> {
  return withBatch(backend, spec, (batch) => {
    const actions = new Actions();
    return Array.from({ length: steps }, () => {
      actions.fill(batch.action);
      batch.step();
      return batch.observation.slice();
    });
  });
}

function worst(
  a: readonly Float32Array[],
  b: readonly Float32Array[],
): { error: number; step: number; index: number } {
  let found = { error: 0, step: -1, index: -1 };
  a.forEach((row, step) => {
    row.forEach((x, index) => {
      const error = Math.abs(x - b[step]![index]!);
      if (!(error <= found.error)) found = { error, step, index };
    });
  });
  return found;
}

async function pandaSpec(environments: number, more: Partial<PhysicsSpec> = {}): Promise<PhysicsSpec> {
  const fixture = await panda(modelNames, { scene: 'reach' });
  return physics(fixture, poses, { environments, horizon: 12, ...more });
}

async function cubeSpec(environments: number): Promise<PhysicsSpec> {
  const fixture = await panda(modelNames, { scene: 'lift' });
  const cube = fixture.names.body.indexOf('cube');
  const groups = { observation: [...poses.observation, 'cube.position', 'contact(cube, left_finger)'] };
  return physics(fixture, groups, {
    environments,
    horizon: 9,
    latency: [0, 2],
    observationNoise: 0.001,
    randomize: [
      pose(cube, { x: [-0.08, 0.08], y: [-0.1, 0.1], yaw: [-1, 1] }),
      { kind: 'joints', joints: fixture.control.arm.joints, noise: 0.02 },
      { kind: 'mass', body: cube, scale: [0.8, 1.2] },
      { kind: 'friction', geoms: [fixture.names.geomBody.indexOf(cube)], scale: [0.7, 1.3] },
      { kind: 'gain', actuators: fixture.control.arm.actuators, scale: [0.9, 1.1] },
      { kind: 'damping', joints: fixture.control.arm.joints, scale: [0.5, 1.5] },
    ],
  });
}

describe.runIf(hasNative)('the same bits', () => {
  it('for 1, 2 and 3 threads', async () => {
    const spec = await cubeSpec(7);
    const one = await play({ ...spec, threads: 1 }, 'native', 20);
    expect(await play({ ...spec, threads: 2 }, 'native', 20)).toEqual(one);
    expect(await play({ ...spec, threads: 3 }, 'native', 20)).toEqual(one);
  });

  it('in a batch and alone', async () => {
    const spec = await cubeSpec(4);
    const O = spec.program.groups.observation.length;
    const A = 5;
    const row = 2;
    const run = (environments: number, firstEnvironment: number) =>
      withBatch('native', { ...spec, environments, firstEnvironment }, (batch) => {
        const seen: number[] = [];
        const at = row - firstEnvironment;
        for (let step = 0; step < 20; step++) {
          for (let i = 0; i < batch.action.length; i++) batch.action[i] = Math.sin(step * (1 + (i % A)));
          batch.step();
          seen.push(...batch.observation.subarray(at * O, (at + 1) * O));
        }
        return seen;
      });
    expect(await run(1, row)).toEqual(await run(4, 0));
  });
});

/* MuJoCo 4.0 against 3.14: smooth motion agrees to rounding; contact makes the two part after a while. */
describe.runIf(hasNative)('native and WASM agree', () => {
  it('on names, sizes and addresses', async () => {
    const native = await panda(namesOn('native'), { scene: 'lift' });
    const wasm = await panda(namesOn('wasm'), { scene: 'lift' });
    expect(wasm.names).toEqual(native.names);
  });

  it('on the Panda in free motion, to 1e-6', async () => {
    const spec = await pandaSpec(3);
    const { error, step, index } = worst(await play(spec, 'native', 24), await play(spec, 'wasm', 24));
    expect(error, `worst at step ${step}, entry ${index}`).toBeLessThan(1e-6);
  });

  it('on randomised episodes with a resting cube, to 1e-5 over 5 steps', async () => {
    const spec = await cubeSpec(4);
    const { error, step, index } = worst(await play(spec, 'native', 5), await play(spec, 'wasm', 5));
    expect(error, `worst at step ${step}, entry ${index}`).toBeLessThan(1e-5);
  });

  it.each(['joint_position', 'joint_delta', 'joint_velocity', 'torque'] as const)(
    'on the mode %s, to 1e-6',
    async (mode) => {
      const fixture = await bench(modelNames, { mode });
      const groups = { observation: ['arm.position', 'arm.velocity', 'arm.command', 'ball.position'] };
      const spec = physics(fixture, groups, { environments: 2 });
      const { error, step, index } = worst(await play(spec, 'native', 40), await play(spec, 'wasm', 40));
      expect(error, `worst at step ${step}, entry ${index}`).toBeLessThan(1e-6);
    },
  );
});
