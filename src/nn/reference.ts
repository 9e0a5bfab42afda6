import { VernierError } from '#core/errors';
import { topologicalOrder } from '#nn/autodiff';
import type { AdamW, Polyak } from '#nn/optimizer';
import type { ParameterBlock } from '#nn/parameters';
import {
  collectInputs,
  collectOutputs,
  type InputBuffer,
  notFinite,
  type OutputBuffer,
  type Program,
  type ProgramDescription,
  stageRoots,
} from '#nn/program';
import { type Kernel, kernelOf, type Values } from '#nn/referenceKernels';
import { sizeOf } from '#nn/shape';
import type { Tensor } from '#nn/tensor';

/** The graph interpreted in TypeScript: the engine where there is no compiler, and, in float64, the oracle the
 * native executor and every gradient are held against. */

export type Precision = 'float32' | 'float64';

class ReferenceProgram implements Program {
  readonly backend = 'reference';
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputBuffer>>;
  readonly outputs: Readonly<Record<string, OutputBuffer>>;
  readonly #steps: readonly Kernel[];
  #closed = false;
  #busy = false;

  constructor(
    name: string,
    inputs: Readonly<Record<string, InputBuffer>>,
    outputs: Readonly<Record<string, OutputBuffer>>,
    steps: readonly Kernel[],
  ) {
    this.name = name;
    this.inputs = inputs;
    this.outputs = outputs;
    this.#steps = steps;
  }

  get busy(): boolean {
    return this.#busy;
  }

  run(): void {
    if (this.#closed) throw new VernierError('STATE', `program ${this.name} is closed`);
    if (this.#busy) throw new VernierError('STATE', `program ${this.name} is busy with runAsync`);
    for (const step of this.#steps) step();
    for (const [output, values] of Object.entries(this.outputs))
      checkFinite(this.name, `output ${output}`, values);
  }

  async runAsync(): Promise<void> {
    if (this.#busy) throw new VernierError('STATE', `program ${this.name} is busy with runAsync`);
    if (this.#closed) throw new VernierError('STATE', `program ${this.name} is closed`);
    this.#busy = true;
    await Promise.resolve();
    this.#busy = false;
    this.run();
  }

  close(): void {
    this.#closed = true;
  }
}

export function compileReference(description: ProgramDescription, precision: Precision): Program {
  const floats = (size: number): OutputBuffer =>
    precision === 'float64' ? new Float64Array(size) : new Float32Array(size);
  const inputs = new Map<string, InputBuffer>();
  for (const [name, node] of collectInputs(description)) {
    inputs.set(name, node.dtype === 'i32' ? new Int32Array(node.size) : floats(node.size));
  }
  const outputs = new Map<string, OutputBuffer>();
  for (const [name, node] of collectOutputs(description)) outputs.set(name, floats(node.size));
  const steps: Kernel[] = [];
  for (const stage of description.stages) {
    const values = new Map<Tensor, Values>();
    for (const node of topologicalOrder(stageRoots(stage))) {
      const { buffer, kernel } = place(node, values, inputs, floats);
      values.set(node, buffer);
      if (kernel) steps.push(kernel);
    }
    for (const [name, node] of Object.entries(stage.outputs ?? {})) {
      steps.push(() => outputs.get(name)!.set(values.get(node)!));
    }
    for (const update of stage.updates ?? []) {
      steps.push(
        update.kind === 'adamW'
          ? adamWKernel(description.name, update, values)
          : polyakKernel(update, values),
      );
    }
  }
  return new ReferenceProgram(
    description.name,
    Object.fromEntries(inputs),
    Object.fromEntries(outputs),
    steps,
  );
}

function place(
  node: Tensor,
  values: ReadonlyMap<Tensor, Values>,
  inputs: ReadonlyMap<string, InputBuffer>,
  floats: (size: number) => OutputBuffer,
): { readonly buffer: Values; readonly kernel?: Kernel } {
  if (node.is('input')) return { buffer: inputs.get(node.attributes.name)! };
  const buffer = floats(node.size);
  if (node.is('constant')) {
    buffer.set(node.attributes.values);
    return { buffer };
  }
  if (node.is('parameter')) return { buffer, kernel: parameterKernel(node, buffer) };
  const operands = node.inputs.map((i) => values.get(i)!);
  const kernel = kernelOf(node, operands, buffer);
  if (!node.is('takeMembers')) return { buffer, kernel };
  const checked = (): void => {
    checkIndex(operands[1]!, node.inputs[0]!.shape[0]!);
    kernel();
  };
  return { buffer, kernel: checked };
}

function checkIndex(index: Values, limit: number): void {
  for (const i of index) {
    if (!(i >= 0 && i < limit))
      throw new VernierError('SHAPE', `takeMembers: index ${i} is outside 0..${limit - 1}`);
  }
}

function parameterKernel(node: Tensor<'parameter'>, out: Values): Kernel {
  const { block, name } = node.attributes;
  const [offset, size] = [block.offsetOf(name), node.size / block.members];
  return () => {
    for (let e = 0; e < block.members; e++) {
      const start = e * block.memberStride + offset;
      out.set(block.values.subarray(start, start + size), e * size);
    }
  };
}

/** Lays one gradient per tensor out as the block lies, member after member. */
function flatGradient(block: ParameterBlock, gradients: readonly Values[], out: Float64Array): void {
  block.tensors.forEach((tensor, k) => {
    const size = sizeOf(tensor.shape) / block.members;
    for (let e = 0; e < block.members; e++) {
      const at = e * block.memberStride + block.offsetOf(block.names[k]!);
      out.set(gradients[k]!.subarray(e * size, (e + 1) * size), at);
    }
  });
}

function adamWKernel(program: string, update: AdamW, values: ReadonlyMap<Tensor, Values>): Kernel {
  const { block, beta1, beta2, epsilon, weightDecay, clipNorm } = update;
  const flat = new Float64Array(block.values.length);
  const { first, second, step } = block.optimizer;
  const gradients = update.gradients.map((g) => values.get(g)!);
  const rate = values.get(update.learningRate)!;
  const groups = update.clipBy === 'member' ? block.members : 1;
  const length = flat.length / groups;
  return () => {
    flatGradient(block, gradients, flat);
    const norms = Array.from({ length: groups }, (_, i) =>
      Math.sqrt(flat.subarray(i * length, (i + 1) * length).reduce((total, g) => total + g * g, 0)),
    );
    const bad = norms.find((norm) => !Number.isFinite(norm));
    if (bad !== undefined) throw notFinite(program, `the gradient norm of ${block.name}`, bad);
    const t = step[0]! + 1;
    step[0] = t;
    const stepSize = rate[0]! / (1 - beta1 ** t);
    const secondScale = 1 / Math.sqrt(1 - beta2 ** t);
    const p = block.values;
    for (let i = 0; i < p.length; i++) {
      const norm = norms[Math.floor(i / length)]!;
      const g = flat[i]! * Math.min(1, clipNorm / (norm + 1e-6));
      const m = first[i]! + (1 - beta1) * (g - first[i]!);
      const v = beta2 * second[i]! + (1 - beta2) * g * g;
      first[i] = m;
      second[i] = v;
      p[i] = p[i]! * (1 - rate[0]! * weightDecay) - (stepSize * m) / (Math.sqrt(v) * secondScale + epsilon);
    }
  };
}

function polyakKernel({ target, source, tau }: Polyak, values: ReadonlyMap<Tensor, Values>): Kernel {
  const [out, from, rate]: [Float32Array, Float32Array, Values] = [
    target.values,
    source.values,
    values.get(tau)!,
  ];
  return () => {
    for (let i = 0; i < out.length; i++) out[i]! += rate[0]! * (from[i]! - out[i]!);
  };
}

function checkFinite(program: string, what: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) throw notFinite(program, `${what}[${i}]`, values[i]!);
  }
}
