import { describe, expect, it } from 'vitest';
import { systemClock } from '#deploy/sim/systemClock';

describe('the clock of a sim robot', () => {
  it('takes stamps to its own time and back, to a microsecond', () => {
    let monotonic = 5000;
    const origin = 1_760_000_000_123.25;
    const clock = systemClock(
      () => monotonic,
      () => origin + monotonic,
      origin,
    );
    expect(clock.now()).toBe(5);
    expect(clock.fromStamp({ sec: 0, nanosec: 0 })).toBeUndefined();
    const stamp = clock.toStamp(5);
    expect(stamp).toEqual({ sec: 1_760_000_005, nanosec: 123_250_000 });
    for (const time of [0, 4.999_999_9, 5, 1234.567_891]) {
      expect(Math.abs(clock.fromStamp(clock.toStamp(time))! - time)).toBeLessThan(1e-6);
    }
    monotonic = 6000;
    expect(clock.toStamp(6).sec).toBe(1_760_000_006);
  });

  it('never jumps itself, and follows when the system is set, but not its ticks of a millisecond', () => {
    let monotonic = 1000;
    let jump = 0;
    const clock = systemClock(
      () => monotonic,
      () => Math.floor(1_000_000 + monotonic + jump),
      1_000_000.75,
    );
    const stamp = { sec: 1001, nanosec: 0 };
    const before = clock.fromStamp(stamp)!;
    monotonic = 1000.4;
    expect(clock.fromStamp(stamp)).toBe(before);
    jump = 3_600_000;
    expect(clock.now()).toBe(1.0004);
    expect(clock.fromStamp(stamp)! - before).toBeCloseTo(-3600, 2);
  });

  it('takes a wait of its thread between two clocks for no drift', () => {
    let monotonic = 1000;
    let wait = 0;
    const stop = () => {
      monotonic += wait;
    };
    // Before or after either clock is read.
    for (const [before, after] of [
      [stop, () => {}],
      [() => {}, stop],
    ] as const) {
      const read = (value: () => number) => () => {
        before();
        const now = value();
        after();
        return now;
      };
      const clock = systemClock(
        read(() => monotonic),
        read(() => 1_000_000 + monotonic),
        1_000_000,
      );
      wait = 0;
      const stamp = clock.toStamp(2);
      wait = 25;
      expect(clock.toStamp(2)).toEqual(stamp);
      expect(clock.toStamp(2)).toEqual(stamp);
    }
  });
});
