import { compileMonitor, type MonitorOptions } from '#stl/compileMonitor';
import { horizon } from '#stl/formula';
import { Monitor, newReading } from '#stl/monitor';
import type { MonitorProgram } from '#stl/monitorProgram';
import { NativeMonitor } from '#stl/nativeMonitor';
import { parseFormula } from '#stl/parse';

/** Our monitors over one signal, timed. Computing the predicates from x is in every figure, as rtamt does it too. */

const PASSES = 60;
const CHUNK = 1000;

export interface Compiled {
  readonly program: MonitorProgram;
  /** Samples after which the value at the first one is known; a few hundred where one sample is enough. */
  readonly episode: number;
  /** Writes the robustness of each predicate. @shape x [T]; out [T,P] */
  readonly fill: (x: Float64Array, out: Float64Array) => void;
}

/** Every predicate is x < c or x > c. */
export function compile(text: string, options: Partial<MonitorOptions>): Compiled {
  const { formula, predicates } = parseFormula(text);
  const terms = predicates.map(({ text: written }) => {
    const [, operator, c] = /^x (<|>) (.*)$/.exec(written)!;
    return operator === '>' ? { sign: 1, offset: -Number(c) } : { sign: -1, offset: Number(c) };
  });
  return {
    program: compileMonitor(formula, predicates.length, options),
    episode: Math.max(200, horizon(formula) + 1),
    fill: (x, out) => {
      for (let t = 0; t < x.length; t++) {
        for (let p = 0; p < terms.length; p++) {
          const { sign, offset } = terms[p]!;
          out[t * terms.length + p] = sign * x[t]! + offset;
        }
      }
    },
  };
}

/** Microseconds per sample of the best pass. A pass is the whole signal, since the work of a window comes in bursts, one
 * per width, that a shorter stretch could miss. */
function best(samples: number, pass: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < PASSES; i++) {
    const start = performance.now();
    pass();
    least = Math.min(least, ((performance.now() - start) * 1000) / samples);
  }
  return least;
}

/** A thousand samples a call. @shape signal, outValues [T] */
export function feedChunks(
  { program, fill }: Compiled,
  signal: Float64Array,
  outValues: Float64Array,
): number {
  const monitor = new NativeMonitor(program, 1);
  const inputs = new Float64Array(CHUNK * program.predicates);
  const result = best(signal.length, () => {
    monitor.reset(0);
    for (let t = 0; t < signal.length; t += CHUNK) {
      fill(signal.subarray(t, t + CHUNK), inputs);
      monitor.feed(inputs, { value: outValues.subarray(t, t + CHUNK) });
    }
  });
  monitor.close();
  return result;
}

/** One sample a call, as a control loop does. */
export function feedSingly({ program, fill }: Compiled, signal: Float64Array): number {
  const monitor = new NativeMonitor(program, 1);
  const input = new Float64Array(program.predicates);
  const x = new Float64Array(1);
  const out = { value: new Float64Array(1) };
  const result = best(signal.length, () => {
    for (let t = 0; t < signal.length; t++) {
      x[0] = signal[t]!;
      fill(x, input);
      monitor.feed(input, out);
    }
  });
  monitor.close();
  return result;
}

/** One sample a call, in TypeScript. */
export function feedTwin({ program, fill }: Compiled, signal: Float64Array): number {
  const monitor = new Monitor(program.code);
  const state = monitor.newState();
  const input = new Float64Array(program.predicates);
  const x = new Float64Array(1);
  const reading = newReading();
  return best(signal.length, () => {
    for (let t = 0; t < signal.length; t++) {
      x[0] = signal[t]!;
      fill(x, input);
      monitor.step(input, state, reading);
    }
  });
}

/** The robust interval at the first sample, over and over in episodes of the formula's own length. */
export function feedEpisodes({ program, fill }: Compiled, signal: Float64Array, episode: number): number {
  const monitor = new NativeMonitor(program, 1);
  const inputs = new Float64Array(episode * program.predicates);
  const [lower, upper] = [new Float64Array(episode), new Float64Array(episode)];
  const whole = signal.length - (signal.length % episode);
  const result = best(whole, () => {
    for (let from = 0; from < whole; from += episode) {
      fill(signal.subarray(from, from + episode), inputs);
      monitor.reset(0);
      monitor.feed(inputs, { lower, upper });
    }
  });
  monitor.close();
  return result;
}
