import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { header } from '#expr/program';
import { compileText, evaluateProgramText, sensorModel } from './model.js';

/** A random expression over eight numbers, which can be printed and evaluated on its own. */
type Tree =
  | { readonly kind: 'leaf'; readonly index: number }
  | { readonly kind: 'unary'; readonly name: keyof typeof unary; readonly a: Tree }
  | { readonly kind: 'binary'; readonly name: keyof typeof binary; readonly a: Tree; readonly b: Tree }
  | { readonly kind: 'choice'; readonly less: readonly [Tree, Tree]; readonly a: Tree; readonly b: Tree };

const unary = {
  '-': (a: number) => -a,
  abs: Math.abs,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
} as const;

const binary = {
  '+': { power: 1, apply: (a: number, b: number) => a + b },
  '-': { power: 1, apply: (a: number, b: number) => a - b },
  '*': { power: 2, apply: (a: number, b: number) => a * b },
  '/': { power: 2, apply: (a: number, b: number) => a / b },
  min: { power: 9, apply: (a: number, b: number) => (a < b || Number.isNaN(a) ? a : b) },
  max: { power: 9, apply: (a: number, b: number) => (a > b || Number.isNaN(a) ? a : b) },
} as const;

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('leaf' as const), index: fc.nat(7) }),
    fc.record({
      kind: fc.constant('unary' as const),
      name: fc.constantFrom(...(Object.keys(unary) as (keyof typeof unary)[])),
      a: tie('tree'),
    }),
    fc.record({
      kind: fc.constant('binary' as const),
      name: fc.constantFrom(...(Object.keys(binary) as (keyof typeof binary)[])),
      a: tie('tree'),
      b: tie('tree'),
    }),
    fc.record({
      kind: fc.constant('choice' as const),
      less: fc.tuple(tie('tree'), tie('tree')),
      a: tie('tree'),
      b: tie('tree'),
    }),
  ),
}));

/** With no more parentheses than the precedence asks for. */
function print(node: Tree, leaf: (index: number) => string, outer = 0): string {
  switch (node.kind) {
    case 'leaf':
      return leaf(node.index);
    case 'unary': {
      if (node.name !== '-') return `${node.name}(${print(node.a, leaf)})`;
      const text = `-${print(node.a, leaf, 3)}`;
      return outer > 3 ? `(${text})` : text;
    }
    case 'binary': {
      const { power } = binary[node.name];
      if (power === 9) return `${node.name}(${print(node.a, leaf)}, ${print(node.b, leaf)})`;
      const text = `${print(node.a, leaf, power)} ${node.name} ${print(node.b, leaf, power + 1)}`;
      return outer > power ? `(${text})` : text;
    }
    case 'choice':
      return `if(${print(node.less[0], leaf)} < ${print(node.less[1], leaf)}, ${print(node.a, leaf)}, ${print(node.b, leaf)})`;
    default:
      throw node satisfies never;
  }
}

function evaluate(node: Tree, values: readonly number[]): number {
  switch (node.kind) {
    case 'leaf':
      return values[node.index]!;
    case 'unary':
      return unary[node.name](evaluate(node.a, values));
    case 'binary':
      return binary[node.name].apply(evaluate(node.a, values), evaluate(node.b, values));
    case 'choice': {
      const [x, y] = node.less.map((side) => evaluate(side, values));
      return x! < y! ? evaluate(node.a, values) : evaluate(node.b, values);
    }
    default:
      throw node satisfies never;
  }
}

const numbers = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 8, maxLength: 8 });

describe('any expression', () => {
  it('over constants folds to what it evaluates to', () => {
    fc.assert(
      fc.property(tree, numbers, (node, values) => {
        const program = compileText(print(node, (index) => values[index]!.toString()));
        expect(program.code[header.instructions]).toBe(0);
        expect(evaluateProgramText(program)).toEqual([evaluate(node, values)]);
      }),
    );
  });

  it('over readings evaluates to the same', () => {
    fc.assert(
      fc.property(tree, numbers, (node, values) => {
        const { compile, view } = sensorModel(values);
        const program = compile(print(node, (index) => `s${index}`));
        expect(evaluateProgramText(program, view)).toEqual([evaluate(node, values)]);
      }),
    );
  });

  it('compiles to no more instructions than it has operations', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const { compile } = sensorModel(Array.from({ length: 8 }, () => 1));
        const text = print(node, (index) => `s${index}`);
        const once = compile(text).code[header.instructions]!;
        const twice = compile(`(${text}) + (${text})`).code[header.instructions]!;
        expect(twice).toBe(once + 1);
      }),
    );
  });
});
