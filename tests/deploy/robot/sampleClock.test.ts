import { describe, expect, it } from 'vitest';
import { SampleClock } from '#deploy/robot/sampleClock';

/** Samples every 10 ms from `from` to `to`, by the receiver's clock.
 * @param ahead of the sender's clock, ms @param delay on the way, ms
 * @returns how old each that was taken counts, ms */
function run(clock: SampleClock, from: number, to: number, ahead: number, delay = 1): number[] {
  const ages: number[] = [];
  for (let sent = from; sent < to; sent += 10) {
    const taken = clock.taken(sent + ahead, sent + delay);
    if (taken !== undefined) ages.push(sent + delay - taken);
  }
  return ages;
}

describe('the clock of samples', () => {
  it('does not mind by how much the clocks differ, and counts what comes on top of the least delay', () => {
    const clock = new SampleClock();
    expect(Math.max(...run(clock, 0, 500, 7e12))).toBeLessThan(1);
    expect(Math.min(...run(clock, 500, 1000, 7e12, 300))).toBeGreaterThan(290);
    expect(Math.max(...run(clock, 1300, 1500, 7e12))).toBeLessThan(1);
  });

  it.each([3_600_000, -3_600_000])('goes on at once where the sender set its clock by %i ms', (jump) => {
    const clock = new SampleClock();
    run(clock, 0, 500, 0);
    const ages = run(clock, 500, 1000, jump);
    expect([ages.length, Math.max(...ages) < 1]).toEqual([50, true]);
  });

  it('comes back where it was set back a little, and after one stamp of the future', () => {
    const back = new SampleClock();
    run(back, 0, 500, 0);
    run(back, 500, 30_000, -400);
    expect(Math.max(...run(back, 30_000, 31_000, -400))).toBeLessThan(1);
    const future = new SampleClock();
    run(future, 0, 500, 0);
    future.taken(1000, 500);
    run(future, 510, 30_000, 0);
    expect(Math.max(...run(future, 30_000, 31_000, 0))).toBeLessThan(1);
  });

  it('does not take a delay for granted before the node has deactivated for it', () => {
    const clock = new SampleClock();
    run(clock, 0, 20_000, 0);
    expect(Math.min(...run(clock, 20_000, 29_000, 0, 300))).toBeGreaterThan(290);
  });
});
