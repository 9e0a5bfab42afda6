import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { loadTask } from '#spec/task';
import { root } from './simulation.js';

/** A model as others publish them: meshes in a folder of their own, nested defaults, general actuators that are
 * servos by their gains, a keyframe; an arm of two joints. */
const model = `<mujoco model="foreign">
  <compiler angle="radian" meshdir="assets" autolimits="true"/>
  <option integrator="implicitfast"/>
  <default>
    <default class="foreign">
      <joint armature="0.1" damping="1" axis="0 0 1" range="-2.9 2.9"/>
      <general dyntype="none" biastype="affine" ctrlrange="-2.9 2.9" forcerange="-80 80"
               gainprm="400" biasprm="0 -400 -40"/>
      <default class="visual"><geom type="mesh" contype="0" conaffinity="0" group="2"/></default>
      <default class="collision"><geom type="mesh" group="3"/></default>
    </default>
  </default>
  <asset>
    <material name="grey" rgba="0.7 0.7 0.7 1"/>
    <mesh class="foreign" file="link.stl"/>
    <mesh name="tip" file="tip.stl"/>
  </asset>
  <worldbody>
    <body name="base" childclass="foreign" pos="0 0 0.3">
      <geom mesh="link" class="visual" material="grey"/>
      <body name="upper">
        <joint name="shoulder"/>
        <geom mesh="link" class="visual" pos="0.2 0 0"/>
        <geom mesh="link" class="collision" pos="0.2 0 0"/>
        <body name="lower" pos="0.4 0 0">
          <joint name="elbow"/>
          <geom mesh="link" class="collision" pos="0.2 0 0"/>
          <geom mesh="tip" class="collision" pos="0.4 0 0"/>
          <site name="tool" pos="0.4 0 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <contact><exclude body1="base" body2="lower"/></contact>
  <actuator>
    <general class="foreign" name="shoulder_servo" joint="shoulder"/>
    <general class="foreign" name="elbow_servo" joint="elbow"/>
  </actuator>
  <keyframe><key name="home" qpos="0.5 -1" ctrl="0.5 -1"/></keyframe>
</mujoco>
`;

const robot = `name: foreign
model: model.xml
arm: {joints: [shoulder, elbow], actuators: [shoulder_servo, elbow_servo], home: [0.3, -0.6]}
end_effector: tool
`;

const task = (robotLine: string, rest: string) => `name: foreign
robot: ${robotLine}
horizon: 20
observation: [arm.position, tool.position]
success: tool.position.y > 0.5 m
${rest}
`;

/** A box as a binary STL. */
function boxStl(x: number, y: number, z: number): Uint8Array {
  const corner = (i: number) => [i & 1 ? x : -x, i & 2 ? y : -y, i & 4 ? z : -z];
  const faces = [
    [0, 2, 3, 1],
    [4, 5, 7, 6],
    [0, 1, 5, 4],
    [2, 6, 7, 3],
    [0, 4, 6, 2],
    [1, 3, 7, 5],
  ] as const;
  const triangles = faces.flatMap(([a, b, c, d]) => [
    [a, b, c],
    [a, c, d],
  ]);
  const view = new DataView(new ArrayBuffer(84 + 50 * triangles.length));
  view.setUint32(80, triangles.length, true);
  triangles.forEach((triangle, at) => {
    triangle.flatMap(corner).forEach((value, k) => {
      view.setFloat32(84 + 50 * at + 12 + 4 * k, value, true);
    });
  });
  return new Uint8Array(view.buffer);
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vernier-foreign-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'assets', 'link.stl'), boxStl(0.2, 0.03, 0.03));
  writeFileSync(join(folder, 'assets', 'tip.stl'), boxStl(0.01, 0.04, 0.04));
  writeFileSync(join(folder, 'model.xml'), model);
  writeFileSync(join(folder, 'robot.yaml'), robot);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(text: string, steps: number, action: readonly number[]) {
  writeFileSync(join(folder, 'task.yaml'), text);
  const loaded = await loadTask(join(folder, 'task.yaml'));
  const env = await makeEnv(loaded, { environments: 2, seed: 0, threads: 1, autoReset: false });
  const start = [...env.observation.slice(0, env.O)];
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < env.B; i++) env.action.set(action, i * env.A);
    env.step();
    expect(env.faults).toEqual([]);
  }
  const end = [...env.observation.slice(0, env.O)];
  const mirrored = [...env.observation.slice(env.O)];
  env.close();
  expect(mirrored).toEqual(end);
  return { loaded, start, end };
}

it('runs a bare MJCF with meshes by path', async () => {
  const { loaded, start, end } = await run(
    task('model.xml', 'control: {mode: joint_delta, delta: 0.1}'),
    10,
    [1, -1],
  );
  expect([...loaded.model.files.keys()].sort()).toEqual(['link.stl', 'tip.stl']);
  expect(loaded.robot.arm.names).toEqual(['shoulder', 'elbow']);
  // Ten steps of 0.1 rad, less what the servos lag behind.
  expect(end[0]! - start[0]!).toBeGreaterThan(0.8);
  expect(end[0]! - start[0]!).toBeLessThan(1.1);
  expect(end[1]! - start[1]!).toBeLessThan(-0.8);
});

it('puts a foreign robot into a scene of the repository', async () => {
  const scene = resolve(root, 'sim/scenes/lift.xml');
  const control = 'control: {mode: end_effector_delta, axes: [x, y], translation: 0.02}';
  const { loaded, start, end } = await run(task('robot.yaml', `scene: ${scene}\n${control}`), 8, [0, 1]);
  expect(loaded.names.body).toContain('cube');
  expect(start[0]).toBeCloseTo(0.3, 6);
  expect(end[3]! - start[3]!).toBeGreaterThan(0.12);
  expect(Math.abs(end[2]! - start[2]!)).toBeLessThan(0.02);
});

it('names the file that a model asks for in vain', async () => {
  writeFileSync(join(folder, 'broken.xml'), model.replace('tip.stl', 'tap.stl'));
  writeFileSync(join(folder, 'task.yaml'), task('broken.xml', ''));
  await expect(loadTask(join(folder, 'task.yaml'))).rejects.toThrow(/tap\.stl/);
});
