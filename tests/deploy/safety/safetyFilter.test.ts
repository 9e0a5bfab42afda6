import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CommandState, createCommandState, isAtRest } from '#deploy/safety/commandState';
import type { MotionLimits } from '#deploy/safety/limits';
import {
  createFilterOutput,
  type FilterInput,
  filterTick,
  resetEmergencyStop,
  type SafetyRules,
  startCommand,
} from '#deploy/safety/safetyFilter';
import { stopping } from '#deploy/safety/stopping';
import { verdictText } from '#deploy/safety/verdict';
import { planarPoint, testLimits } from './arms.js';
import { CommandRecorder } from './commandRecorder.js';

const start = Float64Array.of(0.1, 0.2, -0.09);

function rulesOf(limits: MotionLimits, more: Partial<SafetyRules> = {}): SafetyRules {
  return { limits, maxAge: 0.1, deactivateAfter: 0.5, ...more };
}

function goodInput(proposal: Float64Array | undefined): FilterInput {
  return {
    proposal,
    velocity: undefined,
    names: undefined,
    age: 0.01,
    invalid: undefined,
    emergencyStop: false,
    speed: 1,
  };
}

function started(rules: SafetyRules, at = start): CommandState {
  const state = createCommandState(rules.limits);
  expect(startCommand(rules, state, at)).toEqual({ kind: 'started' });
  return state;
}

const wildNumber = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: -3, max: 3, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: -0.12, max: 0.12, noNaN: true }) },
  fc.constantFrom(0, -0, 1e300, -1e300, 1e-300, Number.NaN, Infinity, -Infinity),
);
const wildInput: fc.Arbitrary<FilterInput> = fc.record({
  proposal: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.array(wildNumber, { minLength: 3, maxLength: 3 }).map((x) => Float64Array.from(x)),
    },
    fc.array(wildNumber, { maxLength: 5 }).map((x) => Float64Array.from(x)),
    fc.constant(undefined),
  ),
  velocity: fc.oneof(
    fc.constant(undefined),
    fc.array(wildNumber, { minLength: 3, maxLength: 3 }).map((x) => Float64Array.from(x)),
  ),
  names: fc.constantFrom<(readonly string[] | undefined)[]>(
    undefined,
    undefined,
    ['a', 'b', 'c'],
    ['b', 'a', 'c'],
    [],
  ),
  age: fc.constantFrom(0, 0.01, 0.05, 0.1, 0.11, -1, Number.NaN, Infinity),
  invalid: fc.constantFrom<FilterInput['invalid'][]>(
    undefined,
    undefined,
    undefined,
    undefined,
    'guard_violated',
  ),
  emergencyStop: fc.nat(60).map((x) => x === 0),
  speed: fc.constantFrom(1, 1, 1, 1, 0.5, 0, -1, 7, Number.NaN),
});
/** Each input stays for some ticks, so that commands become fast. */
const hostile = fc.array(fc.tuple(wildInput, fc.integer({ min: 1, max: 60 }), fc.boolean()), {
  minLength: 1,
  maxLength: 25,
});
const setting = fc.record({
  arm: fc.constantFrom('panda' as const, 'ur5e' as const),
  period: fc.constantFrom(0.001, 0.002, 0.01, 0.05),
  box: fc.boolean(),
});

const box = { lower: [0.2, -0.5, -0.05], upper: [0.69, 0.5, 0.05], point: planarPoint, reach: 0.9 } as const;

describe('the safety filter', () => {
  it('keeps every command within all limits, whatever comes in, and can stop from everywhere', () => {
    fc.assert(
      fc.property(setting, hostile, ({ arm, period, box: boxed }, inputs) => {
        const limits = testLimits(arm, period);
        const rules = rulesOf(limits, boxed ? { workspace: box } : {});
        const state = started(rules);
        const out = createFilterOutput(limits);
        const recorder = new CommandRecorder(limits, start);
        const point = new Float64Array(3);
        const distance = new Float64Array(3);
        const time = new Float64Array(3);
        const tick = (input: FilterInput) => {
          filterTick(rules, state, input, out);
          recorder.add(out.position);
          if (!boxed) return;
          planarPoint(out.position, point);
          for (let k = 0; k < 3; k++) {
            expect(point[k]).toBeGreaterThanOrEqual(box.lower[k]! - 1e-9);
            expect(point[k]).toBeLessThanOrEqual(box.upper[k]! + 1e-9);
          }
        };
        for (const [input, ticks, restart] of inputs) {
          for (let k = 0; k < ticks; k++) tick(input);
          if (restart && isAtRest(state)) {
            resetEmergencyStop(state);
            startCommand(rules, state, state.position.slice());
          }
        }
        stopping(limits, state, distance, time);
        const rest = state.position.map((x, i) => x + distance[i]!);
        for (let t = 0; t < Math.max(...time) - 0.5 * period; t += period) tick(goodInput(undefined));
        expect(out.atRest).toBe(true);
        for (let i = 0; i < 3; i++) expect(state.position[i]).toBeCloseTo(rest[i]!, 9);
        expect(recorder.faults).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it('drives a joint at its limit of speed into its range and rests at the end of it', () => {
    for (const arm of ['panda', 'ur5e'] as const) {
      const limits = testLimits(arm, 0.002);
      const rules = rulesOf(limits);
      const state = started(rules);
      const out = createFilterOutput(limits);
      const recorder = new CommandRecorder(limits, start);
      const wish = Float64Array.of(100, -100, 100);
      for (let k = 0; k < 3000; k++) {
        filterTick(rules, state, goodInput(wish), out);
        recorder.add(out.position);
      }
      expect(recorder.faults).toEqual([]);
      expect(recorder.worst.velocity).toBeGreaterThan(0.999);
      expect(recorder.worst.acceleration).toBeGreaterThan(0.999);
      expect(out.position[0]).toBeCloseTo(limits.upper[0]!, 7);
      expect(out.position[1]).toBeCloseTo(limits.lower[1]!, 7);
      expect(verdictText(out.verdict)).toBe('limit: position');
      expect(Math.max(...out.velocity.map(Math.abs))).toBeLessThan(1e-6);
    }
  });

  it('passes what keeps to the limits bit for bit', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('panda' as const, 'ur5e' as const),
        fc.constantFrom(0.002, 0.01, 0.05),
        fc.array(fc.double({ min: 0.05, max: 0.9, noNaN: true }), { minLength: 3, maxLength: 3 }),
        (arm, period, shares) => {
          const limits = testLimits(arm, period);
          const rules = rulesOf(limits);
          const middle = limits.lower.map((lo, i) => 0.5 * (lo + limits.upper[i]!));
          const state = started(rules, middle);
          const out = createFilterOutput(limits);
          const proposal = new Float64Array(3);
          // A swing that grows from rest: the whole of it within `share` of every limit.
          const wave = shares.map((share, i) => {
            const room = 0.5 * (limits.upper[i]! - limits.lower[i]!);
            const rate = 2 + 3 * share;
            const size = Math.min(
              0.4 * room,
              (0.3 * limits.velocity[i]!) / rate,
              (0.3 * limits.acceleration[i]!) / rate ** 2,
              (0.3 * limits.jerk[i]!) / rate ** 3,
            );
            return { rate, size: size * share };
          });
          for (let k = 1; k < 1.5 / period; k++) {
            const t = k * period;
            const grown = t < 1 ? t ** 4 * (35 - 84 * t + 70 * t * t - 20 * t ** 3) : 1;
            wave.forEach(({ rate, size }, i) => {
              proposal[i] = middle[i]! + size * grown * Math.sin(rate * t);
            });
            filterTick(rules, state, goodInput(proposal), out);
            expect(out.verdict.kind, `tick ${k}: ${verdictText(out.verdict)}, joint ${out.joint}`).toBe(
              'pass',
            );
            for (let i = 0; i < 3; i++) expect(out.position[i]).toBe(proposal[i]);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('reaches a far target without overshoot and passes it from then on', () => {
    for (const arm of ['panda', 'ur5e'] as const) {
      for (const period of [0.002, 0.01, 0.05]) {
        const limits = testLimits(arm, period);
        const rules = rulesOf(limits);
        const state = started(rules);
        const out = createFilterOutput(limits);
        const goal = Float64Array.of(0.9, -0.3, -0.0905);
        let farthest = 0;
        for (let k = 0; k < 2 / period; k++) {
          filterTick(rules, state, goodInput(goal), out);
          farthest = Math.max(farthest, out.position[0]!);
        }
        expect(verdictText(out.verdict)).toBe('pass');
        expect([...out.position]).toEqual([...goal]);
        expect(farthest - 0.9).toBeLessThan(limits.acceleration[0]! * period * period);
      }
    }
  });

  it('joins a moving proposal and then is the proposal', () => {
    const limits = testLimits('ur5e', 0.01);
    const rules = rulesOf(limits);
    const state = started(rules);
    const out = createFilterOutput(limits);
    const velocity = Float64Array.of(1.2, -0.8, 0);
    const input = { ...goodInput(start.slice()), velocity };
    const verdicts: string[] = [];
    for (let k = 1; k <= 120; k++) {
      for (let i = 0; i < 3; i++) input.proposal![i] = start[i]! + velocity[i]! * k * 0.01;
      filterTick(rules, state, input, out);
      verdicts.push(out.verdict.kind);
    }
    expect(verdicts[0]).toBe('limit');
    expect(verdicts.indexOf('pass')).toBeLessThan(60);
    expect(verdicts.slice(verdicts.indexOf('pass')).every((kind) => kind === 'pass')).toBe(true);
  });

  it('tells why it stops, first things first, and latches an emergency stop', () => {
    const limits = testLimits('ur5e', 0.01);
    const rules = rulesOf(limits);
    const state = started(rules);
    const out = createFilterOutput(limits);
    const fast = () => {
      for (let k = 0; k < 30; k++) filterTick(rules, state, goodInput(Float64Array.of(3, 3, -0.09)), out);
    };
    const told = (change: Partial<FilterInput>) => {
      filterTick(rules, state, { ...goodInput(start), ...change }, out);
      return verdictText(out.verdict);
    };
    fast();
    expect(told({ proposal: Float64Array.of(0, Number.NaN, 0), age: 9 })).toBe('stop: not_finite');
    expect(told({ proposal: Float64Array.of(0, 0) })).toBe('stop: wrong_size');
    expect(told({ names: ['b', 'a', 'c'] })).toBe('stop: wrong_names');
    expect(told({ proposal: undefined })).toBe('stop: no_proposal');
    expect(told({ invalid: 'observation_not_finite' })).toBe('stop: observation_not_finite');
    expect(told({ age: 0.1001 })).toBe('stop: stale');
    expect(told({ age: Number.NaN })).toBe('stop: stale');
    expect(told({ age: -1e-9 })).toBe('stop: stale');
    expect(told({})).toMatch(/^limit/);
    fast();
    expect(told({ emergencyStop: true })).toBe('stop: emergency_stop');
    expect(told({})).toBe('stop: emergency_stop');
    expect(resetEmergencyStop(state)).toBe(false);
    for (let k = 0; k < 200; k++) told({});
    expect(told({})).toBe('hold: emergency_stop');
    const before = out.position.slice();
    expect(resetEmergencyStop(state)).toBe(true);
    expect(told({})).toMatch(/^limit/);
    expect([...out.position]).not.toEqual([...before]);
  });

  it('decelerates, holds, and deactivates on stale data; only a start ends that', () => {
    const limits = testLimits('ur5e', 0.01);
    const rules = rulesOf(limits);
    const state = started(rules);
    const out = createFilterOutput(limits);
    for (let k = 0; k < 30; k++) filterTick(rules, state, goodInput(Float64Array.of(3, 3, -0.09)), out);
    const kinds: string[] = [];
    for (let k = 0; k < 70; k++) {
      filterTick(rules, state, { ...goodInput(start), age: 1 }, out);
      kinds.push(out.verdict.kind);
    }
    expect([...new Set(kinds)]).toEqual(['stop', 'hold', 'deactivate']);
    expect(kinds.indexOf('deactivate')).toBe(49);
    filterTick(rules, state, goodInput(start), out);
    expect(verdictText(out.verdict)).toBe('deactivate: stale');
    expect(startCommand(rules, state, out.position.slice())).toEqual({ kind: 'started' });
    filterTick(rules, state, goodInput(start), out);
    expect(out.verdict.kind).toBe('limit');
  });

  it('slows down with the speed of the operator, and stands at zero', () => {
    const limits = testLimits('panda', 0.01);
    const rules = rulesOf(limits);
    const state = started(rules);
    const out = createFilterOutput(limits);
    const run = (speed: number, ticks: number) => {
      for (let k = 0; k < ticks; k++) {
        filterTick(rules, state, { ...goodInput(Float64Array.of(2.8, 0.2, -0.09)), speed }, out);
      }
    };
    run(1, 50);
    expect(out.velocity[0]).toBeCloseTo(2.175, 3);
    run(0.25, 30);
    expect(out.velocity[0]).toBeLessThanOrEqual(0.25 * 2.175 * (1 + 1e-9));
    expect(out.velocity[0]).toBeGreaterThan(0.24 * 2.175);
    expect(verdictText(out.verdict)).toMatch(/^limit/);
    run(0, 30);
    expect(out.atRest).toBe(true);
    expect(verdictText(out.verdict)).toBe('limit: speed');
  });

  it('refuses to start where no command may be, and lets a joint leave its margin only', () => {
    const limits = testLimits('ur5e', 0.01);
    const rules = rulesOf(limits, { workspace: { ...box, lower: [0.2, -0.5, -0.05] } });
    const state = createCommandState(limits);
    const out = createFilterOutput(limits);
    filterTick(rules, state, goodInput(start), out);
    expect(verdictText(out.verdict)).toBe('deactivate: not_started');
    expect(startCommand(rules, state, Float64Array.of(0, 0))).toEqual({
      kind: 'refused',
      reason: 'wrong_size',
    });
    expect(startCommand(rules, state, Float64Array.of(0, 0, Number.NaN))).toEqual({
      kind: 'refused',
      reason: 'not_finite',
    });
    expect(startCommand(rules, state, Float64Array.of(0, 0, 0.1201))).toEqual({
      kind: 'refused',
      reason: 'position',
      joint: 2,
    });
    expect(startCommand(rules, state, Float64Array.of(3, 0, 0))).toEqual({
      kind: 'refused',
      reason: 'workspace',
    });
    const free = rulesOf(limits);
    expect(startCommand(free, state, Float64Array.of(0, 0, 0.11))).toEqual({ kind: 'started' });
    const drive = (to: number, ticks: number) => {
      let highest = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < ticks; k++) {
        filterTick(free, state, goodInput(Float64Array.of(0, 0, to)), out);
        highest = Math.max(highest, out.position[2]!);
      }
      return highest;
    };
    expect(drive(0.2, 50)).toBeLessThanOrEqual(0.11);
    drive(0.105, 50);
    expect(drive(0.2, 50)).toBeLessThanOrEqual(0.105 + 1e-9);
    drive(0, 100);
    expect(drive(0.2, 100)).toBeLessThanOrEqual(0.1 + 1e-9);
  });
});
