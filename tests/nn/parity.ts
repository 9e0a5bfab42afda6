import type { PhiloxStream } from '#core/philox';
import type { InputBuffer, OutputBuffer } from '#nn/program';

/** Draws every float input uniformly from a range; index inputs get 0, 1, 2, ... of three. */
export function fill(
  inputs: Readonly<Record<string, InputBuffer>>,
  rng: PhiloxStream,
  [low, high]: readonly [number, number],
): void {
  for (const values of Object.values(inputs)) {
    for (let i = 0; i < values.length; i++) {
      values[i] =
        values instanceof Int32Array ? (2 * i) % 3 : Math.fround(low + (high - low) * rng.uniform());
    }
  }
}

/** The largest difference between two sets of outputs, relative to each output's largest entry (at least 1). */
export function worst(
  actual: Readonly<Record<string, OutputBuffer>>,
  expected: Readonly<Record<string, OutputBuffer>>,
): number {
  let most = 0;
  for (const [name, values] of Object.entries(expected)) {
    let scale = 1;
    for (const v of values) scale = Math.max(scale, Math.abs(v));
    values.forEach((v, i) => {
      const difference = Math.abs(actual[name]![i]! - v) / scale;
      if (!(difference <= most)) most = difference;
    });
  }
  return most;
}
