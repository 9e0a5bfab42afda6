import { VernierError } from '#core/errors';
import { ones, uniformFanIn, zeros } from '#nn/initializers';
import { layerNorm, matmul } from '#nn/linalg';
import { add, gelu, relu, reshape, silu, takeMembers, tanh } from '#nn/ops';
import type { Initializer, ParameterBlock } from '#nn/parameters';
import type { Tensor } from '#nn/tensor';

/** Building blocks over a ParameterBlock. A layer declared on a block can be applied with another block of the
 * same layout (a target network) and to members chosen at run time. */

export interface ApplyOptions {
  /** Take the parameters from here instead of the block the layer was declared on. */
  readonly block?: ParameterBlock;
  /** i32 vector: only these members of the ensemble. */
  readonly members?: Tensor;
}

export interface Layer {
  readonly in: number;
  readonly out: number;
  /** @shape x [B, in], or [E, B, in] in an ensemble; result [B, out] or [E, B, out] */
  apply(x: Tensor, options?: ApplyOptions): Tensor;
}

const activations = { relu, tanh, gelu, silu, none: (x: Tensor): Tensor => x };
export type Activation = keyof typeof activations;

export interface LinearOptions {
  readonly in: number;
  readonly out: number;
  readonly weight?: Initializer;
  readonly bias?: Initializer;
}

function parameter(block: ParameterBlock, name: string, { block: other, members }: ApplyOptions): Tensor {
  const tensor = (other ?? block).tensor(name);
  return members ? takeMembers(tensor, members) : tensor;
}

/** A vector per member, shaped to broadcast over the rows of [E, B, W]. */
function vector(block: ParameterBlock, name: string, options: ApplyOptions): Tensor {
  const t = parameter(block, name, options);
  return t.shape.length === 2 ? reshape(t, [t.shape[0]!, 1, t.shape[1]!]) : t;
}

function declare(block: ParameterBlock, name: string, shape: readonly number[], init: Initializer): void {
  const ensemble = block.ensemble ? [block.members] : [];
  block.add(name, [...ensemble, ...shape], init);
}

/** x W + b with W [in, out]. */
export function linear(block: ParameterBlock, name: string, options: LinearOptions): Layer {
  const { in: I, out: O } = options;
  declare(block, `${name}.weight`, [I, O], options.weight ?? uniformFanIn());
  declare(block, `${name}.bias`, [O], options.bias ?? uniformFanIn(I));
  return {
    in: I,
    out: O,
    apply: (x, how = {}) => {
      if (x.shape.at(-1) !== I) {
        throw new VernierError('SHAPE', `${block.name}.${name}: input [${x.shape}] must end in ${I}`);
      }
      return add(matmul(x, parameter(block, `${name}.weight`, how)), vector(block, `${name}.bias`, how));
    },
  };
}

export interface MlpOptions {
  readonly in: number;
  readonly hidden: readonly number[];
  readonly out: number;
  /** LayerNorm before each hidden activation. */
  readonly layerNorm?: boolean;
  readonly activation?: Activation;
  readonly weight?: Initializer;
  readonly bias?: Initializer;
  /** The last layer's own first values: zeros make the network's first output exactly its bias. */
  readonly lastWeight?: Initializer;
  readonly lastBias?: Initializer;
}

/** Linear layers with an activation between; the last one is linear. */
export function mlp(block: ParameterBlock, name: string, options: MlpOptions): Layer {
  const activate = activations[options.activation ?? 'relu'];
  const widths = [options.in, ...options.hidden, options.out];
  const layers = widths.slice(1).map((out, i) => {
    const hidden = i < options.hidden.length;
    const weight = hidden ? options.weight : (options.lastWeight ?? options.weight);
    const bias = hidden ? options.bias : (options.lastBias ?? options.bias);
    const layer = linear(block, `${name}.${i}`, {
      in: widths[i]!,
      out,
      ...(weight ? { weight } : {}),
      ...(bias ? { bias } : {}),
    });
    if (hidden && options.layerNorm) {
      declare(block, `${name}.${i}.gain`, [out], ones);
      declare(block, `${name}.${i}.shift`, [out], zeros);
    }
    return layer;
  });
  const apply = (x: Tensor, how: ApplyOptions = {}): Tensor =>
    layers.reduce((h, layer, i) => {
      const z = layer.apply(h, how);
      if (i === layers.length - 1) return z;
      const gain = (): Tensor => vector(block, `${name}.${i}.gain`, how);
      const shift = (): Tensor => vector(block, `${name}.${i}.shift`, how);
      return activate(options.layerNorm ? layerNorm(z, gain(), shift()) : z);
    }, x);
  return { in: options.in, out: options.out, apply };
}
