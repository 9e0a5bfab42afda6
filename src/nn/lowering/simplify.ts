import { topologicalOrder } from '#nn/autodiff';
import { matmul } from '#nn/linalg';
import { broadcastTo, mul, reshape, slice, sum } from '#nn/ops';
import { binaryFunctions, kernelOf, unaryFunctions } from '#nn/referenceKernels';
import { broadcastShapes, type Shape, sameShape } from '#nn/shape';
import { type BinaryOp, constant, type ReduceOp, scalarValue, Tensor, type UnaryOp } from '#nn/tensor';

/** Rewrites a graph to an equal one that lowers better: constants folded, common parts shared, products with one
 * column or one inner term turned into row arithmetic, repetition left to broadcasting. */

const LARGEST_FOLD = 4096;

export function isElementwise(node: Tensor): boolean {
  return node.op in unaryFunctions || node.op in binaryFunctions || node.is('where') || node.is('clamp');
}

export class Simplifier {
  readonly #shared = new Map<string, Tensor>();
  readonly #ids = new Map<Tensor, number>();
  readonly #done = new Map<Tensor, Tensor>();

  /** The equal of a tensor; the same object for equal tensors. */
  simplify(root: Tensor): Tensor {
    // What is done is not walked again: a long graph with many outputs would take quadratic time.
    for (const node of topologicalOrder([root], this.#done)) {
      if (!this.#done.has(node)) this.#done.set(node, this.#rebuild(node));
    }
    return this.#done.get(root)!;
  }

  #rebuild(node: Tensor): Tensor {
    const inputs = node.inputs.map((i) => this.#done.get(i)!);
    const same = inputs.every((input, i) => input === node.inputs[i]);
    const fresh = same
      ? node
      : new Tensor(node.op, inputs, node.shape, node.attributes, undefined, node.dtype);
    const better = rewrite(fresh);
    // A rule's result may hold new nodes that have rules of their own.
    if (better) return this.simplify(better);
    return this.#share(fresh);
  }

  #share(node: Tensor): Tensor {
    const key = this.#key(node);
    const known = this.#shared.get(key);
    if (known) return known;
    this.#shared.set(key, node);
    this.#ids.set(node, this.#ids.size);
    this.#done.set(node, node);
    return node;
  }

  #key(node: Tensor): string {
    if (node.is('parameter')) return `parameter ${this.#idOf(node.attributes.block)} ${node.attributes.name}`;
    const attributes = node.is('constant') ? node.attributes.values.join() : JSON.stringify(node.attributes);
    return `${node.op} ${node.inputs.map((i) => this.#ids.get(i)).join()} [${node.shape}] ${attributes}`;
  }

  readonly #blocks = new Map<object, number>();
  #idOf(block: object): number {
    const id = this.#blocks.get(block) ?? this.#blocks.size;
    this.#blocks.set(block, id);
    return id;
  }
}

/** One better form of a node whose inputs are simple already, or undefined. */
function rewrite(node: Tensor): Tensor | undefined {
  return withoutLeadingOne(node) ?? rewriteByKind(node);
}

/** An ensemble of one is cut by rows like any batch: its axis is taken off and put back. */
function withoutLeadingOne(node: Tensor): Tensor | undefined {
  const rank = node.shape.length;
  const strip = (x: Tensor): Tensor => (x.shape.length === rank ? reshape(x, x.shape.slice(1)) : x);
  if (isReduce(node)) return reduceWithoutLeadingOne(node);
  if (rank < 3 || node.shape[0] !== 1) return undefined;
  const along = node.is('concat') ? node.attributes.axis : undefined;
  const rowWise = ['matmul', 'normalize', 'inverseDeviation', 'normalizeGradient', 'softmax', 'logSoftmax'];
  if (!isElementwise(node) && !rowWise.includes(node.op) && !along) return undefined;
  const attributes = along ? { axis: along - 1 } : node.attributes;
  const smaller = new Tensor(node.op, node.inputs.map(strip), node.shape.slice(1), attributes);
  return reshape(smaller, node.shape);
}

function reduceWithoutLeadingOne(node: Tensor<ReduceOp>): Tensor | undefined {
  const [x] = node.inputs as [Tensor];
  if (x.shape.length < 3 || x.shape[0] !== 1) return undefined;
  const axes = node.attributes.axes.filter((axis) => axis > 0).map((axis) => axis - 1);
  const shape = x.shape.slice(1).map((n, i) => (axes.includes(i) ? 1 : n));
  const smaller = new Tensor(node.op, [reshape(x, x.shape.slice(1))], shape, { axes, keepDims: true });
  return reshape(smaller, node.shape);
}

export function isReduce(node: Tensor): node is Tensor<ReduceOp> {
  return node.is('sum') || node.is('max') || node.is('min');
}

function rewriteByKind(node: Tensor): Tensor | undefined {
  if (node.is('stopGradient')) return node.inputs[0];
  if (node.is('reshape')) return repeated(node) ?? rewriteReshape(node);
  if (node.is('transpose') || (node.is('broadcast') && node.inputs[0]!.is('broadcast')))
    return repeated(node);
  if (isReduce(node)) return emptyReduction(node);
  if (node.is('matmul')) return thinProduct(node);
  if (node.is('slice')) return repeated(node) ?? sliceEarlier(node);
  if (!isElementwise(node)) return undefined;
  return fold(node) ?? foldRepeated(node) ?? withoutBroadcast(node) ?? identity(node);
}

/** A reduction over axes of size 1 only changes the shape. */
function emptyReduction(node: Tensor<ReduceOp>): Tensor | undefined {
  const [x] = node.inputs as [Tensor];
  return node.attributes.axes.every((axis) => x.shape[axis] === 1) ? reshape(x, node.shape) : undefined;
}

/** A part or another shape of one repeated number is that number repeated. */
function repeated(node: Tensor): Tensor | undefined {
  const [x] = node.inputs as [Tensor];
  const one = x.is('broadcast') && x.inputs[0]!.size === 1 ? x.inputs[0]! : undefined;
  return one && broadcastTo(reshape(one, []), node.shape);
}

function rewriteReshape(node: Tensor<'reshape'>): Tensor | undefined {
  const [x] = node.inputs as [Tensor];
  if (sameShape(x.shape, node.shape)) return x;
  if (x.is('constant')) return constant(x.attributes.values, node.shape);
  return x.is('reshape') ? reshape(x.inputs[0]!, node.shape) : undefined;
}

/** Arithmetic on repeated single numbers is done once. */
function foldRepeated(node: Tensor): Tensor | undefined {
  const ones = node.inputs.map((x) => (x.is('broadcast') ? x.inputs[0]! : x));
  if (node.size === 1 || ones.some((x) => x.size !== 1)) return undefined;
  const inputs = ones.map((x) => reshape(x, []));
  return broadcastTo(new Tensor(node.op, inputs, [], node.attributes), node.shape);
}

function fold(node: Tensor): Tensor | undefined {
  if (node.size > LARGEST_FOLD) return undefined;
  const values = node.inputs.map((i) => (i.is('constant') ? i.attributes.values : undefined));
  if (values.some((v) => v === undefined)) return undefined;
  const out = new Float64Array(node.size);
  kernelOf(node, values as Float64Array[], out)();
  return constant(out, node.shape);
}

/** A repeated operand goes in unrepeated if the result keeps its shape. */
function withoutBroadcast(node: Tensor): Tensor | undefined {
  for (const [k, operand] of node.inputs.entries()) {
    if (!operand.is('broadcast')) continue;
    const inputs = node.inputs.map((x, i) => (i === k ? operand.inputs[0]! : x));
    const shape = inputs.reduce<Shape>((s, x) => broadcastShapes(node.op, s, x.shape), []);
    if (sameShape(shape, node.shape)) return new Tensor(node.op, inputs, node.shape, node.attributes);
  }
  return undefined;
}

function identity(node: Tensor): Tensor | undefined {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const keeps = (x: Tensor): Tensor | undefined => (sameShape(x.shape, node.shape) ? x : undefined);
  if (node.is('mul')) {
    const [x, factor] = scalarValue(a) === undefined ? [a, scalarValue(b)] : [b, scalarValue(a)];
    if (factor === undefined) return undefined;
    if (factor === 1) return keeps(x);
    if (x.is('mul')) {
      const inner = x.inputs.findIndex((i) => scalarValue(i) !== undefined);
      if (inner >= 0) return mul(x.inputs[1 - inner]!, factor * scalarValue(x.inputs[inner]!)!);
    }
    return undefined;
  }
  if (node.is('add'))
    return (scalarValue(b) === 0 ? keeps(a) : undefined) ?? (scalarValue(a) === 0 ? keeps(b) : undefined);
  if (node.is('sub')) return scalarValue(b) === 0 ? keeps(a) : undefined;
  if (node.is('neg') && a.is('neg')) return a.inputs[0];
  if (node.is('div') && scalarValue(b) !== undefined) return mul(a, 1 / scalarValue(b)!);
  return undefined;
}

/** A product with one inner term is elementwise; with one column it is a sum along rows. */
function thinProduct(node: Tensor<'matmul'>): Tensor | undefined {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = node.attributes;
  const K = a.shape.at(transposeA ? -2 : -1)!;
  const [M, N] = [node.shape.at(-2)!, node.shape.at(-1)!];
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const finish = (x: Tensor): Tensor => reshape(x, node.shape);
  if (K === 1) return finish(mul(reshape(a, [...batchA, M, 1]), reshape(b, [...batchB, 1, N])));
  if (N !== 1) return undefined;
  if (!transposeA) return finish(sum(mul(a, reshape(b, [...batchB, 1, K])), -1, true));
  const column = reshape(b, [...batchB, K, 1]);
  return transposeB && K !== 1 && b.shape.at(-2) !== 1 ? undefined : finish(sum(mul(a, column), -2, true));
}

/** Takes a part before a product or a sum is done instead of after. */
function sliceEarlier(node: Tensor<'slice'>): Tensor | undefined {
  const [x] = node.inputs as [Tensor];
  const { axis, from, to } = node.attributes;
  const rank = x.shape.length;
  if (x.is('reshape')) {
    const [y] = x.inputs as [Tensor];
    const shift = y.shape.length - rank;
    const dropsOnes =
      shift > 0 && y.shape.slice(0, shift).every((n) => n === 1) && sameShape(y.shape.slice(shift), x.shape);
    return dropsOnes ? reshape(slice(y, axis + shift, from, to), node.shape) : undefined;
  }
  if (x.is('sum') && x.attributes.keepDims && !x.attributes.axes.includes(axis)) {
    return sum(slice(x.inputs[0]!, axis, from, to), x.attributes.axes, true);
  }
  if (!x.is('matmul') || axis < rank - 2) return undefined;
  const [a, b] = x.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = x.attributes;
  if (axis === rank - 1)
    return matmul(a, slice(b, transposeB ? -2 : -1, from, to), { transposeA, transposeB });
  return matmul(slice(a, transposeA ? -1 : -2, from, to), b, { transposeA, transposeB });
}

/** Whether the row machine has a one-operand or two-operand instruction for it. */
export function isArithmetic(op: string): op is UnaryOp | BinaryOp {
  return op in unaryFunctions || op in binaryFunctions;
}
