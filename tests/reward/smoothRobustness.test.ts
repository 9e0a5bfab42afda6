import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { smoothRobustness } from '#reward/smoothRobustness';
import type { Formula } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { smoothRobustness as onNumbers, type Smoothing } from '#stl/smooth';
import { formulas, signalSets } from '../stl/arbitrary.js';

/** A program of the robustness of B rows at their first sample, and of its gradient, in float64. */
function build(formula: Formula, B: number, T: number, smoothing: Smoothing, until: 'closed' | 'halfopen') {
  const signals = [0, 1].map((p) => nn.input(`x${p}`, [B, T]));
  const value = smoothRobustness(formula, signals, smoothing, { until });
  const [g0, g1] = nn.grad(nn.sum(value), signals);
  const outputs = { value, g0: g0!, g1: g1!, ...Object.fromEntries(signals.map((s, p) => [`s${p}`, s])) };
  return compile({ name: 'robustness', outputs }, { backend: 'reference', precision: 'float64' });
}

const smoothings = fc.constantFrom<Smoothing[]>(
  { kind: 'lse', sharpness: 2 },
  { kind: 'weighted', sharpness: 2 },
  { kind: 'agm' },
);

describe('smooth robustness on tensors', () => {
  it('has the values of that on numbers, row by row', () => {
    fc.assert(
      fc.property(
        formulas({ depth: 2 }),
        signalSets(4, 1, 6),
        smoothings,
        fc.constantFrom<('closed' | 'halfopen')[]>('closed', 'halfopen'),
        (formula, signals, smoothing, until) => {
          const T = signals[0]!.length;
          const rows = [signals.slice(0, 2), signals.slice(2)];
          const expected = rows.map((row) => onNumbers(formula, row, smoothing, { until })[0]!);
          if (!expected.every(Number.isFinite)) {
            expect(() => build(formula, 2, T, smoothing, until)).toThrow('a window is empty');
            return;
          }
          const program = build(formula, 2, T, smoothing, until);
          for (const p of [0, 1]) program.inputs[`x${p}`]!.set([...rows[0]![p]!, ...rows[1]![p]!]);
          program.run();
          for (const [i, v] of expected.entries()) expect(program.outputs.value![i]).toBeCloseTo(v, 9);
          program.close();
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each<Smoothing>([{ kind: 'lse', sharpness: 3 }, { kind: 'weighted', sharpness: 3 }, { kind: 'agm' }])(
    '$kind has the gradient of central differences, at every sample that matters',
    (smoothing) => {
      const { formula } = parseFormula('F[0,2] G[0,1] a and (a U[0,3] b) and not F[2,3] not b');
      const program = build(formula, 1, 6, smoothing, 'halfopen');
      const x = [
        [0.31, 0.52, 0.23, 0.74, 0.45, 0.16],
        [0.28, 0.67, 0.36, 0.85, 0.54, 0.93],
      ];
      for (const p of [0, 1]) program.inputs[`x${p}`]!.set(x[p]!);
      program.run();
      const analytic = [0, 1].map((p) => Float64Array.from(program.outputs[`g${p}`]!));
      let moved = 0;
      for (const p of [0, 1]) {
        for (let t = 0; t < 6; t++) {
          const value = (shift: number): number => {
            program.inputs[`x${p}`]!.set(x[p]!.map((v, i) => (i === t ? v + shift : v)));
            program.run();
            return program.outputs.value![0]!;
          };
          const numeric = (value(1e-5) - value(-1e-5)) / 2e-5;
          program.inputs[`x${p}`]!.set(x[p]!);
          expect(analytic[p]![t], `predicate ${p}, sample ${t}`).toBeCloseTo(numeric, 6);
          if (Math.abs(numeric) > 1e-6) moved++;
        }
      }
      expect(moved).toBeGreaterThan(6);
      program.close();
    },
  );
});
