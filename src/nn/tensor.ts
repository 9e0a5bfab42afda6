import { VernierError } from '#core/errors';
import { type Shape, sizeOf } from '#nn/shape';

/** The symbolic graph's nodes. A Tensor holds no numbers: an operation, its inputs, a static shape, and how
 * a gradient flows back through it. Passes and exporters read `op`, `inputs` and `attributes`. */

/** What a parameter node needs of the block it lives in. */
export interface ParameterStore {
  readonly name: string;
  /** Reading it fixes the layout. @shape [members, memberStride] */
  readonly values: Float32Array;
  readonly members: number;
  readonly memberStride: number;
  /** Where a tensor starts within a member's stretch. */
  offsetOf(name: string): number;
}

type None = Readonly<Record<string, never>>;

export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'square'
  | 'sqrt'
  | 'rsqrt'
  | 'exp'
  | 'log'
  | 'softplus'
  | 'tanh'
  | 'relu'
  | 'sigmoid'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'sign';
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'minimum'
  | 'maximum'
  | 'less'
  | 'lessEqual'
  | 'equal'
  | 'reluGradient';
export type ReduceOp = 'sum' | 'max' | 'min';

/** Every operation with its attributes. */
export type OpAttributes = Readonly<Record<UnaryOp | BinaryOp, None>> &
  Readonly<Record<ReduceOp, { readonly axes: readonly number[]; readonly keepDims: boolean }>> & {
    readonly input: { readonly name: string };
    readonly parameter: { readonly block: ParameterStore; readonly name: string };
    readonly constant: { readonly values: Float64Array };
    readonly where: None;
    readonly clamp: { readonly low: number; readonly high: number };
    readonly cast: None;
    readonly stopGradient: None;
    readonly broadcast: None;
    readonly reshape: None;
    readonly transpose: { readonly axes: readonly number[] };
    readonly slice: { readonly axis: number; readonly from: number; readonly to: number };
    readonly concat: { readonly axis: number };
    readonly takeMembers: None;
    readonly matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
    readonly normalize: { readonly epsilon: number };
    readonly inverseDeviation: { readonly epsilon: number };
    readonly normalizeGradient: None;
    readonly softmax: None;
    readonly logSoftmax: None;
  };
export type OpName = keyof OpAttributes;
export type DType = 'f32' | 'i32';

/** Gradients for the inputs, in order; undefined where none flows. */
export type Pullback = (gradient: Tensor, node: Tensor) => readonly (Tensor | undefined)[];

export class Tensor<O extends OpName = OpName> {
  readonly op: O;
  readonly inputs: readonly Tensor[];
  readonly shape: Shape;
  readonly attributes: OpAttributes[O];
  readonly dtype: DType;
  /** Absent on leaves and where a derivative is zero everywhere. */
  readonly pullback: Pullback | undefined;

  constructor(
    op: O,
    inputs: readonly Tensor[],
    shape: Shape,
    attributes: OpAttributes[O],
    pullback?: Pullback,
    dtype: DType = 'f32',
  ) {
    this.op = op;
    this.inputs = inputs;
    this.shape = shape;
    this.attributes = attributes;
    this.pullback = pullback;
    this.dtype = dtype;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  is<P extends OpName>(op: P): this is Tensor<P> {
    return (this.op as OpName) === op;
  }
}

/** A number where a tensor is expected is a scalar constant. */
export type Operand = Tensor | number;

/** A buffer the caller fills before each run. */
export function input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor<'input'> {
  if (shape.some((n) => !Number.isInteger(n) || n < 1)) {
    throw new VernierError('SHAPE', `input ${name}: [${shape}] is not a static shape of positive integers`);
  }
  return new Tensor('input', [], [...shape], { name }, undefined, dtype);
}

export function constant(values: number | ArrayLike<number>, shape?: Shape): Tensor<'constant'> {
  const array = typeof values === 'number' ? Float64Array.of(values) : Float64Array.from(values);
  const target = shape ?? (typeof values === 'number' ? [] : [array.length]);
  if (array.length !== sizeOf(target)) {
    throw new VernierError('SHAPE', `constant: ${array.length} values for shape [${target}]`);
  }
  return new Tensor('constant', [], [...target], { values: array });
}

export function asTensor(value: Operand): Tensor {
  return typeof value === 'number' ? constant(value) : value;
}

/** The value of a constant of one element, else undefined. */
export function scalarValue(t: Tensor): number | undefined {
  return t.is('constant') && t.size === 1 ? t.attributes.values[0] : undefined;
}
