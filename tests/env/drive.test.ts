import { describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { makeTwin } from '#env/twin';
import { modelNames } from '#native/modelNames';
import { createDrivenScene, type PhysicsBatch } from '#native/physicsBatch';
import { loadTask } from '#spec/task';
import { backends, hasNative, withBatch } from './backends.js';
import { bench, panda, physics } from './fixture.js';

const available = backends.filter((backend) => backend === 'wasm' || hasNative);

/** What step() makes of a command: straight lines from where the arm is. */
function lines(from: Float64Array, command: Float64Array, joints: number, substeps: number, period: number) {
  const C = command.length;
  const references = new Float64Array(substeps * C);
  const velocities = new Float64Array(substeps * joints);
  for (let k = 0; k < substeps; k++) {
    references.set(command, k * C);
    for (let i = 0; i < joints; i++) {
      const motion = command[i]! - from[i]!;
      references[k * C + i] = from[i]! + (motion * (k + 1)) / substeps;
      velocities[k * joints + i] = motion / period;
    }
  }
  return { references, velocities };
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

describe.each(available)('a driven robot on %s', (backend) => {
  it.each(['peg_insertion', 'reach_hold'])(
    'moves and is judged as the environment of %s is that steps',
    async (name) => {
      const task = await loadTask(name);
      const env = await makeEnv(task, { environments: 1, seed: 7, autoReset: false, backend });
      const driven = await makeEnv(task, { environments: 1, seed: 7, autoReset: false, backend });
      const twin = await makeTwin(task, { backend });
      const { substeps, period } = task.control;
      const { joints } = task.robot.arm;
      const addresses = joints.map((id) => task.names.jointQposAddress[id]!);
      const scene = createDrivenScene(task.names);
      const expert = new Expert(task, env, 3);
      const command = new Float64Array(twin.commandLength);
      let begins = true;
      while (env.terminated[0] === 0 && env.truncated[0] === 0) {
        twin.sense(driven.readCopy(0), begins);
        begins = false;
        expert.act(env.action);
        twin.action.set(env.action);
        twin.command(command);
        const before = driven.readCopy(0);
        const from = Float64Array.from(addresses, (at) => before.qpos[at]!);
        const { references, velocities } = lines(from, command, joints.length, substeps, period);
        env.step();
        // In two parts, as a robot that publishes more often than it is judged.
        const half = Math.floor(substeps / 2);
        const cut = (values: Float64Array, width: number) =>
          [values.slice(0, half * width), values.slice(half * width)] as const;
        const [r1, r2] = cut(references, command.length);
        const [v1, v2] = cut(velocities, joints.length);
        driven.drive(r1, v1, true, scene);
        driven.drive(r2, v2, true, scene);
        expect(worst(scene.qpos, env.readCopy(0).qpos)).toBeLessThan(1e-7);
        expect(worst(driven.signals, env.signals)).toBeLessThan(1e-4);
        expect([driven.steps[0], driven.success[0], driven.terminated[0], driven.truncated[0]]).toEqual([
          env.steps[0],
          env.success[0],
          env.terminated[0],
          env.truncated[0],
        ]);
      }
      expect(env.success[0]).toBe(1);
      // The episode is over, the robot is not.
      const steps = driven.steps[0];
      const { references, velocities } = lines(
        command.subarray(0, joints.length),
        command,
        joints.length,
        substeps,
        period,
      );
      driven.drive(references, velocities, true, scene);
      expect(driven.steps[0]).toBe(steps);
      for (const batch of [env, driven, twin]) batch.close();
    },
    120_000,
  );

  it('judges only where asked, tells where everything is, and starts anew with a reset', async () => {
    const fixture = await panda(modelNames, { mode: 'end_effector_delta' });
    const spec = {
      ...physics(fixture, { observation: ['arm.position'] }),
      substeps: 4,
      horizon: 3,
      autoReset: false,
    };
    await withBatch(backend, spec, (batch) => {
      const scene = createDrivenScene(fixture.names);
      const home = Float64Array.from(spec.control.arm.home);
      const drive = (steps: number, judged: boolean) => {
        const command = Float64Array.of(...home, 0.04);
        const { references, velocities } = lines(home, command, 7, steps, 1);
        batch.drive(references, velocities, judged, scene);
      };
      drive(40, false);
      expect(batch.steps[0]).toBe(0);
      drive(3, true);
      expect(batch.steps[0]).toBe(0);
      drive(1, true);
      expect(batch.steps[0]).toBe(1);
      expect(worst(scene.qpos, batch.readCopy(0).qpos)).toBe(0);
      const hand = fixture.names.body.indexOf('hand');
      const frame = new Float64Array(7);
      batch.frameAt(scene.qpos, 0, hand, frame);
      expect(worst(scene.position.subarray(3 * hand, 3 * hand + 3), frame)).toBe(0);
      expect(worst(scene.rotation.subarray(4 * hand, 4 * hand + 4), frame.subarray(3))).toBe(0);
      expect(Math.max(...scene.force.map(Math.abs))).toBeGreaterThan(0);
      drive(2, true);
      batch.reset({ episode: 4 });
      drive(3, true);
      expect(batch.steps[0]).toBe(0);
      drive(9, true);
      expect([batch.steps[0], batch.truncated[0]]).toEqual([3, 1]);
    });
  });

  it('refuses what cannot be driven', async () => {
    const fixture = await panda(modelNames, { mode: 'torque' });
    const scene = createDrivenScene(fixture.names);
    const rows = (count: number) => [new Float64Array(8 * count), new Float64Array(7 * count)] as const;
    await withBatch(backend, physics(fixture, { observation: ['arm.position'] }), (batch: PhysicsBatch) => {
      expect(() => batch.drive(...rows(1), true, scene)).toThrow(/only position servos/);
    });
    const servos = await panda(modelNames, { mode: 'joint_position' });
    await withBatch(backend, physics(servos, { observation: ['arm.position'] }), (batch: PhysicsBatch) => {
      expect(() => batch.drive(new Float64Array(9), new Float64Array(7), true, scene)).toThrow(/references/);
      expect(() => batch.drive(new Float64Array(8), new Float64Array(8), true, scene)).toThrow(/velocities/);
      expect(() =>
        batch.drive(new Float64Array(8).fill(Number.NaN), new Float64Array(7), true, scene),
      ).toThrow(/finite/);
      const small = { ...scene, qpos: new Float64Array(1) };
      expect(() => batch.drive(...rows(1), true, small)).toThrow(/qpos/);
    });
    const table = await bench(modelNames);
    await withBatch(
      backend,
      { ...physics(table, { observation: ['slide.position'] }), environments: 2 },
      (batch: PhysicsBatch) => {
        expect(() => batch.drive(...rows(1), true, scene)).toThrow(/one environment/);
      },
    );
  });
});
