import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMonitor, type MonitorOptions } from '#stl/compileMonitor';
import { robustness, truthSignals } from '#stl/evaluate';
import { atom, binaryTemporal, type Formula, horizon, negationNormalForm, subformulas } from '#stl/formula';
import { Monitor, newReading, type Reading } from '#stl/monitor';
import { parseFormula } from '#stl/parse';
import { earlyVerdict, robustInterval } from '#stl/robustInterval';
import { formulas, signalSets } from './arbitrary.js';

type Signals = readonly Float64Array[];
const untils = fc.constantFrom<MonitorOptions['until'][]>('halfopen', 'closed');

interface Run {
  readonly delay: number;
  readonly readings: Reading[];
  readonly finish: number;
}

function run(formula: Formula, signals: Signals, options: Partial<MonitorOptions>): Run {
  const length = signals[0]!.length;
  const program = compileMonitor(formula, signals.length, { samples: length, ...options });
  const monitor = new Monitor(program.code);
  const state = monitor.newState();
  expect(state.length).toBe(program.stateWords);
  const readings: Reading[] = [];
  for (let t = 0; t < length; t++) {
    const reading = newReading();
    monitor.step(
      signals.map((signal) => signal[t]!),
      state,
      reading,
    );
    readings.push(reading);
  }
  return { delay: program.delay, readings, finish: monitor.finish(readings.at(-1)!, state).robustness };
}

const looksBack = (formula: Formula): boolean =>
  subformulas(negationNormalForm(formula)).some(({ kind }) =>
    ['once', 'historically', 'since', 'trigger', 'true', 'false'].includes(kind),
  );

/** What is known of the first sample once samples 0..t are. */
function intervalAt(formula: Formula, signals: Signals, t: number, until: MonitorOptions['until']) {
  const { lower, upper } = robustInterval(
    formula,
    signals.map((signal) => signal.subarray(0, t + 1)),
    { until },
  );
  return [lower[0]!, upper[0]!] as const;
}

describe('a monitor', () => {
  it('gives offline robustness once the horizon has passed', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 14), untils, (formula, signals, until) => {
        const offline = robustness(formula, signals, { until });
        const { readings, delay } = run(formula, signals, { until });
        expect(delay).toBeLessThanOrEqual(horizon(formula));
        for (const [t, { value }] of readings.entries()) {
          if (t < delay) expect(value).toBeNaN();
          else expect(value + 0, `sample ${t}`).toBe(offline[t - delay]! + 0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('bounds the value at the first sample, as tightly as can be without the past', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 14), untils, (formula, signals, until) => {
        const { readings } = run(formula, signals, { until });
        for (const [t, { lower, upper }] of readings.entries()) {
          const [low, high] = intervalAt(formula, signals, t, until);
          if (looksBack(formula)) {
            expect(lower, `lower at ${t}`).toBeLessThanOrEqual(low);
            expect(upper, `upper at ${t}`).toBeGreaterThanOrEqual(high);
          } else {
            expect([lower + 0, upper + 0], `bounds at ${t}`).toEqual([low + 0, high + 0]);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has bounds that shrink and hold the final value, past operators included', () => {
    fc.assert(
      fc.property(formulas({ unbounded: true }), signalSets(2, 1, 14), untils, (formula, signals, until) => {
        const { readings } = run(formula, signals, { until });
        let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
        for (const { lower, upper } of readings) {
          expect(lower).toBeGreaterThanOrEqual(low);
          expect(upper).toBeLessThanOrEqual(high);
          expect(lower).toBeLessThanOrEqual(upper);
          [low, high] = [lower, upper];
        }
        if (horizon(formula) >= signals[0]!.length) return;
        const final = robustness(formula, signals, { until })[0]!;
        expect(low).toBeLessThanOrEqual(final);
        expect(high).toBeGreaterThanOrEqual(final);
      }),
      { numRuns: 300 },
    );
  });

  it('changes signs and exchanges bounds and verdicts under negation', () => {
    fc.assert(
      fc.property(
        formulas(),
        signalSets(2, 1, 14),
        untils,
        fc.tuple(fc.boolean(), fc.boolean()),
        (formula, signals, until, holdsAtZero) => {
          const options = { until, holdsAtZero };
          const own = run(formula, signals, options).readings;
          const negated = run({ kind: 'not', operand: formula }, signals, options).readings;
          for (const [t, { value, lower, upper, verdict }] of negated.entries()) {
            const other = own[t]!;
            expect([value, lower, upper].map((x) => x + 0)).toEqual(
              [other.value, other.upper, other.lower].map((x) => -x + 0),
            );
            expect(verdict).toBe(other.verdict === -1 ? -1 : 1 - other.verdict);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('ends as offline evaluation has it', () => {
    fc.assert(
      fc.property(formulas(), signalSets(2, 1, 14), untils, (formula, signals, until) => {
        const { finish } = run(formula, signals, { until, end: 'vacuous' });
        expect(finish + 0).toBe(robustness(formula, signals, { until, end: 'vacuous' })[0]! + 0);
      }),
      { numRuns: 300 },
    );
  });

  it('does not count on a sample that never came', () => {
    const rose: Formula = { kind: 'prev', operand: { kind: 'rise', operand: atom(0) } };
    const self = binaryTemporal('until', atom(0), atom(0));
    const formula = binaryTemporal('until', { kind: 'implies', left: self, right: self }, rose);
    const signals = [Float64Array.of(3)];
    const { readings, finish } = run(formula, signals, { end: 'vacuous' });
    expect(readings[0]).toMatchObject({ lower: 3, upper: 3 });
    expect(finish).toBe(Number.NEGATIVE_INFINITY);
    expect(robustness(formula, signals, { end: 'vacuous' })[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  it('tells strict from weak comparisons', () => {
    fc.assert(
      fc.property(
        formulas(),
        signalSets(2, 1, 14),
        fc.tuple(fc.boolean(), fc.boolean()),
        (formula, raw, holds) => {
          const signals = raw.map((signal) => signal.map(Math.round));
          const { readings } = run(formula, signals, { holdsAtZero: holds });
          const truth = truthSignals(signals, holds);
          if (looksBack(formula)) return;
          for (const [t, { verdict }] of readings.entries()) {
            const known = truth.map((signal) => signal.subarray(0, t + 1));
            expect(verdict).toBe(earlyVerdict(formula, known));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('bounds in constant time', () => {
  it.each([
    'G[0,40](x > 0 -> F[0,10](y > 0))',
    'F[0,40](x > 0 and F[0,20](y > 0 and F[0,20] z > 0))',
    '(x > 0) U[0,40] (y > 0)',
    'G(x > 0) and F[0,40] y > 0',
    'F[0,40] G[0,10] x > 0',
    'G[0,40] F[3,10] x > 0',
    'not (x > 0) until[0,30] (y > 0) and F[0,50] z > 0 and G[0,60](x < 3)',
    'G(x > 0 -> once[0,5] y > 0)',
    'G[0,40](x > 0 -> (y > 0 until[2,9] z > 0))',
    'G(x > 0 until y > 0)',
    'F[0,40](x > 0 and (y > 0 release[0,9] z > 0))',
  ])('cover %s', (text) => {
    const { formula, predicates } = parseFormula(text);
    expect(compileMonitor(formula, predicates.length).constantTime).toEqual({ lower: true, upper: true });
  });
});

/** Formulas whose bounds the streams cover, with windows wider than the random ones have. */
const covered = fc
  .tuple(
    fc.constantFrom('respond', 'visit', 'chain', 'until', 'stay', 'delayed', 'owed', 'owedLate', 'free'),
    fc.array(fc.nat(6), { minLength: 6, maxLength: 6 }),
  )
  .map(([kind, n]) => {
    const window = (i: number): string => `[${Math.min(n[i]!, n[i + 1]!)},${Math.max(n[i]!, n[i + 1]!)}]`;
    const texts: Readonly<Record<string, string>> = {
      respond: `G${window(0)}(x > 0 -> F${window(2)}(y > 0))`,
      visit: `G${window(0)} F${window(2)} (x > 0 and y > 0)`,
      chain: `F${window(0)}(x > 0 and F${window(2)}(y > 0 and F${window(4)} not (x > 0)))`,
      until: `(x > 0) U${window(0)} (y > 0) and not ((y > 0) U${window(2)} (not (x > 0)))`,
      stay: `F${window(0)} G${window(2)} (x > 0) or G${window(4)} y > 0`,
      owed: `G${window(0)}(x > 0 -> (y > 0 until${window(2)} not (x > 0)))`,
      owedLate: `G${window(0)}(not (y > 0) or (x > 0 until${window(2)} F[1,1] y > 0)) and G${window(4)} (x > 0 until y > 0)`,
      free: `F${window(0)}(x > 0 and (y > 0 release${window(2)} F[1,1] (not (y > 0)))) or F (x > 0 release y > 0)`,
      delayed: `G${window(0)}(x > 0 or G${window(2)} y > 0)`,
    };
    return texts[kind]!;
  });

describe('monitors in constant time', () => {
  it('are as tight as the whole history', () => {
    fc.assert(
      fc.property(covered, signalSets(2, 1, 24), untils, (text, signals, until) => {
        const { formula } = parseFormula(text);
        fc.pre(until === 'halfopen' || !text.includes('F[1,1]'));
        expect(compileMonitor(formula, 2, { until }).constantTime).toEqual({ lower: true, upper: true });
        const { readings } = run(formula, signals, { until });
        for (const [t, { lower, upper }] of readings.entries()) {
          const [low, high] = intervalAt(formula, signals, t, until);
          expect([lower + 0, upper + 0], `bounds at ${t} of ${text}`).toEqual([low + 0, high + 0]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
