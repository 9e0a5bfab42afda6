import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { robotFile, robots, root, Simulation, scenes } from './simulation.js';

/** What the robot files say must be what the models do. */

const steps = 150; // 0.3 s

describe.each(robots)('%s', (robot) => {
  const file = robotFile(robot);

  it('states the joint ranges and torques of its model', async () => {
    const simulation = await Simulation.of(robot);
    const { model } = simulation;
    file.arm.joints.forEach((name, i) => {
      const joint = simulation.id('JOINT', name);
      const actuator = simulation.id('ACTUATOR', file.arm.actuators[i]!);
      const { position, effort } = file.limits[name]!;
      expect([...model.jnt_range.slice(2 * joint, 2 * joint + 2)], name).toEqual(position);
      expect([...model.actuator_ctrlrange.slice(2 * actuator, 2 * actuator + 2)], name).toEqual(position);
      expect([...model.actuator_forcerange.slice(2 * actuator, 2 * actuator + 2)], name).toEqual([
        -effort,
        effort,
      ]);
      expect(model.actuator_trnid[2 * actuator], name).toBe(joint);
      expect(file.arm.home[i], name).toBeGreaterThan(position[0]);
      expect(file.arm.home[i], name).toBeLessThan(position[1]);
    });
    expect(Object.keys(file.limits)).toEqual(file.arm.joints);
    simulation.close();
  });

  it('names the home pose of its own keyframe', async () => {
    const simulation = await Simulation.of(robot);
    const { mujoco, model, data } = simulation;
    mujoco.mj_resetDataKeyframe(model, data, 0);
    const [qpos, ctrl] = [[...data.qpos], [...data.ctrl]];
    mujoco.mj_resetData(model, data);
    simulation.home(file);
    expect([...data.qpos]).toEqual(qpos);
    expect([...data.ctrl]).toEqual(ctrl);
    simulation.close();
  });

  it('rests with the hand over the middle of the work area, pointing down', async () => {
    const simulation = await Simulation.of(robot);
    simulation.home(file);
    const { position, rotation } = simulation.site('ee');
    expect(Math.hypot(position[0]! - 0.5, position[1]!)).toBeLessThan(1e-5);
    const down = [1, 0, 0, 0, -1, 0, 0, 0, -1];
    expect(Math.max(...rotation.map((value, i) => Math.abs(value - down[i]!)))).toBeLessThan(1e-4);
    simulation.close();
  });

  it.each(scenes)('rests at home in the scene %s: touches nothing, moves nothing', async (scene) => {
    const simulation = await Simulation.of(robot, scene);
    simulation.home(file);
    const { mujoco, model, data } = simulation;
    expect(simulation.deepestContact()).toBeGreaterThan(-1e-4);
    const before = simulation.site('ee').position;
    for (let i = 0; i < steps; i++) mujoco.mj_step(model, data);
    const after = simulation.site('ee').position;
    expect(Math.max(...after.map((value, i) => Math.abs(value - before[i]!)))).toBeLessThan(1e-3);
    expect(Math.max(...data.qvel.map(Math.abs))).toBeLessThan(1e-2);
    simulation.close();
  });
});

it('every scene builds on the same table, or on the arena', () => {
  for (const file of readdirSync(resolve(root, 'sim/scenes'))) {
    if (file === 'table.xml' || file === 'arena.xml') continue;
    const text = readFileSync(resolve(root, 'sim/scenes', file), 'utf8');
    expect(text, file).toMatch(/<include file="(table|arena)\.xml"\/>/);
  }
});
