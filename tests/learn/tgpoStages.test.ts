import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { StageTracker } from '#learn/tgpo/stages';
import { AllocationSpace, satisfies } from '#stl/allocation';
import { decompose } from '#stl/decompose';
import { robustness } from '#stl/evaluate';
import { parseFormula } from '#stl/parse';

const rewards = { progress: 2, failure: 1, distance: 1 };

/** A tracker of one row on a formula over p0, p1, ... and a plan for it. */
function following(
  text: string,
  samples: number,
  times?: readonly number[],
  choices: readonly number[] = [],
) {
  const { formula, predicates } = parseFormula(text);
  const decomposition = decompose(formula, { samples });
  const space = new AllocationSpace(decomposition);
  const plan = times
    ? { choices: Int32Array.from(choices), times: Int32Array.from(times) }
    : space.sample(new Draws(1, 1));
  expect(space.contains(plan)).toBe(true);
  const P = predicates.length;
  const tracker = new StageTracker(decomposition, 1, P, rewards);
  return { tracker, plan, P, decomposition, formula };
}

function run(
  { tracker, plan, P }: ReturnType<typeof following>,
  trace: readonly (readonly number[])[],
): number[] {
  const flat = Float64Array.from(trace.flat());
  tracker.begin(0, plan, flat, 0);
  return trace.slice(1).map((_, t) => tracker.advance(0, flat, (t + 1) * P));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('a plan that is followed', () => {
  it('rewards the approach and the arrival, whenever that is', () => {
    for (const arrival of [2, 4, 6]) {
      const plan = following('eventually[0, 8] (a > 0)', 9, [4]);
      const trace = Array.from({ length: 9 }, (_, t) => [t < arrival ? t / arrival - 1 : 0.5]);
      const earned = run(plan, trace);
      // One stage: 2 for a distance of 1, and 2 on arrival.
      expect(sum(earned)).toBeCloseTo(4, 10);
      expect(earned[arrival - 1]).toBeGreaterThan(2);
      expect(plan.tracker.times[0]).toBe(8);
      expect(plan.tracker.completed(0)).toBe(true);
    }
  });

  it('waits for what may not come yet, and fails at the first sample that is too late', () => {
    const early = following('eventually[3, 5] (a > 0)', 9, [4]);
    run(early, [[1], [1], [1], [-1], [-1]]);
    expect(early.tracker.completed(0)).toBe(false);
    expect(early.tracker.failed[0]).toBe(0);
    const late = following('eventually[3, 5] (a > 0)', 9, [4]);
    const earned = run(late, [[-1], [-1], [-1], [-1], [-1], [-1], [1]]);
    expect(late.tracker.failed[0]).toBe(1);
    expect(earned.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(earned.slice(4)).toEqual([-1, 0]);
  });

  it('keeps the order of a sequence, and moves what follows when a step is late', () => {
    const plan = following('eventually[0, 9] (a > 0 and eventually[0, 3] (b > 0))', 13, [3, 5]);
    // b comes first and does not count; a comes at 6.
    run(plan, [
      [-1, 1],
      [-1, 1],
      [-1, -1],
      [-1, -1],
      [-1, -1],
      [-1, -1],
      [1, -1],
      [-1, -1],
    ]);
    expect([...plan.tracker.times]).toEqual([6, 8]);
    expect([...plan.tracker.state]).toEqual([2, 1]);
  });

  it('takes back what a stay earned when it is left, and starts it again', () => {
    const plan = following('eventually[0, 6] always[0, 3] (a > 0)', 10, [1]);
    const earned = run(plan, [[-1], [1], [1], [-1], [1], [1], [1], [1]]);
    // Distance 1, arrival 1 and the whole stay, each a stage of 2: what was lost was earned again.
    expect(plan.tracker.completed(0)).toBe(true);
    expect(plan.tracker.times[0]).toBe(4);
    expect(earned[2]).toBeLessThan(-2);
    expect(sum(earned)).toBeCloseTo(6, 10);
  });

  it('fails where what must be avoided is entered', () => {
    const plan = following('eventually[0, 6] (a > 0) and always[0, 6] (b > 0)', 7, [3]);
    const earned = run(plan, [
      [-1, 1],
      [-1, -0.1],
      [1, 1],
    ]);
    expect(plan.tracker.failed[0]).toBe(1);
    expect(earned).toEqual([-1, 0]);
  });

  it('earns nothing for going away and coming back, and loses nothing by it', () => {
    const plan = following('eventually[0, 8] (a > 0)', 9, [8]);
    const earned = run(plan, [[-4], [-3], [-6], [-5], [-3], [-2]]);
    expect(earned).toEqual([2, 0, 0, 0, 2]);
  });

  it('begins in the middle where stages are skipped', () => {
    const text = 'eventually[0, 4] always[0, 3] (a > 0) and eventually[5, 12] (b > 0)';
    const plan = following(text, 13, [3, 9]);
    const flat = Float64Array.from([-1, -1, -1, 1]);
    plan.tracker.begin(0, plan.plan, flat, 0);
    plan.tracker.skip(0, 1, flat, 0);
    expect([...plan.tracker.state]).toEqual([2, 1]);
    expect(plan.tracker.sample[0]).toBe(3);
    // a does not hold, and its stay is over all the same; b may not come before 5.
    plan.tracker.advance(0, flat, 2);
    expect(plan.tracker.completed(0)).toBe(false);
    plan.tracker.advance(0, flat, 2);
    expect(plan.tracker.failed[0]).toBe(0);
    expect(plan.tracker.completed(0)).toBe(true);
  });

  it('shows the time to go, the target and the flags', () => {
    const plan = following('eventually[0, 8] (a > 0) and eventually[0, 8] (b > 0)', 9, [6, 3]);
    const out = new Float32Array(plan.tracker.width);
    const trace = [
      [-1, -1],
      [-1, -1],
      [1, -1],
    ];
    run(plan, trace);
    plan.tracker.observe(0, Float64Array.from(trace.flat()), 4, out, 0);
    const common = [1 - 2 / 8, 0, 0, 1 / 16, 1, 1, 0];
    const a = [0, 1, 0, 0];
    const b = [1, 0, 1 / 8, 1];
    const predicates = [Math.tanh(1), Math.tanh(-1)];
    for (const [i, x] of [...common, ...a, ...b, ...predicates].entries()) expect(out[i]).toBeCloseTo(x, 6);
  });
});

const formulas = [
  'eventually[0, 12] (a > 0 and eventually[0, 5] (b > 0))',
  'eventually[2, 9] always[0, 3] (a > 0) and always[0, 12] (b > 0 or a > 0)',
  '(not (a > 0)) until[1, 9] (b > 0) and eventually[0, 12] (a > 0)',
  'eventually[0, 6] (a > 0) or eventually[4, 12] (b > 0)',
  'always[0, 6] eventually[0, 5] (a > 0)',
  'eventually[0, 5] ((a > 0) until[0, 4] (b > 0))',
];

describe('what the tracker calls reached', () => {
  // Regions are left and entered now and then, so that stays and visits happen.
  const walk = fc.array(fc.tuple(fc.integer({ min: -2, max: 3 }), fc.integer({ min: -2, max: 3 })), {
    minLength: 14,
    maxLength: 14,
  });

  it.each(formulas)(
    'is an allocation that the trace satisfies, and then so does the trace the formula: %s',
    (text) => {
      let completed = 0;
      fc.assert(
        fc.property(walk, fc.nat(1000), (steps, seed) => {
          const { formula, predicates } = parseFormula(text);
          const samples = steps.length;
          const decomposition = decompose(formula, { samples });
          const P = predicates.length;
          const tracker = new StageTracker(decomposition, 1, P, rewards);
          const plan = new AllocationSpace(decomposition).sample(new Draws(seed, 1));
          const columns = predicates.map(({ text: of }) => (of.startsWith('a') ? 0 : 1));
          const trace = Float64Array.from(steps.flatMap((s) => columns.map((c) => s[c]! + 0.5)));
          tracker.begin(0, plan, trace, 0);
          for (let t = 1; t < samples; t++) tracker.advance(0, trace, t * P);
          if (!tracker.completed(0)) return;
          completed++;
          const followed = { choices: tracker.choices.slice(), times: tracker.times.slice() };
          expect(satisfies(decomposition, followed, trace)).toBe(true);
          const signals = predicates.map((_, p) =>
            Float64Array.from({ length: samples }, (_2, t) => trace[t * P + p]!),
          );
          expect(robustness(formula, signals, { end: 'vacuous' })[0]).toBeGreaterThan(0);
        }),
        { numRuns: 300 },
      );
      expect(completed).toBeGreaterThan(20);
    },
  );
});
