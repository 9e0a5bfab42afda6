import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import { textSource } from '#expr/source';
import { type Formula, horizon, pastHorizon, sameFormula, unbounded } from '#stl/formula';
import type { TimeOptions } from '#stl/interval';
import { parseFormula } from '#stl/parse';
import { printSpecification } from '#stl/specification';
import { infixSpellings, prefixSpellings, takesInterval } from '#stl/spellings';

function canonical(text: string, time: Partial<TimeOptions> = {}): string {
  return printSpecification(parseFormula(text, time));
}

function failure(text: string, time: Partial<TimeOptions> = {}): string {
  try {
    parseFormula(textSource(text, 'f.stl'), time);
  } catch (error) {
    if (error instanceof VernierError) return error.message;
    throw error;
  }
  throw new Error(`${text} parsed`);
}

function warnings(text: string): string[] {
  return parseFormula(text).warnings.map(({ at, message }) => `${at.line}:${at.column}: ${message}`);
}

describe('spellings', () => {
  it('reads every spelling of a prefix operator as the same formula', () => {
    for (const [kind, words] of Object.entries(prefixSpellings)) {
      for (const word of words) {
        const interval = takesInterval(kind as 'always') ? '[1,2]' : '';
        const { formula } = parseFormula(`${word}${interval} (x > 0)`);
        const expected: Formula = {
          kind: kind as 'not',
          operand: { kind: 'atom', predicate: 0 },
          ...(interval ? { interval: { from: 1, to: 2 } } : {}),
        };
        expect(formula, word).toEqual(expected);
      }
    }
  });

  it('reads every spelling of an infix operator as the same formula', () => {
    for (const [kind, words] of Object.entries(infixSpellings)) {
      for (const word of words) {
        const interval = takesInterval(kind as 'until') ? '[1,2]' : '';
        const { formula } = parseFormula(`x > 0 ${word}${interval} y > 0`);
        expect(formula.kind, word).toBe(kind);
        if ('interval' in formula) expect(formula.interval).toEqual({ from: 1, to: 2 });
      }
    }
  });

  it.each([
    ['alw_[0,5] (x[t] > 3 => ev_[0,2] (y[t] < 1))', 'always[0,5] (x > 3 -> eventually[0,2] (y < 1))'],
    ['x[t] > 3 until_[0,2] once_[0,1] (y[t]>0)', 'x > 3 until[0,2] once[0,1] (y > 0)'],
    ['globally(x>3&&finally(y>1||false))', 'always (x > 3 and eventually (y > 1 or false))'],
    ['[] [0,5] x > 3 ∧ ◇ y ≥ 1', 'always[0,5] (x > 3) and eventually (y >= 1)'],
    ['G[0:2]x>0 U F[1:]y>0', 'always[0,2] (x > 0) until eventually[1,inf] (y > 0)'],
    ['H[:3]x>0', 'historically[0,3] (x > 0)'],
    ['F[2,inf) x>0', 'eventually[2,inf] (x > 0)'],
    ['a until b', 'a until b'],
    ['rise(x > 0) and fall x > 1', 'rise(x > 0) and fall(x > 1)'],
    ['X x>0 | Y y>0', 'next (x > 0) or prev (y > 0)'],
    ['0 < x < 1', '0 < x and x < 1'],
    ['not 0 < x < 1', 'not (0 < x and x < 1)'],
    ['!!x>0', 'x > 0'],
    ['(x + 3) * 2 > y - (z - 1)', '(x + 3) * 2 > y - (z - 1)'],
    ['((x + 3))', 'x + 3'],
    ['((x > 3))', 'x > 3'],
    ['(x) and ((y) > 2)', 'x and (y) > 2'],
    ['norm(p - [1, 2,   3]) < 0.5\n  and true', 'norm(p - [1, 2, 3]) < 0.5 and true'],
    ['[a, b].x > 3', '[a, b].x > 3'],
    ['a xor b iff c implies d or e and f', 'a xor (b <-> (c -> (d or (e and f))))'],
    ['a and b since c unless d until e', 'a and (b since (c unless (d until e)))'],
    ['a R[0,2] b T c', '(a release[0,2] b) trigger c'],
  ])('%s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
  });

  it('takes a capital letter for a name where no operand follows', () => {
    expect(canonical('F > 3 and G')).toBe('F > 3 and G');
    expect(canonical('F (F > 3)')).toBe('eventually (F > 3)');
    expect(canonical("'G' - 1 > 3")).toBe("'G' - 1 > 3");
  });

  it('numbers equal predicates once', () => {
    const { predicates } = parseFormula('x > 3 until (y < 1 and not x  >  3)');
    expect(predicates.map(({ text }) => text)).toEqual(['x > 3', 'y < 1']);
  });
});

describe('predicates', () => {
  it.each([
    ['x > 3', 'x - 3', false],
    ['x >= a + b', 'x - (a + b)', true],
    ['x < y * 2', 'y * 2 - x', false],
    ['x <= -3', '-3 - x', true],
    ['x == 3', '-abs(x - 3)', true],
    ['x != 3', 'abs(x - 3)', false],
    ['x > 0', 'x', false],
    ['contact(a, b)', 'contact(a, b)', true],
  ])('%s has the robustness %s', (text, expected, holdsAtZero) => {
    const [predicate] = parseFormula(text).predicates;
    expect(predicate!.robustness.text).toBe(expected);
    expect(predicate!.holdsAtZero).toBe(holdsAtZero);
  });

  it('know their places in the text', () => {
    const [, second] = parseFormula(textSource('x > 3 and\n  3 < yy', 'f')).predicates;
    expect(second!.robustness.text).toBe('yy - 3');
    expect(second!.robustness.locate(0)).toEqual({ file: 'f', line: 2, column: 7 });
    expect(second!.robustness.locate(5)).toEqual({ file: 'f', line: 2, column: 3 });
  });
});

describe('intervals', () => {
  it('turns durations into control steps', () => {
    expect(canonical('F[0, 3 s] x>0', { period: 0.05 })).toBe('eventually[0,60] (x > 0)');
    expect(canonical('F[50ms:100 ms] x>0', { period: 0.05 })).toBe('eventually[1,2] (x > 0)');
    expect(canonical('F[0,2000us] x>0', { period: 0.001 })).toBe('eventually[0,2] (x > 0)');
    expect(canonical('F[0,5000ns] x>0', { period: 1e-6 })).toBe('eventually[0,5] (x > 0)');
  });

  it('keeps seconds for dense time', () => {
    const { formula } = parseFormula('F[0.5, 1500 ms] x>0', { unit: 'seconds' });
    expect(formula).toMatchObject({ interval: { from: 0.5, to: 1.5 } });
  });

  it.each([
    ['F[3,1] x>0', 'f.stl:1:2: expected the first bound to be at most the second, received [3,1]'],
    [
      'F[0,0.5] x>0',
      'f.stl:1:5: expected a whole number of control steps, received "0.5"; for seconds write 0.5 s',
    ],
    [
      'F[0,3 s] x>0',
      'f.stl:1:5: expected control steps, received "3 s": the control period is not known here, so seconds cannot be turned into steps',
    ],
    ['F[0,3 m] x>0', 'f.stl:1:5: expected a duration (s, ms, us, ns), received "3 m" in m'],
    ['F[-1,3] x>0', 'f.stl:1:3: expected a bound: a number from 0 on, or inf, received "-"'],
    ['F[1] x>0', 'f.stl:1:4: expected "," or ":" between the bounds, received "]"'],
    ['F[1,2 x>0', 'f.stl:1:7: expected a closing "]", received "x"'],
    ['F[1,2) x>0', 'f.stl:1:6: expected a closing "]", received ")"'],
  ])('%s is refused', (text, message) => {
    expect(failure(text)).toBe(message);
  });

  it('refuses a duration that is no whole number of steps', () => {
    expect(failure('F[0, 120 ms] x>0', { period: 0.05 })).toBe(
      'f.stl:1:6: expected a whole number of control steps of 0.05 s, received "120 ms"; nearest are 0.1 s and 0.15 s',
    );
  });

  it('give horizons', () => {
    expect(horizon(parseFormula('F[0,4] G[0,2] x>0').formula)).toBe(6);
    expect(horizon(parseFormula('x>0 U[1,3] X y>0').formula)).toBe(4);
    expect(horizon(parseFormula('G x>0').formula)).toBe(Number.POSITIVE_INFINITY);
    expect(pastHorizon(parseFormula('rise(once[1,3] x>0)').formula)).toBe(4);
  });
});

describe('mistakes', () => {
  it.each([
    [
      'x > 3 and',
      'f.stl:1:10: expected a formula: an operator, "(", or an expression, received the end of the formula',
    ],
    [
      'G (x > 3',
      'f.stl:1:9: expected a temporal or logical operator or ")", received the end of the formula',
    ],
    [
      'x > 3\n  util y > 2',
      'f.stl:2:3: expected a temporal or logical operator or the end of the formula, received "util"; nearest is "until"',
    ],
    [
      'eventualy x > 3',
      'f.stl:1:11: expected a temporal or logical operator or the end of the formula, received "x"; nearest is "eventually"',
    ],
    ['x > > 3', 'f.stl:1:5: expected a formula: an operator, "(", or an expression, received ">"'],
    ['norm(x > 3', 'f.stl:1:11: expected "," or ")", received the end of the expression'],
  ])('%s', (text, message) => {
    expect(failure(text)).toBe(message);
  });

  it('are reported as such whatever the words', () => {
    const words = [
      'G',
      'F[',
      '[0,2]',
      'x',
      '>',
      '3',
      '(',
      ')',
      'until',
      '->',
      'and',
      'not',
      '[',
      ']',
      ',',
      ':',
      '-',
      '.',
      "'a'",
      '2 s',
      'true',
      'rise',
      '<',
      '[]',
      '<>',
      'U_',
      '*',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 14 }), (chosen) => {
        const text = chosen.join(' ');
        let parsed: ReturnType<typeof parseFormula>;
        try {
          parsed = parseFormula(text, { period: 0.5 });
        } catch (error) {
          expect(error).toBeInstanceOf(VernierError);
          expect((error as VernierError).at).toBeDefined();
          return;
        }
        const again = parseFormula(printSpecification(parsed), { period: 0.5 });
        expect(printSpecification(again)).toBe(printSpecification(parsed));
      }),
      { numRuns: 5000 },
    );
  });

  it('refuses nesting that would exhaust the stack', () => {
    expect(failure('('.repeat(5000))).toContain('expected at most 200 levels of nesting');
    expect(failure('not '.repeat(5000))).toContain('expected at most 200 levels of nesting');
  });
});

describe('warnings', () => {
  it('names chains that tools read in different ways', () => {
    expect(warnings('x>0 -> y>0 -> z>0')).toEqual([
      '1:5: a chain of -> reads from the right here, a -> (b -> c), and from the left in rtamt; write the parentheses',
    ]);
    expect(warnings('a U b U c')).toHaveLength(1);
    expect(warnings('x>0 -> (y>0 -> z>0)')).toEqual([]);
    expect(warnings('(x>0 -> y>0) -> z>0')).toEqual([]);
  });

  it('names temporal operators whose reach tools disagree on', () => {
    expect(warnings('G[0,2] x > 3 and y > 2')).toEqual([
      '1:1: G binds tighter than and: this reads (G a) and b; write the parentheses, some tools read G (a and b)',
    ]);
    expect(warnings('a and G b or c')).toHaveLength(1);
    for (const clear of [
      'G (x > 3) and y > 2',
      '(G x > 3) and y > 2',
      'y > 2 and G x > 3',
      'not x > 3 and y > 2',
    ]) {
      expect(warnings(clear), clear).toEqual([]);
    }
    expect(warnings('G F (x > 3) and y > 2')).toEqual([]);
    expect(warnings('G F x > 3 and y > 2')).toHaveLength(1);
  });

  it('names a bound that borrows its unit', () => {
    expect(parseFormula('F[1, 3 s] x>0', { period: 0.5 }).warnings).toHaveLength(1);
  });
});

it('tells formulas apart', () => {
  const [a, b] = ['x>0 U[0,2] y>0', 'x>0 U[0,3] y>0'].map((text) => parseFormula(text).formula);
  expect(sameFormula(a!, a!)).toBe(true);
  expect(sameFormula(a!, b!)).toBe(false);
  expect(sameFormula(b!, { ...(b as Extract<Formula, { interval: unknown }>), interval: unbounded })).toBe(
    false,
  );
});
