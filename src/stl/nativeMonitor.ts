import { type ErrorCode, VernierError } from '#core/errors';
import { addonStatus, requireAddon } from '#native/addon';
import type { MonitorProgram } from '#stl/monitorProgram';

/** Monitors of the addon: one formula over a batch of traces. native/binding/stl.cc has the other side. */

interface NativeStlMonitor {
  feed(
    samples: Float64Array,
    value: Float64Array | null,
    lower: Float64Array | null,
    upper: Float64Array | null,
    verdict: Int8Array | null,
  ): void;
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

export class NativeMonitor {
  readonly program: MonitorProgram;
  /** B. */
  readonly traces: number;
  readonly #native: NativeStlMonitor;

  /** @throws BACKEND without the addon; PLAN when the program is malformed */
  constructor(program: MonitorProgram, traces: number, threads = 1) {
    this.program = program;
    this.traces = traces;
    this.#native = coded(
      () => new (requireAddon() as unknown as MonitorAddon).StlMonitor(program.code, traces, threads),
    );
  }

  /** Takes in T samples of every trace: the robustness of each predicate.
   * @shape samples [T,B,P]
   * @throws SHAPE; NUMERIC at a NaN, before anything is taken in; STATE when closed */
  feed(samples: Float64Array, out: ReadingBuffers = {}): void {
    const { value = null, lower = null, upper = null, verdict = null } = out;
    coded(() => this.#native.feed(samples, value, lower, upper, verdict));
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
    const code = (error as { code?: unknown }).code;
    if (!(error instanceof Error) || typeof code !== 'string' || code === 'NATIVE') throw error;
    throw new VernierError(code as ErrorCode, error.message, { cause: error });
  }
}
