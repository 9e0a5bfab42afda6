import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reservedNames } from '#expr/check';
import { functions } from '#expr/functions';
import { header } from '#expr/program';
import { unitNames } from '#expr/unit';
import { packageRoot } from '#native/addon';
import { compileText, errorOf, evaluateText, testView } from './model.js';

describe('arithmetic', () => {
  it.each([
    ['1 + 2 * 3 ^ 2 - 4 / 2', 17],
    ['2 ^ 3 ^ 2', 512],
    ['-2 ^ 2', -4],
    ['2 ^ -1', 0.5],
    ['10 - 4 - 3', 3],
    ['100 / 10 / 2', 5],
    ['-(1 + 2) * 3', -9],
    ['1e-3 + .5 + 2.', 2.501],
    ['true or false and false', 1],
    ['not true or true', 1],
    ['not 1 == 2', 1],
    ['1 < 2 and 2 < 3 or false', 1],
    ['0 < 1 < 2', 1],
    ['0 < 2 < 1', 0],
    ['3 >= 3', 1],
    ['3 != 3 || true && !false', 1],
    ['1 < 2 & 2 > 1 | false', 1],
    ['if(2 > 1, 5, 6)', 5],
    ['min(3, 1, 2) + max(3, 1, 2)', 4],
    ['clamp(5, 0, 1) + clamp(-5, 0, 1)', 1],
    ['norm([3, 4])', 5],
    ['dot([1, 2, 3], [4, 5, 6])', 32],
    ['abs(-3) + sqrt(16)', 7],
    ['pow(2, 3) + ln(exp(2)) + log(8, 2) + log(exp(1))', 14],
    ['cos(pi)', -1],
    ['angle([1, 0, 0], [0, 2, 0]) / pi', 0.5],
    ['atan2(1, 1) / (pi * 1 rad)', 0.25],
    ['[1, 2, 3][1] + [1, 2, 3].z', 5],
    ['3 mm + 2 cm', 0.023],
    ['180 deg / (pi * 1 rad)', 1],
    ['36 m/s * 500 ms', 18],
    ['9.81 m/s^2 * 2 kg / 1 N', 19.62],
    ['2 m * 3', 6],
    ['(1 m + 20 cm) / 1 mm', 1200],
  ])('%s = %d', (text, expected) => {
    const [value] = evaluateText(text);
    expect(value).toBeCloseTo(expected, 12);
  });

  it('works on vectors element by element', () => {
    expect(evaluateText('2 * [1, 2, 3] - [1, 1, 1] / 2')).toEqual([1.5, 3.5, 5.5]);
    expect(evaluateText('cross([1, 0, 0], [0, 1, 0])')).toEqual([0, 0, 1]);
    expect(evaluateText('max([1, 5, 3], 2)')).toEqual([2, 5, 3]);
    expect(evaluateText('[1, 4]^2')).toEqual([1, 16]);
  });

  it('turns by quaternions', () => {
    const [x, y, z] = evaluateText('rotate([cos(pi / 4), 0, 0, sin(pi / 4)], [1, 0, 0])');
    expect(x).toBeCloseTo(0, 12);
    expect(y).toBeCloseTo(1, 12);
    expect(z).toBe(0);
    expect(evaluateText('yaw([cos(0.3), 0, 0, sin(0.3)])')[0]).toBeCloseTo(0.6, 12);
  });
});

describe('reads of the model', () => {
  const view = testView();

  it('reads members of bodies, sites, geoms and the end effector', () => {
    expect(evaluateText('link1.position')).toEqual([...(view.xpos as Float64Array).slice(3, 6)]);
    expect(evaluateText('hole_site.position')).toEqual([...(view.site_xpos as Float64Array).slice(3, 6)]);
    expect(evaluateText("'odd name'.position.x")).toEqual([view.geom_xpos[15]]);
    expect(evaluateText('ee.position')).toEqual([...(view.site_xpos as Float64Array).slice(0, 3)]);
    expect(evaluateText('link2.angular_velocity')).toEqual([...(view.cvel as Float64Array).slice(12, 15)]);
  });

  it('moves the velocity from the centre of mass to the origin of the frame', () => {
    const [c, p, com] = [view.cvel, view.xpos, view.subtree_com].map((array) => [...(array as Float64Array)]);
    const arm = [0, 1, 2].map((i) => p![6 + i]! - com![3 + i]!);
    const [wx, wy, wz, vx, vy, vz] = c!.slice(12, 18) as [number, number, number, number, number, number];
    const expected = [
      vx + wy * arm[2]! - wz * arm[1]!,
      vy + wz * arm[0]! - wx * arm[2]!,
      vz + wx * arm[1]! - wy * arm[0]!,
    ];
    for (const [i, value] of evaluateText('link2.velocity').entries())
      expect(value).toBeCloseTo(expected[i]!, 12);
  });

  it('reads joints, actuators, sensors, the arm and the gripper', () => {
    expect(evaluateText('shoulder.position')).toEqual([view.qpos[0]]);
    expect(evaluateText('arm.position')).toEqual([view.qpos[0], view.qpos[1]]);
    expect(evaluateText('arm.velocity')).toEqual([view.qvel[0], view.qvel[1]]);
    expect(evaluateText('arm.command')).toEqual([0.5, 0.6]);
    expect(evaluateText('gripper.command')).toEqual([200]);
    expect(evaluateText('gripper.width')).toEqual([view.qpos[2]]);
    expect(evaluateText('knob.quaternion')).toEqual([...(view.qpos as Float64Array).slice(10, 14)]);
    expect(evaluateText('finger_motor.force')).toEqual([view.actuator_force[2]]);
    expect(evaluateText('finger_motor.control')).toEqual([view.ctrl[2]]);
    expect(evaluateText('touch_pad')).toEqual([view.sensordata[0]]);
    expect(evaluateText('imu.z')).toEqual([view.sensordata[3]]);
    expect(evaluateText('action')).toEqual([0.1, -0.2, 0.3]);
    expect(evaluateText('time')).toEqual([1.5]);
    expect(evaluateText('step')).toEqual([30]);
  });

  it('distinguishes things of one name', () => {
    expect(evaluateText('peg.value')).toEqual([...(view.sensordata as Float64Array).slice(4, 8)]);
    expect(evaluateText('peg.position')).toEqual([...(view.xpos as Float64Array).slice(12, 15)]);
    expect(evaluateText('geom(peg).position')).toEqual([...(view.geom_xpos as Float64Array).slice(9, 12)]);
  });

  it('sums contacts between bodies and geoms, either way round', () => {
    expect(evaluateText('contact(peg, table)')).toEqual([1]);
    expect(evaluateText('contact(table, peg)')).toEqual([1]);
    expect(evaluateText('force(peg, table)')).toEqual([2]);
    expect(evaluateText('force(peg)')).toEqual([10]);
    expect(evaluateText('force(floor, peg)')).toEqual([5]);
    expect(evaluateText('contact(link1)')).toEqual([0]);
  });

  it('relative() is the inverse of composing poses', () => {
    const text = 'norm(rotate(peg.quaternion, relative(peg, ee).position) + peg.position - ee.position)';
    expect(evaluateText(text)[0]).toBeLessThan(1e-12);
    expect(evaluateText('angle(peg.quaternion * relative(peg, ee).quaternion, ee)')[0]).toBeLessThan(1e-6);
    expect(evaluateText('relative(ee, ee).position')).toEqual([0, 0, 0]);
  });
});

describe('signals', () => {
  it('are usable before they are written, and shared', () => {
    expect(evaluateText('b + c', { c: 'b * 2', b: '3' })).toEqual([9]);
    const once = compileText('norm(ee.position - hole_site.position)');
    const twice = compileText('a + a', { a: 'norm(ee.position - hole_site.position)' });
    expect(twice.code[header.instructions]).toBe(once.code[header.instructions]! + 1);
  });

  it('constants are folded', () => {
    expect(compileText('norm([1, 2, 2]) * 3 + min(4, 5)').code[header.instructions]).toBe(0);
    expect(compileText('ee.position.x * (2 + 3)').code[header.instructions]).toBe(2);
  });
});

describe('mistakes', () => {
  it.each([
    ['1 +', '1:4: expected a number, a name, a vector or "(", received the end of the expression'],
    ['1 + * 2', '1:5: expected a number, a name, a vector or "(", received "*"'],
    ['(1 + 2', '1:7: expected ")", received the end of the expression'],
    ['[1, 2', '1:6: expected "," or "]", received the end of the expression'],
    ['1 2', '1:3: expected an operator or the end of the expression, received "2"'],
    ['3 mm 4', '1:6: expected an operator or the end of the expression, received "4"'],
    ['ee.', '1:4: expected the name of a member, received the end of the expression'],
    ['a # b', '1:3: expected an expression, received the character "#"'],
    [
      'peg.position +\n  hole_sit.position',
      '2:3: unknown name "hole_sit", expected a signal, a name of the model or one of ee, arm, gripper, time, step, action, pi, true, false; nearest is "hole_site"',
    ],
    [
      'ee.positon',
      '1:4: site "tool" has no member "positon", expected one of position, quaternion, pose, yaw, velocity, angular_velocity; nearest is "position"',
    ],
    ['nrm([1, 2])', '1:1: unknown function "nrm"; nearest is "norm"'],
    ['clamp(1, 2)', '1:1: clamp(x, low, high): expected 3 arguments, received 2'],
    [
      'ee.position + arm.velocity',
      '1:13: expected vectors of one length, received a 3-vector in m and a 2-vector of unknown unit',
    ],
    ['ee.position + ee.velocity', '1:13: cannot add m and m/s: expected the same unit'],
    ['ee.position.x + time', '1:15: cannot add m and s: expected the same unit'],
    ['ee.position.x < 3 deg', '1:15: cannot compare m and rad: expected the same unit'],
    [
      'ee.position < 3',
      '1:1: expected a number to compare, received a 3-vector in m; take a component or norm()',
    ],
    ['ee.position + 1', '1:13: expected vectors of one length, received a 3-vector in m and a number'],
    [
      'peg - hole_site',
      '1:1: expected a number or a vector, received body and geom and sensor "peg"; write peg.position',
    ],
    [
      'tanh(ee.position.x)',
      '1:6: tanh() expected a number without unit, received a number in m; divide by a scale such as 0.1 m',
    ],
    ['true + 1', '1:1: expected a number or a vector, received a condition (true or false)'],
    ['not 1', '1:5: expected a condition (true or false), received a number'],
    ['1 and true', '1:1: expected a condition (true or false), received a number'],
    ['if(1, 2, 3)', '1:4: expected a condition (true or false), received a number'],
    ['if(true, 2, [3])', '1:1: expected vectors of one length, received a 1-vector and a number'],
    ['if(true, 1 m, 1 s)', '1:1: cannot choose between m and s: expected the same unit'],
    ['[1 m, 2 s]', '1:7: cannot put in one vector m and s: expected the same unit'],
    ['[1, 2][2]', '1:8: expected a whole number from 0 to 1, received 2'],
    ['ee.position.w', '1:13: a 3-vector in m has no member "w", expected one of x, y, z'],
    ['contact(hole_site, peg)', '1:9: expected a body or a geom, received site "hole_site"'],
    ['joint(peg)', '1:7: unknown name "peg", expected the name of a joint'],
    ['relative(1, peg)', '1:10: expected a pose or a thing that has one, received a number'],
    ['ee.position ^ time', '1:15: expected a constant exponent, since the base is a 3-vector in m'],
    [
      'peg',
      '1:1: expected a number, vector, quaternion, pose or condition, received body and geom and sensor "peg"; write peg.position',
    ],
    ["'peg", "1:1: expected a closing ', received the end of the expression"],
  ])('%s', (text, expected) => {
    expect(errorOf(text)).toBe(`<expression>:${expected}`);
  });

  it('points into the signal that is wrong', () => {
    expect(errorOf('a', { a: '1 + b', b: '2 +' })).toMatch(/^b:1:4: expected a number/);
    expect(errorOf('a', { a: '1 + b', b: '2 * c', c: 'a' })).toBe(
      'c:1:1: expected signals without a cycle, received a -> b -> c -> a',
    );
  });

  it('refuses names that mean something else already', () => {
    for (const [name, why] of [
      ['ee', 'the word is reserved'],
      ['norm', 'it is the name of a function'],
      ['table', 'the model has body "table"'],
      ['a-b', 'expected letters, digits and _, not starting with a digit'],
    ] as const) {
      expect(errorOf('1', { [name]: '1' })).toBe(`${name}:1:1: a signal cannot be called "${name}": ${why}`);
    }
  });

  it('bounds what a hostile text can ask for', () => {
    expect(errorOf('('.repeat(5000))).toMatch(/at most \d+ words in one expression/);
    expect(errorOf('('.repeat(1000))).toMatch(/at most \d+ levels of nesting/);
    expect(errorOf('-'.repeat(1900))).toMatch(/at most \d+ levels of nesting/);
    expect(evaluateText(Array.from({ length: 900 }, () => '1').join('+'))).toEqual([900]);
  });
});

describe('docs/expressions.md', () => {
  const text = readFileSync(join(packageRoot, 'docs', 'expressions.md'), 'utf8');

  it('lists every function with its signature, every reserved name and every unit', () => {
    for (const { signature } of functions.values()) expect(text).toContain(`\`${signature}\``);
    for (const name of reservedNames) expect(text).toMatch(new RegExp(`\`${name}[\`.]`));
    for (const name of unitNames.keys()) expect(text).toContain(`\`${name}\``);
  });
});
