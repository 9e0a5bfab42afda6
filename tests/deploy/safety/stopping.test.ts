import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStopPath, stopBend, stopPath } from '#deploy/safety/stopping';

/** Speed and bend in units of their limits, and limits from "the jerk never binds" to "a stop takes 400 ticks". */
const cases = fc.record({
  speed: fc.double({ min: -1, max: 1, noNaN: true }),
  bend: fc.double({ min: -1, max: 1, noNaN: true }),
  mostBend: fc.double({ min: 0.005, max: 2, noNaN: true }),
  twistTicks: fc.double({ min: 0.2, max: 40, noNaN: true }),
});

function walk(speed: number, bend: number, mostBend: number, mostTwist: number) {
  const out = createStopPath();
  let at = 0;
  out.slowest = out.fastest = speed;
  while ((speed !== 0 || bend !== 0) && out.ticks < 10_000) {
    const next = stopBend(speed, bend, mostBend, mostTwist);
    expect(Math.abs(next)).toBeLessThanOrEqual(mostBend);
    expect(Math.abs(next - bend)).toBeLessThanOrEqual(mostTwist * (1 + 1e-12));
    bend = next;
    speed += bend;
    at += speed;
    out.ticks++;
    out.lowest = Math.min(out.lowest, at);
    out.highest = Math.max(out.highest, at);
    out.slowest = Math.min(out.slowest, speed);
    out.fastest = Math.max(out.fastest, speed);
  }
  out.rest = at;
  return out;
}

describe('the stop of a joint', () => {
  it('ends at rest, where and when the closed form says', () => {
    fc.assert(
      fc.property(cases, ({ speed, bend, mostBend, twistTicks }) => {
        const mostTwist = mostBend / twistTicks;
        const start = bend * mostBend;
        const walked = walk(speed, start, mostBend, mostTwist);
        const told = createStopPath();
        stopPath(speed, start, mostBend, mostTwist, told);
        expect(told.rest).toBeCloseTo(walked.rest, 9);
        expect(told.lowest).toBeCloseTo(walked.lowest, 9);
        expect(told.highest).toBeCloseTo(walked.highest, 9);
        expect(told.slowest).toBeLessThanOrEqual(walked.slowest + 1e-9);
        expect(told.fastest).toBeGreaterThanOrEqual(walked.fastest - 1e-9);
        expect(walked.ticks).toBeLessThanOrEqual(told.ticks);
        expect(told.ticks - walked.ticks).toBeLessThanOrEqual(4);
      }),
      { numRuns: 3000 },
    );
  });

  it('is the three-phase profile as ticks get short', () => {
    // v = 1, A = 4, J = 40: full deceleration is reached; time v/A + A/J, distance v/2 (v/A + A/J).
    const h = 1e-4;
    const told = createStopPath();
    stopPath(h, 0, 4 * h * h, 40 * h ** 3, told);
    expect(told.ticks * h).toBeCloseTo(1 / 4 + 4 / 40, 3);
    expect(told.rest).toBeCloseTo(0.5 * (1 / 4 + 4 / 40), 3);
    // v = 0.2: it is not; time 2 sqrt(v/J), distance v sqrt(v/J).
    stopPath(0.2 * h, 0, 4 * h * h, 40 * h ** 3, told);
    expect(told.ticks * h).toBeCloseTo(2 * Math.sqrt(0.2 / 40), 3);
    expect(told.rest).toBeCloseTo(0.2 * Math.sqrt(0.2 / 40), 4);
  });

  it('takes back a bend that would leave a speed the other way', () => {
    const told = createStopPath();
    stopPath(-2.5, 1, 1, 0.1, told);
    // Speeds -1.6, -0.8 and -0.1 come first.
    expect(told.lowest).toBeCloseTo(-2.5, 12);
    expect(told.rest).toBeGreaterThan(0);
    expect(told.highest).toBe(told.rest);
    expect(told.slowest).toBe(-2.5);
    // Letting go adds the sum 0.9 + 0.8 + ... + 0.1 to -2.5.
    expect(told.fastest).toBeCloseTo(2, 12);
  });
});
