import { type Node, parseExpression } from '#expr/parse';
import { type ExpressionSource, expressionError, textSource } from '#expr/source';
import * as nn from '#nn/graph';

/** Expressions of a task as graphs of the training engine, so that gradients flow from a formula's predicates to the
 * state: the part of the language that has them. */

/** A number, or the entries of a vector; all of one shape, or constants. */
export type GraphValue = readonly nn.Tensor[];

/** What a path such as `position`, `x.velocity` or `region_a.position` stands for; undefined where it is unknown. */
export type GraphScope = (path: string) => GraphValue | undefined;

/** The expression's value: numbers, vectors, + - * /, constant powers, members and indices of vectors, and abs, sqrt,
 * sin, cos, exp, log, tanh, min, max, clamp, norm, dot, distance. Units are not checked, and numbers with one are SI.
 * @throws EXPRESSION with the place, for a name that the scope does not know and for all else */
export function expressionGraph(text: string | ExpressionSource, scope: GraphScope): GraphValue {
  const source = typeof text === 'string' ? textSource(text) : text;
  return new GraphCompiler(source, scope).value(parseExpression(source));
}

type Function = (parameters: readonly GraphValue[]) => GraphValue;

const each =
  (f: (x: nn.Tensor) => nn.Tensor): Function =>
  ([x]) =>
    x!.map((entry) => f(entry));

const functions: Readonly<Record<string, readonly [parameters: number, Function]>> = {
  abs: [1, each(nn.abs)],
  sqrt: [1, each(nn.sqrt)],
  sin: [1, each(nn.sin)],
  cos: [1, each(nn.cos)],
  exp: [1, each(nn.exp)],
  log: [1, each(nn.log)],
  tanh: [1, each(nn.tanh)],
  min: [2, (all) => all.reduce((a, b) => pairwise(nn.minimum, a, b))],
  max: [2, (all) => all.reduce((a, b) => pairwise(nn.maximum, a, b))],
  clamp: [3, ([x, low, high]) => pairwise(nn.minimum, pairwise(nn.maximum, x!, low!), high!)],
  norm: [1, ([v]) => [norm(v!)]],
  dot: [2, ([a, b]) => [nn.addAll(pairwise(nn.mul, a!, b!))]],
  distance: [2, ([a, b]) => [norm(pairwise(nn.sub, a!, b!))]],
};

const members = 'xyzw';

class GraphCompiler {
  readonly #source: ExpressionSource;
  readonly #scope: GraphScope;

  constructor(source: ExpressionSource, scope: GraphScope) {
    this.#source = source;
    this.#scope = scope;
  }

  value(node: Node): GraphValue {
    switch (node.kind) {
      case 'number':
        return [nn.constant(node.value)];
      case 'name':
      case 'member':
        return this.#named(node);
      case 'index':
        return [this.#entry(node, this.value(node.object), this.#index(node.index))];
      case 'vector':
        return node.items.map((item) => this.#scalar(item));
      case 'unary':
        if (node.operator === '-') return this.value(node.operand).map(nn.neg);
        break;
      case 'binary':
        return this.#binary(node);
      case 'call':
        return this.#call(node);
      case 'comparison':
        break;
      default:
        throw node satisfies never;
    }
    throw this.#refuse(node, 'a number or a vector: conditions have no gradient');
  }

  #named(node: Node & { kind: 'name' | 'member' }): GraphValue {
    const path = pathOf(node);
    const known = path === undefined ? undefined : this.#scope(path);
    if (known) return known;
    if (node.kind === 'member') {
      const index = members.indexOf(node.member);
      if (index >= 0 && node.member.length === 1) {
        return [this.#entry(node, this.value(node.object), index)];
      }
    }
    throw this.#refuse(node, 'a name that the planner knows');
  }

  #binary(node: Node & { kind: 'binary' }): GraphValue {
    const { operator } = node;
    if (operator === 'and' || operator === 'or') {
      throw this.#refuse(node, 'a number or a vector: conditions have no gradient');
    }
    if (operator === '^') {
      if (node.right.kind !== 'number' || !(node.right.value >= 1 && Number.isInteger(node.right.value))) {
        throw this.#refuse(node.right, 'a whole exponent from 1 on');
      }
      const times = node.right.value;
      const power = (x: nn.Tensor): nn.Tensor =>
        Array.from({ length: times - 1 }).reduce<nn.Tensor>((product) => nn.mul(product, x), x);
      return this.value(node.left).map(power);
    }
    const f = { '+': nn.add, '-': nn.sub, '*': nn.mul, '/': nn.div }[operator];
    return this.#pairwise(node, f, this.value(node.left), this.value(node.right));
  }

  #call(node: Node & { kind: 'call' }): GraphValue {
    const known = functions[node.name];
    if (!known) throw this.#refuse(node, `one of ${Object.keys(functions).join(', ')}`);
    const [least, f] = known;
    const parameters = node.parameters.map((parameter) => this.value(parameter));
    if (parameters.length < least) throw this.#refuse(node, `${least} parameters`);
    const lengths = new Set(parameters.map(({ length }) => length));
    lengths.delete(1);
    if (lengths.size > 1) throw this.#refuse(node, 'vectors of one length');
    return f(parameters);
  }

  #pairwise(
    node: Node,
    f: (a: nn.Tensor, b: nn.Tensor) => nn.Tensor,
    a: GraphValue,
    b: GraphValue,
  ): GraphValue {
    if (a.length !== b.length && a.length !== 1 && b.length !== 1) {
      throw this.#refuse(node, 'vectors of one length');
    }
    return pairwise(f, a, b);
  }

  #scalar(node: Node): nn.Tensor {
    const value = this.value(node);
    if (value.length !== 1) throw this.#refuse(node, 'a number');
    return value[0]!;
  }

  #index(node: Node): number {
    if (node.kind === 'number') return node.value;
    throw this.#refuse(node, 'a number as the index');
  }

  #entry(node: Node, vector: GraphValue, index: number): nn.Tensor {
    return vector[index] ?? this.#fail(node, `an index below ${vector.length}`);
  }

  #fail(node: Node, expected: string): never {
    throw this.#refuse(node, expected);
  }

  #refuse(node: Node, expected: string): Error {
    const received = this.#source.text.slice(node.start, node.end);
    return expressionError(this.#source, node.start, `expected ${expected}, received ${received}`);
  }
}

function pathOf(node: Node): string | undefined {
  if (node.kind === 'name') return node.name;
  if (node.kind !== 'member') return undefined;
  const object = pathOf(node.object);
  return object === undefined ? undefined : `${object}.${node.member}`;
}

/** Entry by entry; a number goes with any vector. */
function pairwise(f: (a: nn.Tensor, b: nn.Tensor) => nn.Tensor, a: GraphValue, b: GraphValue): GraphValue {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
    f(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!),
  );
}

/** The gradient is 0 at the origin, where the length has none. */
function norm(v: GraphValue): nn.Tensor {
  return nn.sqrt(nn.maximum(nn.addAll(v.map(nn.square)), 1e-12));
}
