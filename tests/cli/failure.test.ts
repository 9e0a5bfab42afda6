import { expect, it } from 'vitest';
import { describeFailure } from '#cli/failure';
import { VernierError } from '#core/errors';

it('says what, where and what to do for a foreseen error', () => {
  const at = { file: 'tasks/x.yaml', line: 4, column: 10 };
  const error = new VernierError('SPEC', 'residual.scale must be a number', { at, hint: 'write 0.2' });
  const { text, exit } = describeFailure(error, false);
  expect(text).toContain('tasks/x.yaml:4:10: residual.scale must be a number');
  expect(text).toContain('write 0.2');
  expect(text).not.toContain('    at ');
  expect(exit).toBe(2);
});

it.each([
  ['ENOENT', 'no such file', 2],
  ['ENOSPC', 'the disk is full', 3],
  ['EACCES', 'permission denied', 3],
])('translates %s', (code, message, exit) => {
  const error = Object.assign(new Error(`${code}: low-level text`), { code, path: '/data/run' });
  const failure = describeFailure(error, false);
  expect(failure.text).toContain(`/data/run: ${message}`);
  expect(failure.exit).toBe(exit);
});

it('keeps the stack and the cause of a defect, and asks for a report', () => {
  const failure = describeFailure(new TypeError('x is undefined', { cause: new Error('below') }), false);
  expect(failure.text).toContain('x is undefined');
  expect(failure.text).toContain('caused by Error: below');
  expect(failure.text).toContain('report');
  expect(failure.exit).toBe(1);
});

it('gives a machine that lacks something another exit code than wrong input', () => {
  expect(describeFailure(new VernierError('BACKEND', 'no addon'), false).exit).toBe(3);
});
