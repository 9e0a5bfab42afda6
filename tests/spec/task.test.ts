import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { edit, robotYaml, taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
beforeEach(() => {
  space.write('tasks/put.yaml', taskYaml);
  space.write('robots/arm/robot.yaml', robotYaml);
});
afterAll(() => space.remove());

describe('loadTask', () => {
  it('looks every name up and fills every default in', async () => {
    const task = await space.load();
    expect(task.robot.arm).toMatchObject({ joints: [0, 1], actuators: [0, 1], home: [0.5, 0] });
    expect(task.robot.arm.limits[0]).toMatchObject({ position: [-2, 2], velocity: 2, effort: 50 });
    expect(task.robot).toMatchObject({
      base: 1,
      endEffector: 0,
      gripper: { joints: [2], width: [2], open: 255 },
    });
    expect(task.control).toMatchObject({ mode: 'end_effector_delta', substeps: 25, translation: 0.05 });
    expect(task.actionNames).toEqual(['x', 'y', 'z', 'yaw', 'gripper']);
    expect(task.randomize).toEqual([
      {
        kind: 'pose',
        body: 4,
        x: [-0.1, 0.1],
        y: [0, 0],
        z: [0, 0],
        roll: [0, 0],
        pitch: [0, 0],
        yaw: [-0.3, 0.3],
        apartFrom: [],
        distance: 0,
      },
      { kind: 'joints', joints: [0, 1], noise: 0.02 },
      { kind: 'latency', steps: [0, 1] },
    ]);
    expect(task.spec.residual).toMatchObject({
      preset: 'small',
      scale: 0.2,
      critics: 4,
      clip_targets: false, // the reward has terms
    });
    expect(task.spec.evaluation.episodes).toBe(200);
  });

  it('lays the outputs out group by group', async () => {
    const { program, observationLength, expert } = await space.load();
    expect(program.groups).toEqual({
      signals: { offset: 0, length: 4 },
      observation: { offset: 4, length: 8 },
      reward: { offset: 12, length: 2 },
      success: { offset: 14, length: 1 },
      failure: { offset: 15, length: 0 },
      expert: { offset: 15, length: program.groups.expert.length },
      monitor: { offset: 15 + program.groups.expert.length, length: 0 },
    });
    expect(observationLength).toBe(8);
    expect(program.signalNames).toEqual([
      { name: 'error', offset: 0, length: 3, unit: 'm' },
      { name: 'lateral', offset: 3, length: 1, unit: 'm' },
    ]);
    expect(program.observationNames.map(({ name, unit }) => [name, unit])).toEqual([
      ['ee.position', 'm'],
      ['error', 'm'],
      ['speed', '?'],
    ]);
    expect(program.rewardNames.map(({ name }) => name)).toEqual(['-lateral', 'bonus']);
    const [first, second] = expert!.waypoints;
    expect(first).toMatchObject({ gripper: 1, yaw: { length: 1 }, position: { length: 3 }, timeout: 100 });
    expect(second).toMatchObject({ gripper: -1, yaw: undefined, until: { length: 1 } });
    const last = second!.until;
    expect(last.offset + last.length).toBe(program.groups.expert.length);
  });

  it('derives an arm from a bare MJCF', async () => {
    space.write(
      'tasks/put.yaml',
      edit(
        edit(taskYaml, 'robot: arm', 'robot: ../robots/arm/model.xml'),
        '  gripper: true\n',
        '  mode: joint_delta\n',
      )
        .replace(/expert:[\s\S]*?residual/, 'residual')
        .replace('  - ee.position\n', ''),
    );
    const task = await space.load();
    expect(task.robot.arm.names).toEqual(['shoulder', 'slider']);
    expect(task.actionNames).toEqual(['shoulder', 'slider']);
    expect(task.robot.endEffector).toBeUndefined();
  });

  it('takes joint targets where the control mode is of joints', async () => {
    const joints = edit(taskYaml, '  axes: [x, y, z, yaw]', '  mode: joint_delta').replace(
      / {2}waypoints:\n[\s\S]*?residual/,
      '  waypoints: [{joints: "[0.1, 0.2]"}, {joints: arm.position * 1, until: true}]\nresidual',
    );
    space.write('tasks/put.yaml', joints);
    const { expert, actionNames, program } = await space.load();
    expect(actionNames).toEqual(['shoulder', 'slider', 'gripper']);
    expect(expert!.waypoints[0]).toMatchObject({ joints: { length: 2 }, position: undefined });
    expect(expert!.state.joints).toEqual({ offset: 8, length: 2 });
    expect(program.groups.expert.length).toBe(10 + 3 + 3);
  });

  it('hashes what is simulated, not how it is written, described or learned', async () => {
    const { hash } = await space.load();
    const same = await space.load([
      'residual.steps=5',
      'description=other',
      'expert.noise=0.5',
      'demos.episodes=3',
    ]);
    expect(same.hash).toBe(hash);
    space.write('tasks/put.yaml', edit(taskYaml, 'horizon: 100', 'horizon:   100 # steps'));
    expect((await space.load()).hash).toBe(hash);
    for (const override of [
      'horizon=99',
      'control.rotation=0.2',
      'signals.lateral=norm(error)',
      'robot=arm2',
    ]) {
      if (override === 'robot=arm2')
        space.write('robots/arm2/robot.yaml', edit(robotYaml, 'home: [0.5, 0]', 'home: [0.4, 0]'));
      if (override === 'robot=arm2')
        space.write('robots/arm2/model.xml', '<mujoco model="arm"><worldbody/></mujoco>');
      expect((await space.load([override])).hash, override).not.toBe(hash);
    }
    space.write('sim/scenes/room.xml', '<mujoco model="arm"><option gravity="0 0 0"/><worldbody/></mujoco>');
    expect((await space.load()).hash).not.toBe(hash);
  });

  it('lets presets give way to the keys of the file', async () => {
    space.write(
      'tasks/put.yaml',
      edit(taskYaml, 'residual: {scale: 0.2}', 'residual: {preset: resfit, gamma: 0.9}'),
    );
    const { residual } = (await space.load()).spec;
    expect(residual).toMatchObject({
      scale: 0.1,
      gamma: 0.9,
      critics: 10,
      actor_lr: 1e-6,
      clip_targets: false,
    });
    const rlpd = (await space.load(['residual.algorithm=rlpd'])).spec.residual;
    expect(rlpd).toMatchObject({ n_step: 1, actor_lr: 3e-4, gamma: 0.9, critics: 10 });
  });
});
