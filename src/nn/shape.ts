import { VernierError } from '#core/errors';

/** A static shape; [] is a scalar. */
export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** The shape both broadcast to, numpy's rule. @throws SHAPE */
export function broadcastShapes(what: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new VernierError('SHAPE', `${what}: [${a}] and [${b}] do not broadcast (${m} against ${n})`);
    }
    return m === 1 ? n : m;
  });
}

/** Strides of a tensor of `shape` seen as `target`: 0 where it is repeated. */
export function broadcastStrides(
  shape: Shape,
  target: Shape,
  strides: readonly number[] = stridesOf(shape),
): number[] {
  const shift = target.length - shape.length;
  return target.map((n, i) => (i < shift || (shape[i - shift] === 1 && n !== 1) ? 0 : strides[i - shift]!));
}

/** Axes counted from the front, sorted and distinct. @throws SHAPE */
export function normalizeAxes(
  what: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  const list = axes === undefined ? Array.from({ length: rank }, (_, i) => i) : [axes].flat();
  const positive = list.map((axis) => {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw new VernierError('SHAPE', `${what}: axis ${axis} is outside a tensor of rank ${rank}`);
    }
    return axis < 0 ? axis + rank : axis;
  });
  return [...new Set(positive)].sort((a, b) => a - b);
}

export function normalizeAxis(what: string, axis: number, rank: number): number {
  return normalizeAxes(what, axis, rank)[0]!;
}
