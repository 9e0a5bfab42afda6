import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { addonStatus } from '#native/addon';
import { modelNames } from '#native/modelNames';
import { composeModel } from '#spec/model';

const folder = mkdtempSync(join(tmpdir(), 'vernier-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const spec = expect.objectContaining({ code: 'SPEC' });
const TETRAHEDRON = 'v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n';

const robot = write(
  'robot/robot.xml',
  `<?xml version="1.0"?>
<!-- a robot with a mesh in its own folder -->
<mujoco model="arm">
  <compiler angle="radian" meshdir="assets"/>
  <include file="parts.xml"/>
  <asset><mesh file="shape.obj"/></asset>
  <worldbody>
    <body name="link"><joint name="j" range="-1 1" axis="0 0 1"/><geom type="mesh" mesh="shape" mass="1"/></body>
  </worldbody>
  <keyframe><key name="home" qpos="0.5"/></keyframe>
</mujoco>`,
);
write('robot/assets/shape.obj', TETRAHEDRON);
write('robot/parts.xml', '<mujocoinclude><default><geom rgba="1 0 0 1"/></default></mujocoinclude>');
const scene = write(
  'scenes/table.xml',
  `<mujoco model="table">
  <asset><mesh name="other" file="shape.obj"/></asset>
  <worldbody>
    <include file="objects/ball.xml"/>
    <geom name="other" type="mesh" mesh="other"/>
  </worldbody>
</mujoco>`,
);
write('scenes/shape.obj', TETRAHEDRON.replaceAll('.1', '.2'));
write(
  'scenes/objects/ball.xml',
  '<mujocoinclude><body name="ball"><freejoint/><geom size="0.1"/></body></mujocoinclude>',
);

const backends = (['native', 'wasm'] as const).filter(
  (backend) => backend === 'wasm' || addonStatus().addon?.PhysicsBatch !== undefined,
);

describe('composeModel', () => {
  it.each(backends)('makes one model of robot and scene, meshes included (%s)', async (backend) => {
    const names = await modelNames(composeModel(robot, scene), backend);
    expect(names.body).toEqual(['world', 'link', 'ball']);
    expect(names.geom).toContain('other');
    expect(names.nq).toBe(8);
    expect(names.jointRange[0]).toEqual([-1, 1]);
    expect(names.keyframe).toEqual([]);
  });

  it.each(backends)('leaves a single file as it is, keyframes too (%s)', async (backend) => {
    const names = await modelNames(composeModel(robot), backend);
    expect(names.keyframe).toEqual(['home']);
  });

  it('hashes what the model is made of', () => {
    const before = composeModel(robot, scene).hash;
    expect(composeModel(robot, scene).hash).toBe(before);
    expect(composeModel(robot).hash).not.toBe(before);
    write('scenes/shape.obj', TETRAHEDRON);
    expect(composeModel(robot, scene).hash).not.toBe(before);
  });

  it('names the file that is missing and who asked for it', () => {
    const asks = write('asks.xml', '<mujoco><include file="gone.xml"/></mujoco>');
    expect(() => composeModel(asks)).toThrow(spec);
    expect(() => composeModel(asks)).toThrow(/gone\.xml.*included by .*asks\.xml/);
    const mesh = write('mesh.xml', '<mujoco><asset><mesh file="gone.stl"/></asset></mujoco>');
    expect(() => composeModel(mesh)).toThrow(/mesh file .*gone\.stl does not exist/);
    expect(() => composeModel(join(folder, 'nowhere.xml'))).toThrow(spec);
  });

  it('refuses a file that is no MJCF, and one that includes itself', () => {
    expect(() => composeModel(write('urdf.xml', '<robot name="x"/>'))).toThrow(/<mujoco>/);
    const loop = write('loop.xml', '<mujoco><include file="loop.xml"/></mujoco>');
    expect(() => composeModel(loop)).toThrow(/includes itself/);
  });

  it('refuses a scene that reads angles another way', () => {
    const degrees = write('degrees.xml', '<mujoco><compiler angle="degree"/><worldbody/></mujoco>');
    expect(() => composeModel(robot, degrees)).toThrow(/angle="degree".*"radian"/);
  });
});
