import { VernierError } from '#core/errors';
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
  readonly threads?: number;
  /** float64 needs the reference backend. */
  readonly precision?: Precision;
}

export function compile(spec: ProgramSpec, options: CompileOptions = {}): Program {
  const stages = 'stages' in spec ? spec.stages : [spec];
  const description = { name: spec.name, stages };
  const precision = options.precision ?? 'float32';
  const backend = options.backend ?? 'reference';
  if (backend === 'native') throw new VernierError('BACKEND', 'the native executor is not available');
  return compileReference(description, precision);
}
