import { Nesting, requireBrief } from '#expr/limits';
import { type ExpressionSource, expressionError } from '#expr/source';
import { describeToken, type Token, tokenize } from '#expr/tokens';
import type { Unit } from '#expr/unit';

export type BinaryOperator = '+' | '-' | '*' | '/' | '^' | 'and' | 'or';
export type Comparison = '<' | '<=' | '>' | '>=' | '==' | '!=';

/** A node covers text[start, end). */
interface Extent {
  readonly start: number;
  readonly end: number;
}

export type Node = Extent &
  (
    | { readonly kind: 'number'; readonly value: number; readonly unit: Unit }
    | { readonly kind: 'name'; readonly name: string; readonly quoted: boolean }
    | {
        readonly kind: 'member';
        readonly object: Node;
        readonly member: string;
        readonly memberStart: number;
      }
    | { readonly kind: 'index'; readonly object: Node; readonly index: Node }
    | { readonly kind: 'call'; readonly name: string; readonly parameters: readonly Node[] }
    | { readonly kind: 'vector'; readonly items: readonly Node[] }
    | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Node }
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly operatorStart: number;
        readonly left: Node;
        readonly right: Node;
      }
    /** a < b <= c: each neighbouring pair must hold. */
    | {
        readonly kind: 'comparison';
        readonly operands: readonly Node[];
        readonly operators: readonly { readonly operator: Comparison; readonly start: number }[];
      }
  );

const comparisons: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!=']);

/** Binding powers, loose to tight. */
const power = {
  or: 10,
  and: 20,
  not: 30,
  comparison: 40,
  sum: 50,
  product: 60,
  negate: 70,
  exponent: 80,
} as const;
const binaryPower: Readonly<Record<string, number>> = {
  or: power.or,
  and: power.and,
  '+': power.sum,
  '-': power.sum,
  '*': power.product,
  '/': power.product,
  '^': power.exponent,
};

const maxTokens = 2000;

/** Parses the whole text as one expression.
 * @throws EXPRESSION with the place, what was expected and what was received */
export function parseExpression(source: ExpressionSource): Node {
  const tokens = tokenize(source);
  requireBrief(source, tokens, maxTokens, 'expression');
  const parser = new Parser(source, tokens, 0);
  const node = parser.expression(0);
  parser.expectEnd();
  return node;
}

/** Parses one side of a comparison (arithmetic, but no comparison, `and`, `or`) out of the tokens of a longer text.
 * @returns the node and the index of the token behind it */
export function parseTerm(
  source: ExpressionSource,
  tokens: readonly Token[],
  at: number,
): { readonly node: Node; readonly next: number } {
  const parser = new Parser(source, tokens, at);
  const node = parser.expression(power.comparison + 1);
  return { node, next: parser.next };
}

class Parser {
  readonly #source: ExpressionSource;
  readonly #tokens: readonly Token[];
  #next: number;
  readonly #nesting = new Nesting();

  constructor(source: ExpressionSource, tokens: readonly Token[], at: number) {
    this.#source = source;
    this.#tokens = tokens;
    this.#next = at;
  }

  /** Index of the token to be read next. */
  get next(): number {
    return this.#next;
  }

  expectEnd(): void {
    const token = this.#peek();
    if (token.kind !== 'end') throw this.#unexpected(token, 'an operator or the end of the expression');
  }

  expression(minimum: number): Node {
    this.#nesting.enter(this.#source, this.#peek().start);
    let left = this.#prefix();
    for (let token = this.#peek(); token.kind === 'symbol'; token = this.#peek()) {
      const binds = comparisons.has(token.text) ? power.comparison : binaryPower[token.text];
      if (binds === undefined || binds < minimum) break;
      left = binds === power.comparison ? this.#comparison(left) : this.#binary(left, token, binds);
    }
    this.#nesting.leave();
    return left;
  }

  #binary(left: Node, token: Token & { readonly kind: 'symbol' }, binds: number): Node {
    this.#next++;
    // The exponent binds to the right, and below a minus sign: 2^-1.
    const right = this.expression(token.text === '^' ? power.negate : binds + 1);
    const operator = token.text as BinaryOperator;
    return {
      kind: 'binary',
      operator,
      operatorStart: token.start,
      left,
      right,
      start: left.start,
      end: right.end,
    };
  }

  #comparison(first: Node): Node {
    const operands = [first];
    const operators: { operator: Comparison; start: number }[] = [];
    for (
      let token = this.#peek();
      token.kind === 'symbol' && comparisons.has(token.text);
      token = this.#peek()
    ) {
      this.#next++;
      operators.push({ operator: token.text as Comparison, start: token.start });
      operands.push(this.expression(power.comparison + 1));
    }
    return { kind: 'comparison', operands, operators, start: first.start, end: operands.at(-1)!.end };
  }

  #prefix(): Node {
    const token = this.#peek();
    if (token.kind !== 'symbol' || (token.text !== '-' && token.text !== 'not')) return this.#postfix();
    this.#next++;
    const operand = this.expression(token.text === '-' ? power.negate : power.not);
    return { kind: 'unary', operator: token.text, operand, start: token.start, end: operand.end };
  }

  #postfix(): Node {
    let node = this.#primary();
    while (true) {
      if (this.#accept('.')) {
        const token = this.#peek();
        if (token.kind !== 'name' || token.quoted) throw this.#unexpected(token, 'the name of a member');
        this.#next++;
        node = {
          kind: 'member',
          object: node,
          member: token.text,
          memberStart: token.start,
          start: node.start,
          end: token.end,
        };
      } else if (this.#accept('[')) {
        const index = this.expression(0);
        const end = this.#expect(']');
        node = { kind: 'index', object: node, index, start: node.start, end };
      } else {
        return node;
      }
    }
  }

  #primary(): Node {
    const token = this.#peek();
    this.#next++;
    if (token.kind === 'number') {
      return { kind: 'number', value: token.value, unit: token.unit, start: token.start, end: token.end };
    }
    if (token.kind === 'name') return this.#nameOrCall(token);
    if (token.kind === 'symbol' && token.text === '(') {
      const inner = this.expression(0);
      return { ...inner, start: token.start, end: this.#expect(')') };
    }
    if (token.kind === 'symbol' && token.text === '[') {
      const [items, end] = this.#list(']');
      return { kind: 'vector', items, start: token.start, end };
    }
    throw this.#unexpected(token, 'a number, a name, a vector or "("');
  }

  #nameOrCall(token: Token & { readonly kind: 'name' }): Node {
    if (token.quoted || !this.#accept('(')) {
      return { kind: 'name', name: token.text, quoted: token.quoted, start: token.start, end: token.end };
    }
    const [parameters, end] = this.#list(')');
    return { kind: 'call', name: token.text, parameters, start: token.start, end };
  }

  /** Comma-separated expressions up to `close`; one comma may trail. */
  #list(close: ')' | ']'): [Node[], number] {
    const items: Node[] = [];
    while (true) {
      const token = this.#peek();
      if (token.kind === 'symbol' && token.text === close) break;
      items.push(this.expression(0));
      if (!this.#accept(',')) break;
    }
    return [items, this.#expect(close, '"," or ')];
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #accept(symbol: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#next++;
    return true;
  }

  #expect(symbol: string, alternative = ''): number {
    const token = this.#peek();
    if (!this.#accept(symbol)) throw this.#unexpected(token, `${alternative}"${symbol}"`);
    return token.end;
  }

  #unexpected(token: Token, expected: string): Error {
    return expressionError(
      this.#source,
      token.start,
      `expected ${expected}, received ${describeToken(token, this.#source)}`,
    );
  }
}
