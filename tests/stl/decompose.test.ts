import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { AllocationSpace, allocationRobustness } from '#stl/allocation';
import { decompose } from '#stl/decompose';
import type { Decomposition } from '#stl/decomposition';
import { robustness } from '#stl/evaluate';
import type { SemanticsOptions } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { everyAllocation } from './allocations.js';
import { formulas, signalSets } from './arbitrary.js';

function decomposed(text: string, samples: number, extraVisits = 0): Decomposition {
  const { formula, predicates } = parseFormula(text);
  return decompose(formula, { samples, extraVisits, predicateText: (p) => predicates[p]!.text });
}

/** Row by row. */
function rows(signals: readonly Float64Array[]): Float64Array {
  const samples = signals[0]!.length;
  return Float64Array.from({ length: samples * signals.length }, (_, i) => {
    return signals[i % signals.length]![Math.floor(i / signals.length)]!;
  });
}

describe('decomposition', () => {
  it('orders a sequence', () => {
    const plan = decomposed('F[2,8] (a and F[1,4] (b and F[0,3] c))', 20);
    expect(plan.subgoals.map(({ text, time }) => [text, time.variable])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 2],
    ]);
    expect(plan.constraints).toEqual([
      { left: -1, right: 0, bound: -2, active: [] },
      { left: 0, right: -1, bound: 8, active: [] },
      { left: 0, right: 1, bound: -1, active: [] },
      { left: 1, right: 0, bound: 4, active: [] },
      { left: 1, right: 2, bound: 0, active: [] },
      { left: 2, right: 1, bound: 3, active: [] },
    ]);
    expect(plan.conservative).toEqual([]);
  });

  it('keeps a stay and a disjunction under always as invariants', () => {
    const plan = decomposed('F[0,10] G[2,5] a and G (not b or c)', 30);
    expect(plan.subgoals).toEqual([]);
    expect(plan.choices).toEqual([]);
    expect(plan.invariants.map(({ text, from, to }) => [text, from, to])).toEqual([
      ['a', { variable: 0, offset: 2 }, { variable: 0, offset: 5 }],
      ['not (b) or c', { variable: -1, offset: 0 }, { variable: -1, offset: 29 }],
    ]);
  });

  it.each([
    // 20 samples in windows of 6 take 4 visits, 24 would be rigid at 4 and take 5.
    ['G[0,19] F[0,5] a', [1, 5], [19, 23]],
    ['G[0,23] F[0,5] a', [0, 5], [23, 28]],
  ] as const)('plans the visits of %s with time to spare', (text, first, last) => {
    const plan = decomposed(text, 40);
    const network = new AllocationSpace(plan).network(new Int32Array(0))!;
    const end = plan.variables.length - 1;
    expect(end).toBe(text.includes('19') ? 3 : 4);
    expect([network.earliest(0), network.latest(0)]).toEqual(first);
    expect([network.earliest(end), network.latest(end)]).toEqual(last);
    expect(plan.conservative).toHaveLength(1);
  });

  it.each([
    ['F[0,3] (a and once[0,2] b)', 'once[0,2] (b)'],
    ['a until (historically b)', 'historically (b)'],
    ['G[0,40] F[0,0] F[0,1] (a or b) and G[0,300] F[1,2] b', 'always[0,300]'],
  ])('refuses a part of %s by name', (text, named) => {
    const attempt = (): unknown => decomposed(text, 400);
    expect(attempt).toThrow(VernierError);
    expect(attempt).toThrow(`cannot decompose ${named}`);
  });

  it('names no part of what can be decomposed and finds contradictions between times', () => {
    expect(() => new AllocationSpace(decomposed('F[5,9] (a and F[10,12] b)', 12))).toThrow(
      'within 12 samples',
    );
    expect(() => new AllocationSpace(decomposed('F[5,9] (a and F[10,12] b) or F[0,3] c', 12))).not.toThrow();
  });
});

const semantics = fc.constantFrom<SemanticsOptions['until'][]>('halfopen', 'closed');

describe('soundness', () => {
  it('gives no allocation more than the robustness of the formula', () => {
    let compared = 0;
    let satisfied = 0;
    fc.assert(
      fc.property(
        formulas({ predicates: 3, depth: 3, reach: 3, tense: 'future' }),
        signalSets(3, 1, 7),
        semantics,
        fc.nat(),
        (formula, signals, until, seed) => {
          let space: AllocationSpace;
          try {
            space = new AllocationSpace(
              decompose(formula, { samples: signals[0]!.length, until, limit: 24 }),
            );
          } catch (error) {
            if (!(error instanceof VernierError)) throw error;
            return;
          }
          const exact = robustness(formula, signals, { until })[0]!;
          const trace = rows(signals);
          const draws = new Draws(seed, 1);
          for (let i = 0; i < 8; i++) {
            const allocation = space.sample(draws);
            expect(space.contains(allocation)).toBe(true);
            const margin = allocationRobustness(space.decomposition, allocation, trace);
            expect(margin).toBeLessThanOrEqual(exact);
            compared++;
            if (margin > 0) satisfied++;
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(compared).toBeGreaterThan(8000);
    expect(satisfied).toBeGreaterThan(1000);
  });
});

describe('completeness', () => {
  it('has an allocation with the robustness of the formula where nothing is conservative', () => {
    let compared = 0;
    fc.assert(
      fc.property(
        formulas({ predicates: 3, depth: 2, reach: 3, tense: 'future' }),
        signalSets(3, 1, 5),
        semantics,
        (formula, signals, until) => {
          const plan = decompose(formula, { samples: signals[0]!.length, until });
          if (plan.conservative.length > 0) return;
          const trace = rows(signals);
          let best = Number.NEGATIVE_INFINITY;
          for (const allocation of everyAllocation(plan, 20_000)) {
            best = Math.max(best, allocationRobustness(plan, allocation, trace));
          }
          compared++;
          expect(best).toBeCloseTo(robustness(formula, signals, { until })[0]!, 12);
        },
      ),
      { numRuns: 1000 },
    );
    expect(compared).toBeGreaterThan(400);
  });

  it.each([
    'F[0,4] (p0 and F[1,3] p1)',
    'F[0,2] G[0,2] p0 and F[1,6] p1',
    'not p0 until[0,6] p1 and F[0,6] p2',
    '(p0 and F[0,2] p1) until[1,4] p2',
    'G[0,2] F[0,1] p0 release[0,4] p1',
    'G[0,4] F[0,2] p0',
    'G[0,4] (not p0 or F[0,2] p1)',
    'G[0,4] F[1,2] G[0,1] p0',
    'F[0,3] G[0,3] F[0,1] (p0 or p1)',
    'G[0,3] (p0 until[0,2] p1)',
  ])('has an allocation for every trace that satisfies %s, with visits enough', (text) => {
    const { formula } = parseFormula(text);
    const plan = decompose(formula, { samples: 8, extraVisits: 3 });
    const names = parseFormula(text).predicates.map((predicate) => predicate.text);
    fc.assert(
      fc.property(signalSets(names.length, 8, 8), (signals) => {
        const exact = robustness(formula, signals)[0]!;
        const trace = rows(signals);
        let best = Number.NEGATIVE_INFINITY;
        for (const allocation of everyAllocation(plan, 200_000)) {
          best = Math.max(best, allocationRobustness(plan, allocation, trace));
          if (best === exact) break;
        }
        expect(best).toBeCloseTo(exact, 12);
      }),
      { numRuns: 30 },
    );
  });
});
