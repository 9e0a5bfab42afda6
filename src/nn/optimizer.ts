import { VernierError } from '#core/errors';
import { grad } from '#nn/autodiff';
import type { ParameterBlock } from '#nn/parameters';
import { sameShape } from '#nn/shape';
import { asTensor, type Operand, scalarValue, type Tensor } from '#nn/tensor';

/** Descriptions of what a program does to parameter blocks after its graph has been evaluated. */

export interface AdamW {
  readonly kind: 'adamW';
  readonly block: ParameterBlock;
  /** One per tensor of the block, in its order. */
  readonly gradients: readonly Tensor[];
  readonly learningRate: Tensor;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Gradients are scaled down to this global norm; Infinity leaves them alone. */
  readonly clipNorm: number;
  /** The norm is taken over the whole block, or over each ensemble member by itself. */
  readonly clipBy: 'block' | 'member';
}

export interface Polyak {
  readonly kind: 'polyak';
  readonly target: ParameterBlock;
  readonly source: ParameterBlock;
  readonly tau: Tensor;
}

export type Update = AdamW | Polyak;

export interface AdamWOptions {
  readonly block: ParameterBlock;
  /** The scalar to descend, or the gradients themselves in the order of `block.tensors`. */
  readonly loss?: Tensor;
  readonly gradients?: readonly Tensor[];
  /** A number, or a scalar input to change it without compiling again. */
  readonly learningRate: Operand;
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
  readonly weightDecay?: number;
  readonly clipNorm?: number;
  readonly clipBy?: 'block' | 'member';
}

/** Adam with bias correction and decoupled weight decay.
 * @source Loshchilov and Hutter 2017, arXiv:1711.05101, alg. 2; differs: no schedule multiplier, the decay is
 * learningRate * weightDecay as in PyTorch */
export function adamW(options: AdamWOptions): AdamW {
  const { block, loss } = options;
  if ((loss === undefined) === (options.gradients === undefined)) {
    throw new VernierError('SHAPE', `adamW on ${block.name}: give either loss or gradients`);
  }
  const gradients = options.gradients ?? grad(loss!, block.tensors);
  const fits =
    gradients.length === block.tensors.length &&
    block.tensors.every((t, i) => sameShape(t.shape, gradients[i]!.shape));
  if (!fits)
    throw new VernierError(
      'SHAPE',
      `adamW on ${block.name}: the gradients do not match its ${block.names.length} tensors`,
    );
  if (loss) requireDependence(block, gradients);
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  return {
    kind: 'adamW',
    block,
    gradients,
    learningRate: scalar(`adamW on ${block.name}`, options.learningRate),
    beta1,
    beta2,
    epsilon: options.epsilon ?? 1e-8,
    weightDecay: options.weightDecay ?? 0,
    clipNorm: options.clipNorm ?? Number.POSITIVE_INFINITY,
    clipBy: options.clipBy ?? 'block',
  };
}

/** target += tau (source - target). After an update of `source` in the same list it sees the new values. */
export function polyak(options: {
  readonly target: ParameterBlock;
  readonly source: ParameterBlock;
  readonly tau: Operand;
}): Polyak {
  const { target, source } = options;
  if (!target.sameLayout(source)) {
    throw new VernierError(
      'SHAPE',
      `polyak: blocks ${target.name} and ${source.name} have different layouts`,
    );
  }
  return { kind: 'polyak', target, source, tau: scalar(`polyak on ${target.name}`, options.tau) };
}

function scalar(what: string, value: Operand): Tensor {
  const t = asTensor(value);
  if (t.size !== 1) throw new VernierError('SHAPE', `${what}: [${t.shape}] must be one number`);
  return t;
}

function requireDependence(block: ParameterBlock, gradients: readonly Tensor[]): void {
  const dead = gradients.findIndex((g) => g.is('broadcast') && scalarValue(g.inputs[0]!) === 0);
  if (dead < 0) return;
  throw new VernierError(
    'SHAPE',
    `adamW on ${block.name}: the loss does not depend on ${block.names[dead]}`,
    {
      hint: 'pass `gradients` if that is meant',
    },
  );
}
