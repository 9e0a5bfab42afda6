import { describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { makeTwin } from '#env/twin';
import { modelNames } from '#native/modelNames';
import { type PhysicsBatch, twinFrame } from '#native/physicsBatch';
import { loadTask } from '#spec/task';
import { backends, hasNative, snapshot, withBatch } from './backends.js';
import { Actions, bench, panda, physics, pose } from './fixture.js';

const available = backends.filter((backend) => backend === 'wasm' || hasNative);

/** What a step writes, formulas included. */
function all(batch: PhysicsBatch): number[] {
  const { robustness, predicates, violated, finalRobustness } = batch;
  return [...snapshot(batch), ...robustness, ...predicates, ...violated, ...finalRobustness];
}

describe.each(available)('a twin on %s', (backend) => {
  it.each(['peg_insertion', 'lift', 'reach_hold', 'drawer'])(
    'sees and judges whole episodes of %s with the bits of the environment it is fed from',
    async (name) => {
      const task = await loadTask(name);
      const env = await makeEnv(task, { environments: 1, seed: 5, autoReset: false, backend });
      const twin = await makeTwin(task, { backend });
      const expert = new Expert(task, env, 3);
      const episodes = backend === 'native' ? 3 : 1;
      let successes = 0;
      for (let episode = 0; episode < episodes; episode++) {
        env.reset({ episode });
        twin.sense(env.readCopy(0), true);
        twin.episode.set(env.episode);
        expect(twin.observation).toEqual(env.observation);
        expect(twin.signals).toEqual(env.signals);
        const command = new Float64Array(twin.commandLength);
        while (env.terminated[0] === 0 && env.truncated[0] === 0) {
          expert.act(env.action);
          twin.action.set(env.action);
          env.step();
          twin.command(command);
          twin.sense(env.readCopy(0), false);
          expect(all(twin)).toEqual(all(env));
        }
        successes += env.success[0]!;
        expect(() => twin.sense(env.readCopy(0), false)).toThrow(/episode is over/);
      }
      expect(successes).toBeGreaterThan(0);
      env.close();
      twin.close();
    },
    120_000,
  );

  it.each(['end_effector_delta', 'joint_position', 'joint_delta', 'joint_velocity'] as const)(
    'commands what the environment commands, in the mode %s',
    async (mode) => {
      const fixture = await panda(modelNames, { mode, goal: 'commanded', scale: 0.02 });
      const spec = physics(fixture, {
        observation: ['arm.command', 'gripper.command', 'arm.position', 'ee.velocity', 'action'],
      });
      await withBatch(backend, spec, (env) =>
        withBatch(backend, spec, (twin) => {
          const actions = new Actions();
          twin.sense(env.readCopy(0), true);
          const command = new Float64Array(twin.commandLength);
          for (let step = 0; step < 25; step++) {
            actions.fill(env.action);
            twin.action.set(env.action);
            env.step();
            twin.command(command);
            expect(Float32Array.from(command)).toEqual(env.observation.slice(0, 8));
            twin.sense(env.readCopy(0), false);
            expect(twin.observation).toEqual(env.observation);
          }
        }),
      );
    },
  );

  it('takes the place of a body that the task randomises, and tells where frames would be', async () => {
    const fixture = await bench(modelNames);
    const post = fixture.names.body.indexOf('post');
    const groups = { observation: ['post.position', 'marker.position', 'ball.position', 'slide.position'] };
    const spec = physics(fixture, groups, { randomize: [pose(post, { x: [-1, 1] })] });
    await withBatch(backend, spec, (twin) => {
      const scene = twin.readCopy(0);
      scene.bodyPos.set([3.25, 1.5, 0.125], 3 * post);
      scene.mocapPos.set([1, 2, 3]);
      scene.qpos[0] = 0.5;
      scene.qpos.set([4, 5, 6], 2);
      twin.sense(scene, true);
      expect([...twin.observation]).toEqual([3.25, 1.5, 0.125, 1, 2, 3, 4, 5, 6, 0.5]);
      expect([...twin.readCopy(0).bodyPos.slice(3 * post, 3 * post + 3)]).toEqual([3.25, 1.5, 0.125]);
      const frame = new Float64Array(7);
      scene.qpos[0] = -1.5;
      twin.frameAt(scene.qpos, twinFrame.body, fixture.names.body.indexOf('sled'), frame);
      expect([...frame]).toEqual([-1.5, 0, 1, 1, 0, 0, 0]);
      twin.sense(twin.readCopy(0), false);
      expect(twin.observation[9]).toBe(0.5);
    });
  });

  it('refuses what is no state, and batches that are no twin', async () => {
    const fixture = await bench(modelNames);
    const spec = physics(fixture, { observation: ['slide.position'] });
    await withBatch(backend, spec, (twin) => {
      const scene = twin.readCopy(0);
      const command = new Float64Array(twin.commandLength);
      expect(() => twin.command(command)).toThrow(/beginning of an episode/);
      twin.sense(scene, true);
      expect(() => twin.sense({ ...scene, qpos: new Float64Array(1) }, false)).toThrow(/qpos: expected 9/);
      scene.qpos[1] = Number.NaN;
      expect(() => twin.sense(scene, false)).toThrow(/qpos is not finite/);
      expect(twin.steps[0]).toBe(0);
      twin.action[0] = Number.NaN;
      expect(() => twin.command(command)).toThrow(/action is not finite/);
      expect(() => twin.command(new Float64Array(1))).toThrow(/numbers/);
      expect(() => twin.frameAt(new Float64Array(9), 1, 99, new Float64Array(7))).toThrow(/no such frame/);
    });
    await withBatch(backend, { ...spec, environments: 2 }, (batch) => {
      expect(() => batch.sense(batch.readCopy(0), true)).toThrow(/one environment/);
    });
  });
});
