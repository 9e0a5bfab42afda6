import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { robotYaml, taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
beforeEach(() => {
  space.write('tasks/put.yaml', taskYaml);
  space.write('robots/arm/robot.yaml', robotYaml);
});
afterAll(() => space.remove());

describe('overrides', () => {
  it('are typed by YAML and the schema', async () => {
    const { spec } = await space.load([
      'residual.scale=0.7',
      'residual.hidden=[64, 64]',
      '--control.axes=[x, y, yaw]',
      'success=lateral < 1 mm',
      'randomize.1.noise=0.5',
      'observation.0=error',
      'base.kind=zero',
    ]);
    expect(spec.residual).toMatchObject({ scale: 0.7, hidden: [64, 64] });
    expect(spec.control.axes).toEqual(['x', 'y', 'yaw']);
    expect(spec.success).toBe('lateral < 1 mm');
    expect(spec.randomize[1]).toEqual({ joints: 'arm', noise: 0.5 });
    expect(spec.observation[0]).toBe('error');
    expect(spec.base.kind).toBe('zero');
  });

  it.each([
    [
      'residual.scal=1',
      'SPEC --residual.scal=1:1:12: residual.scal: unknown key, expected one of algorithm, ',
    ],
    [
      'residual.scale=much',
      'SPEC --residual.scale=much:1:18: residual.scale: expected a number, received "much"',
    ],
    [
      'residual.scale=5',
      'SPEC --residual.scale=5:1:18: residual.scale: expected a number of at most 2, received 5',
    ],
    ['horizon.x=5', 'SPEC --horizon.x=5:1:11: horizon: "x" has no place in 100'],
    [
      'randomize.7.noise=1',
      'SPEC --randomize.7.noise=1:1:13: randomize: expected an index from 0 to 2, received "7"',
    ],
    [
      'success=lateral < 1 rad',
      'EXPRESSION --success=lateral < 1 rad:1:19: cannot compare m and rad: expected the same unit',
    ],
    ['horizon', 'USAGE expected an override like residual.scale=0.2, received "horizon"'],
    ['horizon=[1', 'USAGE --horizon=[1:1:13: horizon: the value is not valid YAML: '],
  ])('%s names itself as the place', async (override, expected) => {
    expect((await space.mistake([override])).slice(0, expected.length)).toBe(expected);
  });
});
