import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { satisfaction } from '#stl/evaluate';
import { parseFormula } from '#stl/parse';
import { printFormula } from '#stl/print';
import { stagesOf } from '#stl/stages';
import { formulas, signalSets } from './arbitrary.js';

function stages(text: string): string[] {
  const { formula, predicates } = parseFormula(text);
  return stagesOf(formula).map((stage) => printFormula(stage, (p) => predicates[p]!.text));
}

describe('stages', () => {
  it('grow towards what shall be reached, in order', () => {
    expect(stages('F[0,9] (a and F[0,5] (b and F c)) and G d')).toEqual([
      'eventually[0,9] (a)',
      'eventually[0,9] (a and eventually[0,5] (b))',
      'eventually[0,9] (a and eventually[0,5] (b and eventually (c)))',
      'always (d)',
    ]);
    expect(stages('a until[0,4] (b and F c)')).toEqual([
      'a until[0,4] b',
      'a until[0,4] (b and eventually (c))',
    ]);
    expect(stages('F (F a and b and G c and F d)')).toEqual([
      'eventually (b and always (c))',
      'eventually (b and always (c) and eventually (a))',
      'eventually (b and always (c) and eventually (a) and eventually (d))',
    ]);
    expect(stages('F a and F a')).toHaveLength(1);
  });

  it('hold all together exactly where the formula does, and chains from the last to the first', () => {
    const flags = [true, false];
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 12), (formula, signals) => {
        const all = stagesOf(formula).map((stage) => satisfaction(stage, signals, flags)[0]!);
        expect(Math.min(...all)).toBe(satisfaction(formula, signals, flags)[0]);
        if (formula.kind === 'eventually' || formula.kind === 'until') {
          expect(all).toEqual(all.toSorted((a, b) => b - a));
        }
      }),
      { numRuns: 500 },
    );
  });
});
