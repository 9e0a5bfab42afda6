import { VernierError } from '#core/errors';
import { broadcastShapes, normalizeAxes, normalizeAxis, type Shape, sameShape, sizeOf } from '#nn/shape';
import {
  asTensor,
  type BinaryOp,
  constant,
  type Operand,
  type Pullback,
  type ReduceOp,
  Tensor,
  type UnaryOp,
} from '#nn/tensor';

/** Elementwise operations: shape rule and gradient of each in one place. Two operands broadcast as in numpy. */

function unary(op: UnaryOp, a: Operand, pullback?: Pullback): Tensor {
  const x = asTensor(a);
  return new Tensor(op, [x], x.shape, {}, pullback);
}

function binary(
  op: BinaryOp,
  a: Operand,
  b: Operand,
  back?: (g: Tensor, out: Tensor) => readonly Tensor[],
): Tensor {
  const x = asTensor(a);
  const y = asTensor(b);
  const shape = broadcastShapes(op, x.shape, y.shape);
  const pullback: Pullback | undefined =
    back &&
    ((g, out) => {
      const [gx, gy] = back(g, out);
      return [
        x.is('constant') ? undefined : sumTo(gx!, x.shape),
        y.is('constant') ? undefined : sumTo(gy!, y.shape),
      ];
    });
  return new Tensor(op, [x, y], shape, {}, pullback);
}

export const add = (a: Operand, b: Operand): Tensor => binary('add', a, b, (g) => [g, g]);
export const sub = (a: Operand, b: Operand): Tensor => binary('sub', a, b, (g) => [g, neg(g)]);
export const mul = (a: Operand, b: Operand): Tensor => binary('mul', a, b, (g) => [mul(g, b), mul(g, a)]);
export const div = (a: Operand, b: Operand): Tensor =>
  binary('div', a, b, (g, out) => [div(g, b), neg(div(mul(g, out), b))]);

/** The smaller one; at a tie the gradient goes to `a`. */
export const minimum = (a: Operand, b: Operand): Tensor =>
  binary('minimum', a, b, (g) => [where(lessEqual(a, b), g, 0), where(lessEqual(a, b), 0, g)]);
/** The larger one; at a tie the gradient goes to `a`. */
export const maximum = (a: Operand, b: Operand): Tensor =>
  binary('maximum', a, b, (g) => [where(lessEqual(b, a), g, 0), where(lessEqual(b, a), 0, g)]);

/** Comparisons give 1 or 0 and have no gradient. */
export const less = (a: Operand, b: Operand): Tensor => binary('less', a, b);
export const lessEqual = (a: Operand, b: Operand): Tensor => binary('lessEqual', a, b);
export const greater = (a: Operand, b: Operand): Tensor => less(b, a);
export const greaterEqual = (a: Operand, b: Operand): Tensor => lessEqual(b, a);
export const equal = (a: Operand, b: Operand): Tensor => binary('equal', a, b);

/** `a` where the condition is not 0, else `b`; the branch not taken never leaks a NaN. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const x = asTensor(a);
  const y = asTensor(b);
  const shape = broadcastShapes('where', broadcastShapes('where', x.shape, y.shape), condition.shape);
  return new Tensor('where', [condition, x, y], shape, {}, (g) => [
    undefined,
    x.is('constant') ? undefined : sumTo(where(condition, g, 0), x.shape),
    y.is('constant') ? undefined : sumTo(where(condition, 0, g), y.shape),
  ]);
}

export const neg = (a: Operand): Tensor => unary('neg', a, (g) => [neg(g)]);
export const abs = (a: Operand): Tensor => unary('abs', a, (g) => [mul(g, sign(a))]);
export const sign = (a: Operand): Tensor => unary('sign', a);
export const square = (a: Operand): Tensor => unary('square', a, (g) => [mul(g, mul(a, 2))]);
export const sqrt = (a: Operand): Tensor => unary('sqrt', a, (g, y) => [div(mul(g, 0.5), y)]);
export const rsqrt = (a: Operand): Tensor =>
  unary('rsqrt', a, (g, y) => [mul(mul(g, -0.5), mul(y, square(y)))]);
export const exp = (a: Operand): Tensor => unary('exp', a, (g, y) => [mul(g, y)]);
export const log = (a: Operand): Tensor => unary('log', a, (g) => [div(g, a)]);
export const softplus = (a: Operand): Tensor => unary('softplus', a, (g) => [mul(g, sigmoid(a))]);
export const tanh = (a: Operand): Tensor => unary('tanh', a, (g, y) => [mul(g, sub(1, square(y)))]);
export const relu = (a: Operand): Tensor => unary('relu', a, (g, y) => [reluGradient(g, y)]);
/** The gradient where the activation is positive, else 0. */
const reluGradient = (g: Tensor, y: Tensor): Tensor =>
  binary('reluGradient', g, y, (h) => [reluGradient(h, y), mul(h, 0)]);
export const sigmoid = (a: Operand): Tensor => unary('sigmoid', a, (g, y) => [mul(g, mul(y, sub(1, y)))]);
export const sin = (a: Operand): Tensor => unary('sin', a, (g) => [mul(g, cos(a))]);
export const cos = (a: Operand): Tensor => unary('cos', a, (g) => [neg(mul(g, sin(a)))]);
export const erf = (a: Operand): Tensor =>
  unary('erf', a, (g) => [mul(mul(g, 2 / Math.sqrt(Math.PI)), exp(neg(square(a))))]);

/** x Phi(x), the exact form. */
export const gelu = (a: Operand): Tensor => mul(mul(a, 0.5), add(erf(mul(a, Math.SQRT1_2)), 1));
export const silu = (a: Operand): Tensor => mul(a, sigmoid(a));

/** Limits to [low, high]; the gradient passes inside, edges included. */
export function clamp(a: Operand, low: number, high: number): Tensor {
  const x = asTensor(a);
  return new Tensor('clamp', [x], x.shape, { low, high }, (g) => [
    where(lessEqual(low, x), where(lessEqual(x, high), g, 0), 0),
  ]);
}

/** The value itself, seen as a constant by `grad`. */
export function stopGradient(x: Tensor): Tensor {
  return new Tensor('stopGradient', [x], x.shape, {});
}

/** An i32 input as f32. */
export function cast(x: Tensor): Tensor {
  return new Tensor('cast', [x], x.shape, {});
}

// Reductions over any axes; without `axes` over all of them.

type Axes = number | readonly number[] | undefined;

function reduceShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((n, i) => (axes.includes(i) ? 1 : n))
    : shape.filter((_, i) => !axes.includes(i));
}

function reduce(op: ReduceOp, x: Tensor, over: Axes, keepDims: boolean): Tensor {
  const axes = normalizeAxes(op, over, x.shape.length);
  const kept = reduceShape(x.shape, axes, true);
  return new Tensor(op, [x], reduceShape(x.shape, axes, keepDims), { axes, keepDims }, (g, out) => {
    const spread = reshape(g, kept);
    if (op === 'sum') return [broadcastTo(spread, x.shape)];
    // At a tie the gradient is shared evenly, as PyTorch's amax does.
    const hit = equal(x, reshape(out, kept));
    return [mul(hit, div(spread, sum(hit, axes, true)))];
  });
}

export const sum = (x: Tensor, axes?: Axes, keepDims = false): Tensor => reduce('sum', x, axes, keepDims);
export const max = (x: Tensor, axes?: Axes, keepDims = false): Tensor => reduce('max', x, axes, keepDims);
export const min = (x: Tensor, axes?: Axes, keepDims = false): Tensor => reduce('min', x, axes, keepDims);

export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const total = sum(x, axes, keepDims);
  return mul(total, total.size / x.size);
}

/** Sums a gradient back to the shape its operand had before broadcasting. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const shift = g.shape.length - shape.length;
  const axes = g.shape.flatMap((n, i) => (i < shift || (shape[i - shift] === 1 && n !== 1) ? [i] : []));
  return reshape(axes.length > 0 ? sum(g, axes, true) : g, shape);
}

// Operations that only move numbers: no arithmetic, so the compiler turns most of them into strides.

/** Same numbers in row-major order; one entry of the shape may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((n) => n !== -1));
  const target = shape.map((n) => (n === -1 ? x.size / known : n));
  if (sizeOf(target) !== x.size || target.some((n) => !Number.isInteger(n))) {
    throw new VernierError('SHAPE', `reshape: [${x.shape}] has ${x.size} elements, [${shape}] does not`);
  }
  if (sameShape(target, x.shape)) return x;
  return new Tensor('reshape', [x], target, {}, (g) => [reshape(g, x.shape)]);
}

export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape)) {
    throw new VernierError('SHAPE', `broadcastTo: [${x.shape}] is not a part of [${shape}]`);
  }
  return new Tensor('broadcast', [x], [...shape], {}, (g) => [sumTo(g, x.shape)]);
}

/** Permutes axes; without `axes` swaps the last two. */
export function transpose(x: Tensor, axes?: readonly number[]): Tensor {
  const rank = x.shape.length;
  const order = axes ?? x.shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  if (order.length !== rank || new Set(order).size !== rank || order.some((i) => !(i >= 0 && i < rank))) {
    throw new VernierError('SHAPE', `transpose: [${order}] is not an order of ${rank} axes`);
  }
  const inverse = order.map((_, i) => order.indexOf(i));
  const shape = order.map((i) => x.shape[i]!);
  return new Tensor('transpose', [x], shape, { axes: [...order] }, (g) => [transpose(g, inverse)]);
}

/** Entries from <= i < to along one axis. */
export function slice(x: Tensor, along: number, from: number, to: number): Tensor {
  const axis = normalizeAxis('slice', along, x.shape.length);
  const length = x.shape[axis]!;
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= length)) {
    throw new VernierError('SHAPE', `slice: [${from}, ${to}) is outside axis ${axis} of [${x.shape}]`);
  }
  if (from === 0 && to === length) return x;
  const shape = x.shape.map((n, i) => (i === axis ? to - from : n));
  const zeros = (n: number): Tensor[] =>
    n === 0
      ? []
      : [
          broadcastTo(
            constant(0),
            x.shape.map((m, i) => (i === axis ? n : m)),
          ),
        ];
  return new Tensor('slice', [x], shape, { axis, from, to }, (g) => [
    concat([...zeros(from), g, ...zeros(length - to)], axis),
  ]);
}

export function concat(parts: readonly Tensor[], along: number): Tensor {
  const first = parts[0];
  if (!first) throw new VernierError('SHAPE', 'concat: no tensors');
  const axis = normalizeAxis('concat', along, first.shape.length);
  for (const part of parts) {
    const fits =
      part.shape.length === first.shape.length &&
      part.shape.every((n, i) => i === axis || n === first.shape[i]);
    if (!fits)
      throw new VernierError('SHAPE', `concat along ${axis}: [${first.shape}] and [${part.shape}] differ`);
  }
  if (parts.length === 1) return first;
  const ends = parts.map((_, k) => parts.slice(0, k + 1).reduce((total, p) => total + p.shape[axis]!, 0));
  const shape = first.shape.map((n, i) => (i === axis ? ends.at(-1)! : n));
  return new Tensor('concat', parts, shape, { axis }, (g) =>
    parts.map((p, k) => (p.is('constant') ? undefined : slice(g, axis, ends[k]! - p.shape[axis]!, ends[k]!))),
  );
}

/** Rows of the leading (ensemble) axis chosen at run time.
 * @shape x [E, ...], index [K] i32; result [K, ...] */
export function takeMembers(x: Tensor, index: Tensor): Tensor {
  if (index.dtype !== 'i32' || index.shape.length !== 1 || x.shape.length < 1) {
    throw new VernierError(
      'SHAPE',
      `takeMembers: [${x.shape}] by [${index.shape}] ${index.dtype}; want an i32 vector`,
    );
  }
  const [E, ...rest] = x.shape;
  const [K] = index.shape;
  return new Tensor('takeMembers', [x, index], [K!, ...rest], {}, (g) => {
    const ones = rest.map(() => 1);
    const members = constant(
      Array.from({ length: E! }, (_, e) => e),
      [E!, 1],
    );
    const chosen = equal(members, reshape(cast(index), [1, K!]));
    return [sum(mul(reshape(chosen, [E!, K!, ...ones]), reshape(g, [1, K!, ...rest])), 1), undefined];
  });
}

/** The sum of tensors of one shape. */
export function addAll(parts: readonly Tensor[]): Tensor {
  return parts.reduce((total, part) => add(total, part));
}
