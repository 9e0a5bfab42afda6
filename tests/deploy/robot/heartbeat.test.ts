import { describe, expect, it } from 'vitest';
import { Heartbeat } from '#deploy/robot/heartbeat';

describe('a heartbeat', () => {
  it('is silent when the count stays for longer than it may, until it rises', () => {
    const heart = new Heartbeat(500);
    expect(heart.silence(7, 1e6)).toBe(0);
    const silences = Array.from({ length: 6 }, (_, k) => heart.silence(7, 1e6 + 100 * (k + 1)));
    expect(silences).toEqual([0, 0, 0, 0, 0, 600]);
    expect(heart.silence(8, 1e6 + 700)).toBe(0);
    expect(heart.silence(8, 1e6 + 800)).toBe(0);
  });

  it('is not silent because its listener stood still, and is where it stays so after', () => {
    const heart = new Heartbeat(500);
    heart.silence(7, 0);
    heart.silence(7, 100);
    expect(heart.silence(7, 5000)).toBe(0);
    expect([5100, 5200, 5300].map((now) => heart.silence(7, now))).toEqual([0, 0, 600]);
  });
});
