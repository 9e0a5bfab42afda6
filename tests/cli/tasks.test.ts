import { expect, it } from 'vitest';
import { vernier } from './cli.js';

it.each([
  ['a task that is not there', ['inspect', 'peg_insert'], 'nearest is "peg_insertion"'],
  ['an unknown key', ['inspect', 'peg_insertion', '--residual.scal=0.2'], 'nearest is "scale"'],
  ['a value of another type', ['inspect', 'peg_insertion', '--residual.scale=big'], 'expected a number'],
  ['a policy where there is only a task', ['eval', 'peg_insertion'], 'is a task, not a trained policy'],
  ['an unknown policy', ['eval', 'peg_insertion', '--policy', 'best'], 'Allowed choices are policy, base'],
  ['a size that is none', ['play', 'peg_insertion', '--size', 'big'], 'width x height'],
  ['a file that is not there', ['inspect', 'nowhere.vrn'], 'nowhere.vrn: cannot be read'],
  ['an unknown benchmark', ['bench', 'phisics'], 'no benchmark'],
  ['an unknown schema', ['schema', 'scene'], 'Allowed choices are task, robot'],
])('refuses %s', (_, args, message) => {
  const { status, stderr } = vernier(args);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(status).toBe(2);
});

it.each(['train', 'eval', 'play', 'demos', 'inspect', 'export', 'bench', 'stl', 'schema', 'doctor'])(
  '%s --help shows examples',
  (command) => {
    const { status, stdout } = vernier([command, '--help']);
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain(`$ vernier ${command}`);
    expect(status).toBe(0);
  },
);

it('shows a task with its observation in order, with units', () => {
  const { stdout } = vernier(['inspect', 'peg_insertion']);
  expect(stdout).toMatch(/0\.\.2 +ee +m\n/);
});

it('prints the configuration with presets and overrides in place', () => {
  const { stdout } = vernier(['inspect', 'peg_insertion', '--config', '--residual.scale=0.123']);
  expect(stdout).toContain('scale: 0.123');
  expect(stdout).toMatch(/critics: \d+/);
});

it('prints a schema that is JSON', () => {
  const schema = JSON.parse(vernier(['schema', 'task']).stdout);
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(['robot', 'observation', 'residual']),
  );
});
