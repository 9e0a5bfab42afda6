import { availableParallelism } from 'node:os';
import { VernierError } from '#core/errors';
import { compileNative, hasNativeEngine } from '#nn/native';
import type { Backend, Program, Stage } from '#nn/program';
import { compileReference, type Precision } from '#nn/reference';

/** From a graph to something that runs. */

export type { Backend, Program, Stage } from '#nn/program';
export { indexInputOf, inputOf, outputOf } from '#nn/program';

/** One stage written flat, or several: each stage sees the parameters its predecessors left. */
export type ProgramSpec = { readonly name: string } & (Stage | { readonly stages: readonly Stage[] });

export interface CompileOptions {
  /** Default: native where the addon is built, else reference; `program.backend` says which. */
  readonly backend?: Backend;
  /** Threads of the native backend, all cores by default. Results do not depend on it. */
  readonly threads?: number;
  /** float64 needs the reference backend. */
  readonly precision?: Precision;
}

export function compile(spec: ProgramSpec, options: CompileOptions = {}): Program {
  const description = { name: spec.name, stages: 'stages' in spec ? spec.stages : [spec] };
  const precision = options.precision ?? 'float32';
  const backend = options.backend ?? (hasNativeEngine() && precision === 'float32' ? 'native' : 'reference');
  if (backend === 'reference') return compileReference(description, precision);
  if (precision === 'float64') {
    throw new VernierError('USAGE', `program ${spec.name}: float64 is for the reference backend only`);
  }
  return compileNative(description, options.threads ?? availableParallelism());
}
