import { afterEach, describe, expect, it } from 'vitest';
import { poseTopic, relativePose, toldBodies, toldJoints } from '#deploy/sim/simSensors';
import { type EpisodeOutcome, SimWorld } from '#deploy/sim/simWorld';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { makeTwin } from '#env/twin';
import { loadTask } from '#spec/task';
import { backends, hasNative } from '../../env/backends.js';

const available = backends.filter((backend) => backend === 'wasm' || hasNative);
const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** A straight line to `target`, as a trajectory of one point. */
function line(joints: readonly string[], target: ArrayLike<number>, time: number) {
  return {
    joint_names: joints,
    points: [
      {
        positions: Array.from(target),
        velocities: [],
        accelerations: [],
        effort: [],
        time_from_start: { sec: 0, nanosec: Math.round(time * 1e9) },
      },
    ],
  };
}

describe.each(available)('the world of a sim robot on %s', (backend) => {
  it('starts where training starts, and the expert succeeds in it through trajectories alone', async () => {
    const task = await loadTask('peg_insertion');
    const start = { seed: 11, environment: 2, episode: 1 };
    const outcomes: EpisodeOutcome[] = [];
    const world = await SimWorld.open({ task, ...start, backend, onOutcome: (one) => outcomes.push(one) });
    const env = await makeEnv(task, {
      environments: 1,
      seed: 11,
      firstEnvironment: 2,
      autoReset: false,
      backend,
    });
    const twin = await makeTwin(task, { backend });
    opened.push(world, env, twin);
    const { substeps, period } = task.control;
    const view = Object.assign(twin, { horizon: task.horizon, controlPeriod: period });
    const expert = new Expert(task, view, 3);
    const command = new Float64Array(twin.commandLength);
    let time = 0;
    for (const episode of [1, 2]) {
      if (episode > 1) world.reset({ ...start, episode });
      env.reset({ episode });
      const first = env.readCopy(0);
      // One physics step lies between: the world shows where everything is after it.
      for (let i = 0; i < first.qpos.length; i++) {
        expect(Math.abs(world.scene.qpos[i]! - first.qpos[i]!)).toBeLessThan(1e-3);
      }
      const fixed = { ...first, qpos: world.scene.qpos, qvel: world.scene.qvel };
      twin.sense(fixed, true);
      twin.episode[0] = episode;
      outcomes.length = 0;
      for (let step = 0; step < task.horizon && outcomes.length === 0; step++) {
        expert.act(twin.action);
        twin.command(command);
        const message = line(task.robot.arm.names, command.subarray(0, 7), period);
        expect(world.controller.accept(message, time, time, world.measured)).toBeUndefined();
        world.begin();
        for (let k = 1; k <= substeps; k++) world.step(time + k * task.control.timestep);
        time += period;
        if (twin.terminated[0] === 0) twin.sense(fixed, false);
      }
      expect(outcomes).toMatchObject([{ ...start, episode, success: true, reason: 'success' }]);
      expect(outcomes[0]!.steps).toBe(world.steps);
      expect(world.phase).toBe('ended');
    }
  });
});

describe('an episode', () => {
  it('lasts as many steps of the policy at any pace', async () => {
    const task = await loadTask('reach_hold', ['horizon=4']);
    for (const pace of [1, 0.5]) {
      const outcomes: EpisodeOutcome[] = [];
      const world = await SimWorld.open({
        task,
        seed: 1,
        environment: 0,
        episode: 0,
        pace,
        onOutcome: (one) => outcomes.push(one),
      });
      opened.push(world);
      world.begin();
      const steps = (4 * task.control.period) / pace / task.control.timestep;
      for (let k = 1; k < steps; k++) world.step(k * task.control.timestep);
      expect(outcomes).toEqual([]);
      world.step(steps * task.control.timestep);
      expect(outcomes).toMatchObject([
        { reason: 'horizon', steps: 4, seconds: (4 * task.control.period) / pace },
      ]);
    }
  });
});

describe('what a sim robot tells', () => {
  it('lists joints of arm, gripper and scene, and the bodies that can be anywhere', async () => {
    const task = await loadTask('drawer');
    const names = toldJoints(task).map(({ name }) => name);
    expect(names.slice(0, 7)).toEqual(task.robot.spec.ros.joint_names);
    expect(names.slice(7, 9)).toEqual(['panda_finger_joint1', 'panda_finger_joint2']);
    expect(names.slice(9)).toEqual(['drawer_joint']);
    const lift = await loadTask('lift');
    expect(toldBodies(lift).map(({ name }) => name)).toEqual(['cube']);
    expect(poseTopic('cube')).toBe('/poses/cube');
    expect(poseTopic('4th link-a')).toBe('/poses/_4th_link_a');
  });

  it('tells poses in the frame of the base, wherever that stands', () => {
    const half = Math.SQRT1_2;
    // The base at (1, 2, 3), turned by 90 degrees about z; the body one metre along its x, turned the same.
    const scene = {
      position: Float64Array.of(0, 0, 0, 1, 2, 3, 1, 3, 3),
      rotation: Float64Array.of(1, 0, 0, 0, half, 0, 0, half, half, 0, 0, half),
    };
    const pose = new Float64Array(7);
    relativePose(scene, 1, 2, pose);
    [1, 0, 0, 1, 0, 0, 0].forEach((value, i) => {
      expect(pose[i]).toBeCloseTo(value, 12);
    });
  });

  it('refuses tasks without position servos', async () => {
    const open = async (name: string) =>
      SimWorld.open({
        task: await loadTask(name),
        seed: 0,
        environment: 0,
        episode: 0,
        onOutcome: () => {},
      });
    await expect(open('stl_unicycle')).rejects.toThrow(/no position servos/);
  });
});
