import { VernierError } from '#core/errors';
import type { ModelNames } from '#core/model';
import { ExpressionCompiler } from '#expr/compile';
import { decodeProgram, evaluateProgram, type ModelView } from '#expr/evaluate';
import type { RobotNames } from '#expr/model';
import type { Program } from '#expr/program';
import { textSource } from '#expr/source';

/** A small model made up by hand: a two-joint arm with a gripper, a free peg, a fixed table with a site. */
export const testNames: ModelNames = {
  body: ['world', 'link1', 'link2', 'finger', 'peg', 'table'],
  site: ['tool', 'hole_site'],
  geom: ['floor', 'link_geom', 'finger_geom', 'peg', 'table_top', 'odd name'],
  joint: ['shoulder', 'slider', 'finger_joint', 'peg_free', 'knob'],
  actuator: ['shoulder_motor', 'slider_motor', 'finger_motor'],
  sensor: ['touch_pad', 'imu', 'peg'],
  camera: ['overview', 'wrist'],
  keyframe: [],
  nq: 1 + 1 + 1 + 7 + 4,
  nv: 1 + 1 + 1 + 6 + 3,
  nu: 3,
  nsensordata: 1 + 3 + 4,
  bodyParent: [0, 0, 1, 2, 0, 0],
  bodyMocap: [-1, -1, -1, -1, -1, -1],
  weldBodies: [],
  siteBody: [3, 5],
  geomBody: [0, 1, 3, 4, 5, 5],
  jointBody: [1, 2, 3, 4, 5],
  jointType: [3, 2, 2, 0, 1],
  jointQposAddress: [0, 1, 2, 3, 10],
  jointDofAddress: [0, 1, 2, 3, 9],
  jointRange: [[-2, 2], undefined, [0, 0.04], undefined, undefined],
  actuatorTransmission: [0, 0, 3],
  actuatorTarget: [0, 1, 0],
  actuatorControlRange: [[-2, 2], undefined, [0, 255]],
  sensorType: ['touch', 'accelerometer', 'framequat'],
  sensorAddress: [0, 1, 4],
  sensorDimension: [1, 3, 4],
  timestep: 0.002,
};

export const testRobot: RobotNames = {
  endEffector: 0,
  armJoints: [0, 1],
  armActuators: [0, 1],
  gripper: { width: [2], joints: [2], actuators: [2] },
  actionLength: 3,
};

/** Numbers without a pattern, the same on every call; quaternions are unit. */
function numbers(count: number, seed: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed));
}

function quaternions(count: number, seed: number): Float64Array {
  const out = numbers(4 * count, seed);
  for (let i = 0; i < count; i++) {
    const length = Math.hypot(...out.subarray(4 * i, 4 * i + 4));
    for (let k = 0; k < 4; k++) out[4 * i + k]! /= length;
  }
  return out;
}

export function testView(seed = 1): ModelView {
  const { body, site, geom } = testNames;
  return {
    nq: testNames.nq,
    nv: testNames.nv,
    nu: testNames.nu,
    nbody: body.length,
    nsite: site.length,
    ngeom: geom.length,
    nsensordata: testNames.nsensordata,
    body_rootid: [0, 1, 1, 1, 4, 5],
    site_bodyid: testNames.siteBody,
    site_quat: quaternions(site.length, seed + 1),
    geom_bodyid: testNames.geomBody,
    geom_quat: quaternions(geom.length, seed + 2),
    actuator_ctrladr: [0, 1, 2],
    actuator_outadr: [0, 1, 2],
    xpos: numbers(3 * body.length, seed + 3),
    xquat: quaternions(body.length, seed + 4),
    site_xpos: numbers(3 * site.length, seed + 5),
    geom_xpos: numbers(3 * geom.length, seed + 6),
    cvel: numbers(6 * body.length, seed + 7),
    subtree_com: numbers(3 * body.length, seed + 8),
    qpos: numbers(testNames.nq, seed + 9),
    qvel: numbers(testNames.nv, seed + 10),
    ctrl: numbers(testNames.nu, seed + 11),
    actuator_force: numbers(testNames.nu, seed + 12),
    sensordata: numbers(testNames.nsensordata, seed + 13),
    contacts: { count: 3, geom1: [3, 2, 0], geom2: [4, 3, 3], normalForce: [2, 3, 5] },
    time: 1.5,
    step: 30,
    action: [0.1, -0.2, 0.3],
    command: [0.5, 0.6, 200],
  };
}

/** Compiles one expression as the only output, with signals by name. */
export function compileText(
  text: string,
  signals: Readonly<Record<string, string>> = {},
  names: ModelNames = testNames,
): Program {
  const compiler = new ExpressionCompiler(names, testRobot);
  for (const [name, value] of Object.entries(signals)) compiler.defineSignal(name, textSource(value, name));
  const source = textSource(text);
  compiler.output('observation', 'x', compiler.value(source), source);
  return compiler.finish();
}

export function evaluateProgramText(program: Program, view = testView()): number[] {
  const out = new Float64Array(program.outputs);
  evaluateProgram(decodeProgram(program.code, view), view, out);
  return [...out];
}

export function evaluateText(text: string, signals: Readonly<Record<string, string>> = {}): number[] {
  return evaluateProgramText(compileText(text, signals));
}

/** The model with sensors s0, s1, ... that read `values`, of no known unit. */
export function sensorModel(values: readonly number[]): {
  compile: (text: string) => Program;
  view: ModelView;
} {
  const names: ModelNames = {
    ...testNames,
    sensor: values.map((_, i) => `s${i}`),
    sensorType: values.map(() => 'user'),
    sensorAddress: values.map((_, i) => i),
    sensorDimension: values.map(() => 1),
    nsensordata: values.length,
  };
  return {
    compile: (text) => compileText(text, {}, names),
    view: { ...testView(), nsensordata: values.length, sensordata: values },
  };
}

/** The message of the error that compiling raises. */
export function errorOf(text: string, signals: Readonly<Record<string, string>> = {}): string {
  try {
    compileText(text, signals);
  } catch (error) {
    if (error instanceof VernierError && error.code === 'EXPRESSION') return error.message;
    throw error;
  }
  throw new Error(`"${text}" compiles`);
}
