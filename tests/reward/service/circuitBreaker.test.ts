import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '#reward/service/circuitBreaker';

describe('a circuit breaker', () => {
  it('opens after failures in a row, and a success between them starts the count afresh', () => {
    const breaker = new CircuitBreaker({ failures: 3, pauseMs: 100 });
    expect(breaker.failed(0)).toBe(false);
    expect(breaker.failed(1)).toBe(false);
    expect(breaker.succeeded()).toBe(false);
    expect([breaker.failed(2), breaker.failed(3)]).toEqual([false, false]);
    expect(breaker.allows(3)).toBe(true);
    expect(breaker.failed(4)).toBe(true);
    expect(breaker.state(5)).toBe('open');
    expect(breaker.allows(5)).toBe(false);
  });

  it('lets one call through after the pause, and closes or stays open by what becomes of it', () => {
    const breaker = new CircuitBreaker({ failures: 1, pauseMs: 100 });
    breaker.allows(0);
    expect(breaker.failed(0)).toBe(true);
    expect(breaker.allows(99)).toBe(false);
    expect(breaker.state(100)).toBe('half-open');
    expect(breaker.allows(100)).toBe(true);
    expect(breaker.allows(100)).toBe(false);
    expect(breaker.failed(150)).toBe(false);
    expect(breaker.state(249)).toBe('open');
    expect(breaker.allows(250)).toBe(true);
    expect(breaker.succeeded()).toBe(true);
    expect(breaker.state(250)).toBe('closed');
    expect(breaker.allows(250)).toBe(true);
  });
});
