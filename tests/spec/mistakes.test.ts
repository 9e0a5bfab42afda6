import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadTask } from '#spec/task';
import { edit, robotYaml, taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
beforeEach(() => {
  space.write('tasks/put.yaml', taskYaml);
  space.write('robots/arm/robot.yaml', robotYaml);
});
afterAll(() => space.remove());

/** [what to replace in the task, with what, the message] */
const taskMistakes: readonly (readonly [string, string, string])[] = [
  ['horizon: 100', 'horzon: 100', 'SPEC tasks/put.yaml:1:1: horizon: missing key, expected a whole number'],
  [
    'horizon: 100',
    'horizon: 100\nhorzon: 3',
    'SPEC tasks/put.yaml:5:1: horzon: unknown key, expected one of name, description, robot, scene, horizon, control, dynamics, randomize, signals, observation, success, spec, guard, success_hold, failure, cameras, scores, reward, expert, mirror, demos, base, residual, tgpo, distill, evaluation; nearest is "horizon"',
  ],
  [
    'horizon: 100',
    'horizon: ten',
    'SPEC tasks/put.yaml:4:10: horizon: expected a whole number, received "ten"',
  ],
  [
    'horizon: 100',
    'horizon: 1.5',
    'SPEC tasks/put.yaml:4:10: horizon: expected a whole number, received 1.5',
  ],
  [
    'horizon: 100',
    'horizon: -3',
    'SPEC tasks/put.yaml:4:10: horizon: expected a number more than 0, received -3',
  ],
  ['horizon: 100', 'horizon:', 'SPEC tasks/put.yaml:4:9: horizon: expected a whole number, received nothing'],
  [
    'axes: [x, y, z, yaw]',
    'axes: [x, y, zz]',
    'SPEC tasks/put.yaml:6:16: control.axes[2]: expected one of x, y, z, roll, pitch, yaw, received "zz"; nearest is "z"',
  ],
  [
    'axes: [x, y, z, yaw]',
    'axis: [x, y, z, yaw]',
    'SPEC tasks/put.yaml:6:3: control.axis: unknown key, expected one of mode, goal, axes, translation, rotation, delta, scale, damping, gripper, period, timestep; nearest is "axes"',
  ],
  [
    'axes: [x, y, z, yaw]',
    'axes: []',
    'SPEC tasks/put.yaml:6:9: control.axes: expected a list of at least 1 entry, received []',
  ],
  [
    'axes: [x, y, z, yaw]',
    'axes: [x, x, yaw]',
    'SPEC tasks/put.yaml:6:9: control.axes: expected different axes, received x twice',
  ],
  [
    'axes: [x, y, z, yaw]',
    'mode: torque',
    'SPEC tasks/put.yaml:6:9: control.mode: torque expects limits.slider.effort in the robot file',
  ],
  [
    'axes: [x, y, z, yaw]',
    'mode: end_efector_delta',
    'SPEC tasks/put.yaml:6:9: control.mode: expected one of joint_position, joint_delta, joint_velocity, torque, end_effector_delta, received "end_efector_delta"; nearest is "end_effector_delta"',
  ],
  [
    'axes: [x, y, z, yaw]',
    'period: 0.0031',
    'SPEC tasks/put.yaml:6:11: control.period: expected a whole number of time steps of 0.002 s, received 0.0031 s',
  ],
  [
    'axes: [x, y, z, yaw]',
    'axes: [x, y, z]',
    'SPEC tasks/put.yaml:25:60: expert.waypoints[0].yaw: expected `yaw` among control.axes',
  ],
  ['robot: arm', 'robot: amr', 'SPEC tasks/put.yaml:2:8: robot: expected the name of a robot'],
  [
    'robot: arm',
    'robot: arm.yaml',
    'SPEC tasks/put.yaml:2:8: robot: expected the path of a robot, and there is no file arm.yaml',
  ],
  ['scene: room', 'scene: rom', 'SPEC tasks/put.yaml:3:8: scene: expected the name of a scene'],
  [
    'body: peg, x',
    'body: peg, xx',
    'SPEC tasks/put.yaml:9:17: randomize[0].xx: unknown key, expected one of body, x, y, z, roll, pitch, yaw, apart_from, distance; nearest is "x"',
  ],
  [
    'body: peg, x: [-0.1, 0.1]',
    'body: peg, x: [0.1, -0.1]',
    'SPEC tasks/put.yaml:9:20: randomize[0].x: expected the lower bound first, [lo, hi], received [0.1,-0.1]',
  ],
  [
    'body: peg, x: [-0.1, 0.1]',
    'body: peg, x: 0.1',
    'SPEC tasks/put.yaml:9:20: randomize[0].x: expected a list, received 0.1',
  ],
  [
    'body: peg',
    'body: pegg',
    'SPEC tasks/put.yaml:9:12: randomize[0].body: the model has no body "pegg" to change; nearest is "peg"',
  ],
  [
    'joints: arm, noise',
    'joints: arm, noize',
    'SPEC tasks/put.yaml:10:5: randomize[1].noise: missing key, expected a number',
  ],
  [
    'joints: arm',
    'joints: shoulde',
    'SPEC tasks/put.yaml:10:14: randomize[1].joints: the model has no joint "shoulde"; nearest is "shoulder"',
  ],
  ['{latency: [0, 1]}', '{latensy: [0, 1]}', 'SPEC tasks/put.yaml:11:5: randomize[2].'],
  [
    'error: hole_site.position - peg.position',
    'error: hole_sit.position - peg.position',
    'EXPRESSION tasks/put.yaml:13:10: unknown name "hole_sit", expected a signal',
  ],
  [
    'lateral: norm([error.x, error.y])',
    'lateral: norm([error.x, error.q])',
    'EXPRESSION tasks/put.yaml:14:33: a 3-vector in m has no member "q", expected one of x, y, z',
  ],
  [
    'lateral: norm',
    'success: norm',
    'SPEC tasks/put.yaml:14:12: signals.success: expected another name, the task has a condition of this one',
  ],
  [
    'lateral: norm',
    'table: norm',
    'EXPRESSION tasks/put.yaml:14:3: a signal cannot be called "table": the model has body "table"',
  ],
  [
    '  - error\n',
    '  - peg\n',
    'EXPRESSION tasks/put.yaml:17:5: expected a number, vector, quaternion, pose or condition, received body and geom and sensor "peg"; write peg.position',
  ],
  [
    'success: error.z',
    'success: eror.z',
    'EXPRESSION tasks/put.yaml:19:10: unknown name "eror", expected a signal',
  ],
  [
    'success: error.z > -2 mm and',
    'success: error.z > -2 s and',
    'EXPRESSION tasks/put.yaml:19:18: cannot compare m and s: expected the same unit',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: "error.z > -2 mm and laterl < 0.003"',
    'EXPRESSION tasks/put.yaml:19:31: unknown name "laterl"',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    "success: 'error.z > -2 mm and ''pegg''.yaw < 0.003'",
    'EXPRESSION tasks/put.yaml:19:31: unknown name "pegg"',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: |\n  error.z > -2 mm\n    and lateral <\n    1 s',
    'EXPRESSION tasks/put.yaml:21:17: cannot compare m and s',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: >-\n  error.z > -2 mm\n  and\n  laterl < 1 mm',
    'EXPRESSION tasks/put.yaml:22:3: unknown name "laterl"',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: error.z > -2 mm\n    and laterl < 1 mm',
    'EXPRESSION tasks/put.yaml:20:9: unknown name "laterl"',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: lateral',
    'EXPRESSION tasks/put.yaml:19:10: expected a condition (true or false), received a number in m',
  ],
  [
    'success: error.z > -2 mm and lateral < 0.003',
    'success: true\nfailure: success + 1',
    'EXPRESSION tasks/put.yaml:20:10: expected a number or a vector, received a condition (true or false)',
  ],
  [
    'term: -lateral',
    'term: -error',
    'EXPRESSION tasks/put.yaml:21:12: expected a number or a condition, received a 3-vector in m',
  ],
  [
    'weight: 2',
    'wieght: 2',
    'SPEC tasks/put.yaml:21:22: reward[0].wieght: unknown key, expected one of name, term, weight; nearest is "weight"',
  ],
  [
    'yaw: table.yaw',
    'yaw: table.position',
    'EXPRESSION tasks/put.yaml:25:60: expected a number in rad, received a 3-vector in m',
  ],
  [
    'position: hole_site.position, gripper',
    'position: hole_site, gripper',
    'EXPRESSION tasks/put.yaml:26:18: expected a 3-vector in m, received site "hole_site"; write hole_site.position',
  ],
  [
    'gripper: closed',
    'gripper: shut',
    'SPEC tasks/put.yaml:26:47: expert.waypoints[1].gripper: expected one of open, closed or a number, received "shut"',
  ],
  [
    'gripper: closed',
    'quaternion: [1, 0, 0]',
    'SPEC tasks/put.yaml:26:50: expert.waypoints[1].quaternion: expected a text or a number, received [1,0,0]',
  ],
  [
    'gripper: closed',
    'joints: arm.position',
    'SPEC tasks/put.yaml:26:46: expert.waypoints[1].joints: expected position, yaw or quaternion, since control.mode is end_effector_delta',
  ],
  [
    'residual: {scale: 0.2}',
    'residual: {scale: 0.2, min_of: 9}',
    'SPEC tasks/put.yaml:27:32: residual.min_of: expected at most residual.critics, 4, received 9',
  ],
  [
    'residual: {scale: 0.2}',
    'residual: {presett: small}',
    'SPEC tasks/put.yaml:27:12: residual.presett: unknown key, expected one of algorithm, preset,',
  ],
  [
    'residual: {scale: 0.2}',
    'residual: {preset: huge}',
    'SPEC tasks/put.yaml:27:20: residual.preset: expected one of small, resfit, received "huge"',
  ],
  [
    'residual: {scale: 0.2}',
    'residual: [1]',
    'SPEC tasks/put.yaml:27:11: residual: expected a map, received [1]',
  ],
  [
    'residual: {scale: 0.2}',
    'base: {kind: onnx}',
    'SPEC tasks/put.yaml:27:1: base.file: missing key, expected the path of an ONNX file, since base.kind is onnx',
  ],
  ['residual: {scale: 0.2}', 'residual: {scale: 0.2', 'SPEC tasks/put.yaml:28:1: not valid YAML: '],
  [
    'residual: {scale: 0.2}',
    'name: twice',
    'SPEC tasks/put.yaml:27:1: not valid YAML: Map keys must be unique',
  ],
];

/** The same for the robot file. */
const robotMistakes: readonly (readonly [string, string, string])[] = [
  [
    'base: link1',
    'base: link9',
    'SPEC robots/arm/robot.yaml:3:7: base: the model has no body "link9"; nearest is "link1"',
  ],
  [
    'joints: [shoulder, slider]',
    'joints: [shoulder, slide]',
    'SPEC robots/arm/robot.yaml:5:22: arm.joints[1]: the model has no joint "slide"; nearest is "slider"',
  ],
  [
    'joints: [shoulder, slider]',
    'joints: [shoulder, knob]',
    'SPEC robots/arm/robot.yaml:5:22: arm.joints[1]: expected a hinge or slide joint, "knob" is neither',
  ],
  [
    'joints: [shoulder, slider]',
    'joints: [shoulder, shoulder]',
    'SPEC robots/arm/robot.yaml:5:22: arm.joints[1]: expected different names, received "shoulder" twice',
  ],
  [
    'home: [0.5, 0]',
    'home: [0.5]',
    'SPEC robots/arm/robot.yaml:7:9: arm.home: expected 2 entries, as many as arm.joints, received 1',
  ],
  [
    'home: [0.5, 0]',
    'home: [2.5, 0]',
    'SPEC robots/arm/robot.yaml:7:10: arm.home[0]: expected a position within [-2, 2], received 2.5',
  ],
  [
    'end_effector: tool',
    'end_effector: tol',
    'SPEC robots/arm/robot.yaml:13:15: end_effector: the model has no site "tol"; nearest is "tool"',
  ],
  [
    'end_effector: tool\n',
    '',
    'SPEC robots/arm/robot.yaml:19:9: control.mode: end_effector_delta expects `end_effector` in the robot file',
  ],
  [
    'shoulder: {velocity',
    'sholder: {velocity',
    'SPEC robots/arm/robot.yaml:15:12: limits.sholder: expected a joint of the arm; nearest is "shoulder"',
  ],
  [
    'velocity: 2,',
    'velocty: 2,',
    'SPEC robots/arm/robot.yaml:15:14: limits.shoulder.velocty: unknown key, expected one of position, velocity, acceleration, jerk, effort; nearest is "velocity"',
  ],
  [
    'open: 255',
    'open: wide',
    'SPEC robots/arm/robot.yaml:11:9: gripper.open: expected a number, received "wide"',
  ],
  [
    'model: model.xml',
    'model: modl.xml',
    'SPEC robots/arm/robot.yaml:2:8: model: there is no file robots/arm/modl.xml',
  ],
];

describe('every mistake is one message with its place', () => {
  it.each(taskMistakes)('task: %s -> %s', async (from, to, expected) => {
    space.write('tasks/put.yaml', edit(taskYaml, from, to));
    expect((await space.mistake()).slice(0, expected.length)).toBe(expected);
  });

  it.each(robotMistakes)('robot: %s -> %s', async (from, to, expected) => {
    space.write('robots/arm/robot.yaml', edit(robotYaml, from, to));
    expect((await space.mistake()).slice(0, expected.length)).toBe(expected);
  });

  it('reports the first one in the file, and keeps the others', async () => {
    space.write(
      'tasks/put.yaml',
      edit(edit(taskYaml, 'horizon: 100', 'horizon: ten'), 'scale: 0.2', 'scale: high'),
    );
    await expect(space.load()).rejects.toMatchObject({
      code: 'SPEC',
      at: { line: 4, column: 10 },
      context: {
        mistakes: [expect.stringMatching(/4:10: horizon/), expect.stringMatching(/27:19: residual.scale/)],
      },
    });
  });

  it('is so for a file that is empty, or not a map, or a tangle of aliases', async () => {
    const aliases = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${i ? `*a${i - 1}, *a${i - 1}` : 1}]`,
    );
    for (const [text, expected] of [
      ['', 'SPEC tasks/put.yaml:1:1: the file: expected a map, received nothing'],
      ['- 1', 'SPEC tasks/put.yaml:1:1: the file: expected a map, received [1]'],
      ['{', 'SPEC tasks/put.yaml:1:2: not valid YAML: '],
      [aliases.join('\n'), 'SPEC tasks/put.yaml:1:1: not valid YAML: '],
    ] as const) {
      space.write('tasks/put.yaml', text);
      expect((await space.mistake()).slice(0, expected.length)).toBe(expected);
    }
  });

  it('lists the tasks there are when one is not found', async () => {
    await expect(space.load([], 'tasks/putt.yaml')).rejects.toMatchObject({ code: 'IO' });
    await expect(loadTask('reech')).rejects.toThrow(
      /expected the name of a task \(.*reach.*nearest is "reach"$/,
    );
  });
});
