import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { makeDisplay } from '#cli/display';
import { compact, duration, percent, rateWithInterval, table } from '#cli/format';

function capture(isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns: 80, rows: 24 }) as never, text: () => text };
}

it('prints plain status lines at most once per interval, and finished lines always', () => {
  const { stream, text } = capture(false);
  let time = 0;
  const display = makeDisplay({ stream, plainIntervalMs: 5000, now: () => time });
  for (time = 0; time <= 11_000; time += 500) display.status(`at ${time}`);
  display.line('done');
  display.line('saved');
  display.close();
  expect(text()).toBe('at 0\nat 5000\nat 10000\ndone\nsaved\n');
});

it('writes no control characters without a terminal', () => {
  const { stream, text } = capture(false);
  const display = makeDisplay({ stream });
  display.status('two\nlines');
  display.close();
  expect(text()).toBe('two  lines\n');
});

it('redraws the status below finished lines on a terminal', () => {
  const { stream, text } = capture(true);
  let time = 0;
  const display = makeDisplay({ stream, now: () => time });
  display.status('10 %');
  display.line('checkpoint saved');
  time = 1000;
  display.status('20 %');
  display.close();
  expect(text().indexOf('checkpoint saved\n')).toBeGreaterThan(text().indexOf('10 %'));
  expect(text().lastIndexOf('10 %')).toBeGreaterThan(text().indexOf('checkpoint saved'));
  expect(text()).toContain('20 %');
});

it('removes the status when it is empty, and keeps it away from later lines', () => {
  const { stream, text } = capture(true);
  const display = makeDisplay({ stream, now: () => 0 });
  display.status('10 %');
  display.status('');
  const before = text().length;
  display.line('next phase');
  expect(text().slice(before)).not.toContain('10 %');
});

it('prints plain lines on a terminal that tells no width', () => {
  const { stream, text } = capture(true);
  Object.assign(stream, { columns: 0 });
  makeDisplay({ stream }).status('10 %');
  expect(text()).toBe('10 %\n');
});

it('formats numbers', () => {
  expect(percent(0.935)).toBe('93.5 %');
  expect(rateWithInterval(0.5, [0.43, 0.569])).toBe('50.0 % [43.0, 56.9]');
  expect([4, 130, 3900, Number.POSITIVE_INFINITY].map(duration)).toEqual([
    '4 s',
    '2 min 10 s',
    '1 h 5 min',
    '-',
  ]);
  expect([950, 12_345, 1_200_000].map(compact)).toEqual(['950', '12.3k', '1.2M']);
  expect(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
  ).toEqual(['a    bb', 'ccc  d']);
});
