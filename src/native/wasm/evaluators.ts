import type { Simulation } from '#native/wasm/simulation';

/** What the WASM batch needs of layers above it, which it must not import: they hand it in. */

/** How programs are run: #expr/evaluate. */
export interface ProgramEvaluator<P extends { readonly needs: number }> {
  decode(code: Float64Array, sizes: Simulation): P;
  evaluate(program: P, view: Simulation, out: Float64Array): void;
  readonly needs: Readonly<Record<'position' | 'velocity' | 'contact' | 'contactForce' | 'sensor', number>>;
}

export interface JudgedStep {
  /** Whatever the formula says, the episode ends here. */
  readonly ends: boolean;
  /** It ends, and nothing of worth follows. */
  readonly terminates: boolean;
}

export interface Judgement {
  readonly succeeds: boolean;
  readonly fails: boolean;
  /** Of the episode where it ends, else NaN. */
  readonly robustness: number;
  readonly reward: number;
}

/** The formulas of a task: #stl/taskMonitor. */
export interface TaskMonitorTwin {
  readonly guards: number;
  readonly hasSpecification: boolean;
  readonly words: Float64Array;
  readonly reading: { readonly lower: number; readonly upper: number };
  /** An episode begins; its first sample follows, and then enter(). */
  begin(i: number): void;
  enter(i: number): void;
  /** Takes in one sample. @returns what is wrong with it */
  take(i: number, predicates: Float64Array, outFeatures: Float32Array): string | undefined;
  violated(i: number, g: number): boolean;
  /** Whether a guard that terminates is violated. */
  mustStop(i: number): boolean;
  judge(i: number, step: JudgedStep): Judgement;
}
