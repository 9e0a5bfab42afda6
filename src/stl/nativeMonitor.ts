import { type ErrorCode, VernierError } from '#core/errors';
import { addonStatus, requireAddon } from '#native/addon';
import type { MonitorProgram } from '#stl/monitorProgram';

/** Monitors of the addon: one formula over a batch of traces. native/binding/stl.cc has the other side. */

interface NativeStlMonitor {
  bind(
    samples: Float64Array,
    value: Float64Array | null,
    lower: Float64Array | null,
    upper: Float64Array | null,
    verdict: Int8Array | null,
  ): void;
  feed(): void;
  reset(trace: number): void;
  finish(out: Float64Array): void;
  close(): void;
}

interface MonitorAddon {
  readonly StlMonitor: new (code: Float64Array, traces: number, threads: number) => NativeStlMonitor;
}

/** What a feed writes: only the arrays given. @shape all [T,B] */
export interface ReadingBuffers {
  /** Robustness at the sample `program.delay` before; NaN until there is one. */
  readonly value?: Float64Array;
  /** Robust interval of the first sample. */
  readonly lower?: Float64Array;
  readonly upper?: Float64Array;
  /** Whether the formula holds at the first sample: 1, 0, or -1 while open. */
  readonly verdict?: Int8Array;
}

export function hasNativeMonitor(): boolean {
  return addonStatus().addon?.['StlMonitor'] !== undefined;
}

/** What the addon reads and writes. */
interface Bound {
  readonly samples: Float64Array | undefined;
  readonly value: Float64Array | undefined;
  readonly lower: Float64Array | undefined;
  readonly upper: Float64Array | undefined;
  readonly verdict: Int8Array | undefined;
  /** Of all together: an array that lost its buffer has length 0. */
  readonly length: number;
}

const unbound: Bound = {
  samples: undefined,
  value: undefined,
  lower: undefined,
  upper: undefined,
  verdict: undefined,
  length: 0,
};

function lengthOf(
  samples: Float64Array,
  value: Float64Array | undefined,
  lower: Float64Array | undefined,
  upper: Float64Array | undefined,
  verdict: Int8Array | undefined,
): number {
  const readings =
    (value?.length ?? 0) + (lower?.length ?? 0) + (upper?.length ?? 0) + (verdict?.length ?? 0);
  return samples.length + readings;
}

export class NativeMonitor {
  readonly program: MonitorProgram;
  /** B. */
  readonly traces: number;
  readonly #native: NativeStlMonitor;
  #bound: Bound = unbound;

  /** @throws BACKEND without the addon; PLAN when the program is malformed */
  constructor(program: MonitorProgram, traces: number, threads = 1) {
    this.program = program;
    this.traces = traces;
    this.#native = coded(
      () => new (requireAddon() as unknown as MonitorAddon).StlMonitor(program.code, traces, threads),
    );
  }

  /** Takes in T samples of every trace: the robustness of each predicate. Arrays that are the same as at the last call
   * are bound already, which is what makes one sample a call cheap.
   * @shape samples [T,B,P]
   * @throws SHAPE; NUMERIC at a NaN, before anything is taken in; STATE when closed */
  feed(samples: Float64Array, out: ReadingBuffers = {}): void {
    try {
      if (!this.#isBound(samples, out)) this.#bind(samples, out);
      this.#native.feed();
    } catch (error) {
      throw asCoded(error);
    }
  }

  #isBound(samples: Float64Array, { value, lower, upper, verdict }: ReadingBuffers): boolean {
    const bound = this.#bound;
    return (
      samples === bound.samples &&
      value === bound.value &&
      lower === bound.lower &&
      upper === bound.upper &&
      verdict === bound.verdict &&
      lengthOf(samples, value, lower, upper, verdict) === bound.length
    );
  }

  #bind(samples: Float64Array, { value, lower, upper, verdict }: ReadingBuffers): void {
    this.#bound = unbound;
    this.#native.bind(samples, value ?? null, lower ?? null, upper ?? null, verdict ?? null);
    const length = lengthOf(samples, value, lower, upper, verdict);
    this.#bound = { samples, value, lower, upper, verdict, length };
  }

  /** A trace starts again. */
  reset(trace: number): void {
    coded(() => this.#native.reset(trace));
  }

  /** The robustness at the first sample when no sample follows, by the program's `end`; NaN where that leaves it open.
   * @shape out [B] */
  finish(out: Float64Array): void {
    coded(() => this.#native.finish(out));
  }

  close(): void {
    this.#native.close();
  }
}

function coded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asCoded(error);
  }
}

function asCoded(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (!(error instanceof Error) || typeof code !== 'string' || code === 'NATIVE') return error;
  return new VernierError(code as ErrorCode, error.message, { cause: error });
}
