import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import { packageRoot } from '#native/addon';
import { multiplyQuat, rotate } from '#native/wasm/quaternion';
import { loadTask } from '#spec/task';
import { backends, hasNative } from './backends.js';

const folder = mkdtempSync(join(tmpdir(), 'vernier-base-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SQUARE = Math.SQRT1_2;
/** How the base stands in the world. */
const STANDS: Readonly<Record<string, readonly number[]>> = {
  upright: [1, 0, 0, 0],
  'turned by 90 degrees': [SQUARE, 0, 0, SQUARE],
  'on a wall': [SQUARE, SQUARE, 0, 0],
};
/** Seen from the base: near where the tool rests, pointing down, turned a little about all axes. */
const POSITION = [0.45, 0.05, 0.3];
const QUATERNION = [0.05, 0.98, 0.15, 0.1];

const TASK = `name: touch
robot: robot.yaml
scene: scene.xml
horizon: 60
control: {mode: end_effector_delta, axes: [x, y, z, roll, pitch, yaw], translation: 0.03, rotation: 0.15, gripper: false}
randomize:
  - {joints: arm, noise: 0.02}
observation: [ee.position]
success: norm(target.position - ee.position) < 0.005 and angle(target.quaternion, ee.quaternion) < 0.02
reward: sparse
expert:
  waypoints:
    - {position: target.position, quaternion: target.quaternion, until: success, timeout: 60}
`;

/** A Panda on a base that stands so, and a target that stands to the base as in every other case. */
function workspace(name: string, stand: readonly number[]): string {
  const place = join(folder, name.replaceAll(' ', '-'));
  cpSync(resolve(packageRoot, 'robots/panda'), place, { recursive: true });
  const model = readFileSync(join(place, 'model.xml'), 'utf8');
  const base = '<body name="link0" childclass="panda"';
  expect(model).toContain(base);
  writeFileSync(join(place, 'model.xml'), model.replace(base, `${base} quat="${stand.join(' ')}"`));
  const position = Float64Array.from(POSITION);
  rotate(position, stand);
  const quaternion = new Float64Array(4);
  multiplyQuat(quaternion, stand, QUATERNION);
  writeFileSync(
    join(place, 'scene.xml'),
    `<mujoco><worldbody><body name="target" pos="${position.join(' ')}" quat="${quaternion.join(' ')}"/></worldbody></mujoco>`,
  );
  writeFileSync(join(place, 'task.yaml'), TASK);
  return join(place, 'task.yaml');
}

describe.each(Object.entries(STANDS))('the expert of a robot whose base is %s', (name, stand) => {
  it.for(backends)('reaches a pose along the axes of the base (%s)', async (backend, { skip }) => {
    if (backend === 'native' && !hasNative) skip('no native addon');
    const task = await loadTask(workspace(`${name} ${backend}`, stand));
    const B = 4;
    const env = await makeEnv(task, { environments: B, seed: 3, autoReset: false, backend });
    const expert = new Expert(task, env, 5, { noise: 0 });
    let successes = 0;
    for (let step = 0; step < task.horizon; step++) {
      expert.act(env.action);
      env.step();
      expect(env.faults).toEqual([]);
      successes += env.success.reduce((sum, s) => sum + s, 0);
    }
    env.close();
    expect(successes).toBe(B);
  });
});
