import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { robotFile, Simulation } from './simulation.js';

/** Forward kinematics of the models against the makers' tables, computed here from the tables alone. */

type Matrix = readonly number[]; // 4x4, row by row

function multiply(a: Matrix, b: Matrix): Matrix {
  return Array.from({ length: 16 }, (_, at) => {
    const [row, column] = [Math.floor(at / 4), at % 4];
    return [0, 1, 2, 3].reduce((sum, k) => sum + a[4 * row + k]! * b[4 * k + column]!, 0);
  });
}

function chain(...steps: Matrix[]): Matrix {
  return steps.reduce(multiply);
}

function move(x: number, y: number, z: number): Matrix {
  return [1, 0, 0, x, 0, 1, 0, y, 0, 0, 1, z, 0, 0, 0, 1];
}

function turn(axis: 'x' | 'y' | 'z', angle: number): Matrix {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  if (axis === 'x') return [1, 0, 0, 0, 0, c, -s, 0, 0, s, c, 0, 0, 0, 0, 1];
  if (axis === 'y') return [c, 0, s, 0, 0, 1, 0, 0, -s, 0, c, 0, 0, 0, 0, 1];
  return [c, -s, 0, 0, s, c, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
}

const right = Math.PI / 2;

/** Franka: modified DH, [a, d, alpha] before each joint, then the flange. */
function panda(q: readonly number[]): Matrix {
  const rows = [
    [0, 0.333, 0],
    [0, 0, -right],
    [0, 0.316, right],
    [0.0825, 0, right],
    [-0.0825, 0.384, -right],
    [0, 0, right],
    [0.088, 0, right],
  ] as const;
  const links = rows.map(([a, d, alpha], i) =>
    chain(turn('x', alpha), move(a, 0, 0), turn('z', q[i]!), move(0, 0, d)),
  );
  return chain(...links, move(0, 0, 0.107));
}

/** Universal Robots: classic DH, [a, d, alpha] after each joint; the base is turned by half a turn. */
function ur5e(q: readonly number[]): Matrix {
  const rows = [
    [0, 0.1625, right],
    [-0.425, 0, 0],
    [-0.3922, 0, 0],
    [0, 0.1333, right],
    [0, 0.0997, -right],
    [0, 0.0996, 0],
  ] as const;
  const links = rows.map(([a, d, alpha], i) =>
    chain(turn('z', q[i]!), move(0, 0, d), move(a, 0, 0), turn('x', alpha)),
  );
  return chain(turn('z', Math.PI), ...links);
}

/** SO-ARM100's URDF: [xyz], [rpy] of each joint's origin; the gripper body. Base as the model mounts it. */
function so101(q: readonly number[]): Matrix {
  const origins = [
    [
      [-0.0303992, -0.0182778, -0.0542],
      [-right, -right, 0],
    ],
    [
      [-0.11257, -0.028, 0],
      [0, 0, right],
    ],
    [
      [-0.1349, 0.0052, 0],
      [0, 0, -right],
    ],
    [
      [0, -0.0611, 0.0181],
      [right, 0, Math.PI],
    ],
  ] as const;
  const links = origins.map(([[x, y, z], [roll, pitch, yaw]], i) =>
    chain(move(x, y, z), turn('z', yaw), turn('y', pitch), turn('x', roll), turn('z', q[i + 1]!)),
  );
  // The URDF's arm points along -y at zero: seen from its base it is turned by a quarter turn.
  const pan = chain(turn('z', right), turn('z', right), turn('x', -Math.PI), turn('z', q[0]!));
  return chain(move(0.27 + 0.0388353, 0, 0.06 + 0.0624), pan, ...links);
}

describe.each([
  { robot: 'panda', table: panda },
  { robot: 'ur5e', table: ur5e },
  { robot: 'so101', table: so101 },
])('$robot', ({ robot, table }) => {
  const { arm, limits } = robotFile(robot);
  let simulation: Simulation;
  beforeAll(async () => {
    simulation = await Simulation.of(robot);
  });
  afterAll(() => simulation.close());

  it('has the flange where the table puts it, at a hundred poses', () => {
    const random = new PhiloxStream(7, 0);
    let worst = { error: 0, q: [] as number[] };
    for (let trial = 0; trial < 100; trial++) {
      const q = arm.joints.map((name) => {
        const [lo, hi] = limits[name]!.position;
        return lo + (hi - lo) * random.uniform();
      });
      simulation.setJoints(arm.joints, q);
      simulation.mujoco.mj_kinematics(simulation.model, simulation.data);
      const flange = simulation.site('flange');
      const expected = table(q);
      const errors = [0, 1, 2].flatMap((row) => [
        flange.position[row]! - expected[4 * row + 3]!,
        ...[0, 1, 2].map((column) => flange.rotation[3 * row + column]! - expected[4 * row + column]!),
      ]);
      const error = Math.max(...errors.map(Math.abs));
      if (!(error <= worst.error)) worst = { error, q };
    }
    expect(worst.error, `worst at q = ${worst.q}`).toBeLessThan(3e-6);
  });
});
