import { nearestName, VernierError } from '#core/errors';
import { topologicalOrder } from '#nn/autodiff';
import type { Update } from '#nn/optimizer';
import { sameShape } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** What a program computes and changes. Every tensor of a stage sees the parameters as the stage found them;
 * then its updates are done in order; then the next stage begins. */
export interface Stage {
  readonly outputs?: Readonly<Record<string, Tensor>>;
  readonly updates?: readonly Update[];
}

export interface ProgramDescription {
  readonly name: string;
  readonly stages: readonly Stage[];
}

export type InputBuffer = Float32Array | Float64Array | Int32Array;
export type OutputBuffer = Float32Array | Float64Array;
export type Backend = 'native' | 'reference';

/** A compiled graph. The caller writes `inputs`, runs, reads `outputs`; the arrays stay the same for its life. */
export interface Program {
  readonly name: string;
  readonly backend: Backend;
  readonly inputs: Readonly<Record<string, InputBuffer>>;
  readonly outputs: Readonly<Record<string, OutputBuffer>>;
  /** @throws NUMERIC if an output or a gradient is not finite (then the block it belongs to is left as it was)
   * @throws STATE if closed or busy */
  run(): void;
  /** The same off the JavaScript thread; leave inputs, outputs and parameters alone until it settles. */
  runAsync(): Promise<void>;
  readonly busy: boolean;
  close(): void;
}

/** The tensors a stage must evaluate. */
export function stageRoots(stage: Stage): Tensor[] {
  const updates = (stage.updates ?? []).flatMap((u) =>
    u.kind === 'adamW' ? [...u.gradients, u.learningRate] : [u.tau],
  );
  return [...Object.values(stage.outputs ?? {}), ...updates];
}

/** Every input of the program by name. @throws SHAPE if one name stands for two shapes */
export function collectInputs(description: ProgramDescription): Map<string, Tensor<'input'>> {
  const inputs = new Map<string, Tensor<'input'>>();
  for (const node of topologicalOrder(description.stages.flatMap(stageRoots))) {
    if (!node.is('input')) continue;
    const { name } = node.attributes;
    const known = inputs.get(name);
    if (known && !(sameShape(known.shape, node.shape) && known.dtype === node.dtype)) {
      throw new VernierError(
        'SHAPE',
        `program ${description.name}: input ${name} is both [${known.shape}] ${known.dtype} and [${node.shape}] ${node.dtype}`,
      );
    }
    if (!known) inputs.set(name, node);
  }
  return inputs;
}

/** Every output of the program by name. @throws SHAPE if two stages name the same one */
export function collectOutputs(description: ProgramDescription): Map<string, Tensor> {
  const outputs = new Map<string, Tensor>();
  for (const [name, tensor] of description.stages.flatMap((s) => Object.entries(s.outputs ?? {}))) {
    if (outputs.has(name))
      throw new VernierError('SHAPE', `program ${description.name}: two outputs named ${name}`);
    outputs.set(name, tensor);
  }
  return outputs;
}

/** A float input's buffer by name. @throws SHAPE naming the nearest one */
export function inputOf(program: Program, name: string): Float32Array {
  return named(program, 'input', program.inputs, name) as Float32Array;
}

export function indexInputOf(program: Program, name: string): Int32Array {
  return named(program, 'input', program.inputs, name) as Int32Array;
}

export function outputOf(program: Program, name: string): Float32Array {
  return named(program, 'output', program.outputs, name) as Float32Array;
}

function named<T>(program: Program, what: string, record: Readonly<Record<string, T>>, name: string): T {
  const buffer = record[name];
  if (buffer) return buffer;
  const near = nearestName(name, Object.keys(record));
  throw new VernierError('SHAPE', `program ${program.name} has no ${what} ${name}`, {
    hint: near ? `${near}?` : `it has ${Object.keys(record).join(', ')}`,
  });
}

export function notFinite(program: string, what: string, value: number): VernierError {
  return new VernierError('NUMERIC', `program ${program}: ${what} is ${value}`, {
    hint: 'look for a NaN in the inputs, a division by 0, or too large a learning rate',
  });
}
