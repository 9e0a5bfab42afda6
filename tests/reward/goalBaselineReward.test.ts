import { describe, expect, it } from 'vitest';
import { calibrated, measureCalibration } from '#reward/backends/calibration';
import { goalBaselineReward } from '#reward/backends/clip';

const goal = Float64Array.of(1, 0, 0);
const baseline = Float64Array.of(0, 1, 0);
const aside = Float64Array.of(0, 0, 1);
const between = Float64Array.of(Math.SQRT1_2, Math.SQRT1_2, 0);

describe('the goal-baseline reward', () => {
  it('is the cosine at alpha 0, with or without a baseline', () => {
    for (const other of [undefined, baseline]) {
      const reward = goalBaselineReward(goal, other, 0);
      expect(reward(goal)).toBeCloseTo(1, 12);
      expect(reward(between)).toBeCloseTo(Math.SQRT1_2, 12);
      expect(reward(aside)).toBeCloseTo(0, 12);
    }
  });

  it('at alpha 1 sees only the line from baseline to goal', () => {
    const reward = goalBaselineReward(goal, baseline, 1);
    // The baseline is sqrt(2) away along the line; `aside` lies half of that away, and its distance from the line is not seen.
    expect(reward(goal)).toBeCloseTo(1, 12);
    expect(reward(baseline)).toBeCloseTo(0, 12);
    expect(reward(aside)).toBeCloseTo(1 - 0.5 * Math.SQRT1_2 ** 2, 12);
  });

  it('has the value of the matrix form in between', () => {
    const [alpha, x] = [0.3, Float64Array.of(0.6, 0, 0.8)];
    // d = (1, -1, 0), P = [[.5, -.5, 0], [-.5, .5, 0], [0, 0, 0]], x - g = (-.4, 0, .8)
    const projected = [-0.4 * (0.3 * 0.5 + 0.7), -0.4 * (0.3 * -0.5), 0.8 * 0.7];
    const expected = 1 - 0.5 * projected.reduce((sum, value) => sum + value ** 2, 0);
    expect(goalBaselineReward(goal, baseline, alpha)(x)).toBeCloseTo(expected, 12);
  });

  it('refuses a goal that is the baseline', () => {
    expect(() => goalBaselineReward(goal, goal, 0.5)).toThrow(/mean the same/);
  });
});

describe('calibration', () => {
  it('goes from what aimless states score to what successes do, and stays inside [0, 1]', () => {
    const calibration = measureCalibration([0.1, 0.2, Number.NaN, 0.3], [0.6, 0.8, 1]);
    expect(calibration.low).toBeCloseTo(0.2, 12);
    expect(calibration.high).toBeCloseTo(0.8, 12);
    expect([0, 0.2, 0.5, 0.8, 2].map((raw) => calibrated(raw, calibration))).toEqual([
      0,
      0,
      expect.closeTo(0.5, 12),
      1,
      1,
    ]);
    expect(calibrated(Number.NaN, calibration)).toBeNaN();
  });

  it('refuses a score that successes do not raise', () => {
    expect(() => measureCalibration([0.5], [0.4])).toThrow(/cannot tell|states with success/);
  });
});
