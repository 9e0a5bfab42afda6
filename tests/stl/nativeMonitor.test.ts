import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import { compileMonitor, type MonitorOptions } from '#stl/compileMonitor';
import { Monitor, newReading } from '#stl/monitor';
import type { MonitorProgram } from '#stl/monitorProgram';
import { hasNativeMonitor, NativeMonitor } from '#stl/nativeMonitor';
import { parseFormula } from '#stl/parse';
import { formulas, signalSets } from './arbitrary.js';

const untils = fc.constantFrom<MonitorOptions['until'][]>('halfopen', 'closed');
const ends = fc.constantFrom<MonitorOptions['end'][]>('vacuous', 'pessimistic', 'undefined');

/** [T,B,P] from one set of signals per trace. */
function interleave(traces: readonly (readonly Float64Array[])[]): Float64Array {
  const length = traces[0]![0]!.length;
  const out: number[] = [];
  for (let t = 0; t < length; t++) {
    for (const trace of traces) for (const signal of trace) out.push(signal[t]!);
  }
  return Float64Array.from(out);
}

interface Results {
  readonly value: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly verdict: Int8Array;
  readonly finish: Float64Array;
}

function feed(monitor: NativeMonitor, samples: Float64Array): Results {
  const count = samples.length / monitor.program.predicates;
  const out: Results = {
    value: new Float64Array(count),
    lower: new Float64Array(count),
    upper: new Float64Array(count),
    verdict: new Int8Array(count),
    finish: new Float64Array(monitor.traces),
  };
  monitor.feed(samples, out);
  monitor.finish(out.finish);
  return out;
}

function runTwin(program: MonitorProgram, traces: readonly (readonly Float64Array[])[]): Results {
  const length = traces[0]![0]!.length;
  const B = traces.length;
  const out: Results = {
    value: new Float64Array(length * B),
    lower: new Float64Array(length * B),
    upper: new Float64Array(length * B),
    verdict: new Int8Array(length * B),
    finish: new Float64Array(B),
  };
  const monitor = new Monitor(program.code);
  for (const [i, trace] of traces.entries()) {
    const state = monitor.newState();
    const reading = newReading();
    for (let t = 0; t < length; t++) {
      monitor.step(
        trace.map((signal) => signal[t]!),
        state,
        reading,
      );
      out.value[t * B + i] = reading.value;
      out.lower[t * B + i] = reading.lower;
      out.upper[t * B + i] = reading.upper;
      out.verdict[t * B + i] = reading.verdict;
    }
    out.finish[i] = monitor.finish(reading, state).robustness;
  }
  return out;
}

describe.skipIf(!hasNativeMonitor())('native monitors', () => {
  it('do as their twin, to the bit, on 1 and 2 threads', () => {
    fc.assert(
      fc.property(formulas(), signalSets(6, 1, 16), untils, ends, (formula, signals, until, end) => {
        const traces = [signals.slice(0, 2), signals.slice(2, 4), signals.slice(4, 6)];
        const program = compileMonitor(formula, 2, { until, end, samples: signals[0]!.length });
        const expected = runTwin(program, traces);
        for (const threads of [1, 2]) {
          const monitor = new NativeMonitor(program, 3, threads);
          expect(feed(monitor, interleave(traces))).toEqual(expected);
          monitor.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('start again one trace at a time', () => {
    const { formula } = parseFormula('G[0,6](x > 0 -> F[0,2] y > 0) and (x < 3 since y > 1)');
    const program = compileMonitor(formula, 4);
    const monitor = new NativeMonitor(program, 2);
    const samples = Float64Array.from({ length: 5 * 2 * 4 }, (_, i) => Math.sin(i * 1.7) * 4);
    const fresh = feed(monitor, samples);
    monitor.reset(1);
    const again = feed(monitor, samples);
    const second = (_: number, i: number): boolean => i % 2 === 1;
    expect(again.lower.filter(second)).toEqual(fresh.lower.filter(second));
    expect(again.upper.filter(second)).toEqual(fresh.upper.filter(second));
    expect(again.value.filter((_, i) => i % 2 === 0)).not.toEqual(fresh.value.filter((_, i) => i % 2 === 0));
  });

  it('read and write the arrays of each call, the same or others', () => {
    const { formula } = parseFormula('G[0,3](x > 0 -> F[0,2] y > 0)');
    const program = compileMonitor(formula, 2);
    const samples = Float64Array.from({ length: 30 * 2 }, (_, i) => Math.sin(i * 1.3));
    const whole = new NativeMonitor(program, 1);
    const expected = feed(whole, samples);
    const monitor = new NativeMonitor(program, 1);
    const [input, first, second] = [new Float64Array(2), new Float64Array(1), new Float64Array(1)];
    const value: number[] = [];
    for (let t = 0; t < 30; t++) {
      const out = t % 3 === 2 ? second : first;
      const own = t % 5 === 4 ? samples.slice(2 * t, 2 * t + 2) : input;
      input.set(samples.subarray(2 * t, 2 * t + 2));
      monitor.feed(own, t % 7 === 6 ? { value: out, lower: new Float64Array(1) } : { value: out });
      value.push(out[0]!);
    }
    expect(value).toEqual([...expected.value]);
    structuredClone(input.buffer, { transfer: [input.buffer] });
    expect(() => monitor.feed(input, { value: first })).toThrow(/value: expected one entry/);
  });

  it('refuse samples that do not fit', () => {
    const program = compileMonitor(parseFormula('G[0,2] x > 0').formula, 1);
    const monitor = new NativeMonitor(program, 2);
    expect(() => monitor.feed(new Float64Array(3))).toThrow(/whole samples/);
    expect(() => monitor.feed(Float64Array.of(1, 2, 3, Number.NaN))).toThrow(/trace 1.*sample 1 is NaN/);
    expect(() => monitor.feed(new Float64Array(2), { lower: new Float64Array(3) })).toThrow(/lower/);
    expect(() => monitor.reset(2)).toThrow(/no such trace/);
    monitor.close();
    expect(() => monitor.feed(new Float64Array(2))).toThrow(/closed/);
  });

  it('refuse a program that was tampered with, or run it within bounds', () => {
    const text =
      'G[0,4](x > 0 -> F[0,3] y > 0) or G[0,3](x > 2 -> (y > 1 until[1,2] x > 1)) or ((x > 1) U[1,3] (y > 1) and once[1,2] x > 0)';
    const { formula, predicates } = parseFormula(text);
    const program = compileMonitor(formula, predicates.length);
    const values = [-1, 0, 0.5, 3, 255, 1e9, Number.NaN, Number.POSITIVE_INFINITY];
    const samples = Float64Array.from({ length: 40 * predicates.length }, (_, i) => Math.cos(i));
    let refused = 0;
    for (let at = 0; at < program.code.length; at++) {
      for (const value of values) {
        const code = program.code.slice();
        code[at] = value;
        try {
          const monitor = new NativeMonitor({ ...program, code }, 1);
          monitor.feed(samples.subarray(0, monitor.program.predicates * 40));
          monitor.finish(new Float64Array(1));
          monitor.close();
        } catch (error) {
          expect(error).toBeInstanceOf(VernierError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(program.code.length);
    for (const length of [0, 5, 16, program.code.length - 1]) {
      const code = program.code.slice(0, length);
      expect(() => new NativeMonitor({ ...program, code }, 1)).toThrow(/malformed/);
    }
  });
});
