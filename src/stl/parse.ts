import type { SourceLocation } from '#core/errors';
import { Nesting, requireBrief } from '#expr/limits';
import { type Comparison, type Node, parseTerm } from '#expr/parse';
import { type ExpressionSource, expressionError, nearestHint, textSource } from '#expr/source';
import { describeToken, type Token, tokenize } from '#expr/tokens';
import {
  and,
  atom,
  binaryTemporal,
  connective,
  type Formula,
  falsehood,
  type Interval,
  not,
  or,
  stepOperator,
  temporal,
  truth,
  unbounded,
} from '#stl/formula';
import { IntervalReader, type TimeOptions } from '#stl/interval';
import { bareAtom, comparisonAtom, type Excerpts, type Predicate } from '#stl/predicate';
import type { Specification, Warning } from '#stl/specification';
import {
  formulaSymbols,
  type InfixKind,
  infixByWord,
  infixPower,
  type PrefixKind,
  prefixByWord,
  prefixPower,
  takesInterval,
} from '#stl/spellings';

/** Parses a formula in any of the spellings of #stl/spellings over the expressions of #expr/parse.
 * @throws EXPRESSION with file, line and column, what was expected and what was received */
export function parseFormula(
  input: string | ExpressionSource,
  options: Partial<TimeOptions> = {},
): Specification {
  const source = typeof input === 'string' ? textSource(input, '<formula>') : input;
  const time: TimeOptions = { unit: 'steps', ...options };
  const parser = new Parser(source, time);
  const { formula } = parser.formula(0);
  parser.expectEnd();
  return {
    text: source.text,
    formula,
    predicates: parser.predicates,
    time,
    warnings: parser.warnings,
  };
}

const maxTokens = 50_000;

const comparisons: Readonly<Record<string, Comparison>> = {
  '<': '<',
  '<=': '<=',
  '≤': '<=',
  '>': '>',
  '>=': '>=',
  '≥': '>=',
  '==': '==',
  '!=': '!=',
  '≠': '!=',
};

const prefixKeywords = [...prefixByWord.keys()].filter((word) => /^[a-z]{2,}$/.test(word));

/** A formula as it was written. */
interface Written {
  readonly formula: Formula;
  /** The infix operator it is made of, where no parentheses close it. */
  readonly infix?: InfixKind;
  /** A temporal prefix operator whose operand is not in parentheses and ends where the text ends. */
  readonly open?: Token;
}

class Parser {
  readonly predicates: Predicate[] = [];
  readonly warnings: Warning[] = [];
  readonly #source: ExpressionSource;
  readonly #tokens: readonly Token[];
  readonly #intervals: IntervalReader;
  readonly #excerpts: Excerpts;
  /** For each index of an opening bracket, that of the closing one. */
  readonly #closing: ReadonlyMap<number, number>;
  #next = 0;
  readonly #nesting = new Nesting();

  constructor(source: ExpressionSource, time: TimeOptions) {
    this.#source = source;
    const tokens = tokenize(source, formulaSymbols);
    requireBrief(source, tokens, maxTokens, 'formula');
    const [kept, removed] = withoutTimeIndices(tokens);
    this.#tokens = kept;
    this.#excerpts = { source, removed };
    this.#closing = matchBrackets(kept);
    this.#intervals = new IntervalReader(source, time, (at, message) => this.#warn(at, message));
  }

  expectEnd(): void {
    const token = this.#peek();
    if (token.kind === 'end') return;
    const words = token.kind === 'name' ? nearestHint(token.text, [...infixByWord.keys()]) : '';
    throw this.#unexpected(token, 'a temporal or logical operator or the end of the formula', words);
  }

  formula(minimum: number): Written {
    this.#nesting.enter(this.#source, this.#peek().start);
    let left = this.#prefix();
    while (true) {
      const token = this.#peek();
      const kind = this.#infixKind(token);
      if (kind === undefined || infixPower[kind] < minimum) break;
      this.#warnOpen(left, token);
      this.#next++;
      left = this.#infix(kind, left, token);
    }
    this.#nesting.leave();
    return left;
  }

  #infix(kind: InfixKind, left: Written, token: Token): Written {
    const interval = takesInterval(kind) ? this.#interval() : unbounded;
    const rightAssociative = kind === 'implies' || infixPower[kind] === infixPower.until;
    const right = this.formula(infixPower[kind] + (rightAssociative ? 0 : 1));
    if (rightAssociative && right.infix !== undefined && infixPower[right.infix] === infixPower[kind]) {
      const operator = this.#text(token);
      this.#warn(
        token.start,
        `a chain of ${operator} reads from the right here, a ${operator} (b ${operator} c), and from the left in rtamt; write the parentheses`,
      );
    }
    const formula = combine(kind, left.formula, right.formula, interval);
    return { formula, infix: kind, ...(right.open ? { open: right.open } : {}) };
  }

  /** In some tools a temporal operator without parentheses reaches to the end of the line. */
  #warnOpen(left: Written, operator: Token): void {
    if (!left.open) return;
    const [prefix, infix] = [this.#text(left.open), this.#text(operator)];
    this.#warn(
      left.open.start,
      `${prefix} binds tighter than ${infix}: this reads (${prefix} a) ${infix} b; write the parentheses, some tools read ${prefix} (a ${infix} b)`,
    );
  }

  #prefix(): Written {
    const token = this.#peek();
    const kind = this.#prefixKind(token);
    if (kind === undefined) return this.#operand();
    this.#next++;
    const interval = takesInterval(kind) ? this.#interval() : unbounded;
    const isClosed =
      (this.#isSymbol('(') && !this.#opensTerm()) || this.#prefixKind(this.#peek()) !== undefined;
    const operand = this.formula(prefixPower);
    const formula = applyPrefix(kind, operand.formula, interval);
    if (kind === 'not') return { formula, ...(operand.open ? { open: operand.open } : {}) };
    return { formula, ...(isClosed && !operand.open ? {} : { open: token }) };
  }

  /** A group, a constant or an atom. */
  #operand(): Written {
    if (this.#isSymbol('(') && !this.#opensTerm()) {
      this.#next++;
      const { formula } = this.formula(0);
      this.#expect(')', 'a temporal or logical operator or ');
      return { formula };
    }
    const [first, constant] = this.#term();
    const operands = [first];
    const operators: Comparison[] = [];
    for (let operator = this.#comparison(); operator; operator = this.#comparison()) {
      this.#next++;
      operands.push(this.#term()[0]);
      operators.push(operator);
    }
    if (operators.length === 0) return { formula: constant ?? this.#atom(bareAtom(this.#excerpts, first)) };
    const pairs = operators.map((operator, i) =>
      this.#atom(comparisonAtom(this.#excerpts, operands[i]!, operator, operands[i + 1]!)),
    );
    return { formula: and(...pairs), ...(pairs.length > 1 ? { infix: 'and' as const } : {}) };
  }

  #term(): [Node, Formula | undefined] {
    const token = this.#peek();
    const starts = token.kind !== 'end' && (token.kind !== 'symbol' || ['(', '[', '-'].includes(token.text));
    if (!starts) throw this.#unexpected(token, 'a formula: an operator, "(", or an expression');
    const { node, next } = parseTerm(this.#source, this.#tokens, this.#next);
    this.#next = next;
    const isConstant =
      node.kind === 'name' && !node.quoted && (node.name === 'true' || node.name === 'false');
    return [node, isConstant ? (node.name === 'true' ? truth : falsehood) : undefined];
  }

  /** The same predicate has one index wherever it stands. */
  #atom(predicate: Predicate): Formula {
    const known = this.predicates.findIndex(({ text }) => text === predicate.text);
    return atom(known >= 0 ? known : this.predicates.push(predicate) - 1);
  }

  #interval(): Interval {
    if (!this.#isSymbol('[')) return unbounded;
    const [interval, next] = this.#intervals.read(this.#tokens, this.#next);
    this.#next = next;
    return interval;
  }

  /** Whether the "(" that comes next belongs to an expression, as in `(a + b) * 2 > 3`. */
  #opensTerm(): boolean {
    const close = this.#closing.get(this.#next);
    const behind = close === undefined ? undefined : this.#tokens[close + 1];
    return behind?.kind === 'symbol' && /^([-+*/^.]|\[|[<>!=]=?|==|[≤≥≠])$/u.test(behind.text);
  }

  #comparison(): Comparison | undefined {
    const token = this.#peek();
    return token.kind === 'symbol' ? comparisons[token.text] : undefined;
  }

  #infixKind(token: Token): InfixKind | undefined {
    return wordOf(token, infixByWord, this.#tokens[this.#next + 1]);
  }

  /** The prefix operator the token is. One capital letter is a name where no operand follows: `F > 3`. */
  #prefixKind(token: Token): PrefixKind | undefined {
    const kind = wordOf(token, prefixByWord, this.#tokens[this.#next + 1]);
    if (kind === undefined || token.kind !== 'name' || token.text.length > 1) return kind;
    const behind = this.#tokens[this.#next + 1]!;
    const isOperandless =
      behind.kind === 'end' ||
      (behind.kind === 'name' && infixByWord.has(behind.text)) ||
      (behind.kind === 'symbol' &&
        !['(', '[', '-', 'not'].includes(behind.text) &&
        !prefixByWord.has(behind.text));
    return isOperandless ? undefined : kind;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #isSymbol(symbol: string): boolean {
    const token = this.#peek();
    return token.kind === 'symbol' && token.text === symbol;
  }

  #expect(symbol: string, alternative = ''): void {
    if (!this.#isSymbol(symbol)) throw this.#unexpected(this.#peek(), `${alternative}"${symbol}"`);
    this.#next++;
  }

  #text(token: Token): string {
    return this.#source.text.slice(token.start, token.end);
  }

  #warn(offset: number, message: string): void {
    const at: SourceLocation = this.#source.locate(offset);
    this.warnings.push({ at, message });
  }

  #unexpected(token: Token, expected: string, more = ''): Error {
    // `eventualy x > 3` fails at x: the word before is the slip.
    const before = this.#tokens[this.#next - 1];
    const slip = before?.kind === 'name' && !before.quoted ? nearestHint(before.text, prefixKeywords) : '';
    const message = `expected ${expected}, received ${describeToken(token, this.#source).replace('expression', 'formula')}`;
    return expressionError(this.#source, token.start, `${message}${more || slip}`);
  }
}

/** The operator a word stands for; a temporal one may end in _ before an interval, as in Breach. */
function wordOf<Kind>(
  token: Token,
  table: ReadonlyMap<string, Kind>,
  behind: Token | undefined,
): Kind | undefined {
  if (token.kind === 'symbol') return table.get(token.text);
  if (token.kind !== 'name' || token.quoted) return undefined;
  const beforeInterval = behind?.kind === 'symbol' && (behind.text === '[' || behind.text === '(');
  const word = token.text.endsWith('_') && beforeInterval ? token.text.slice(0, -1) : token.text;
  return table.get(word);
}

function applyPrefix(kind: PrefixKind, operand: Formula, interval: Interval): Formula {
  switch (kind) {
    case 'not':
      return not(operand);
    case 'next':
    case 'prev':
    case 'rise':
    case 'fall':
      return stepOperator(kind, operand);
    default:
      return temporal(kind, operand, interval);
  }
}

function combine(kind: InfixKind, left: Formula, right: Formula, interval: Interval): Formula {
  switch (kind) {
    case 'and':
      return and(left, right);
    case 'or':
      return or(left, right);
    case 'implies':
    case 'iff':
    case 'xor':
      return connective(kind, left, right);
    default:
      return binaryTemporal(kind, left, right, interval);
  }
}

/** Drops the [t] of Breach's x[t]. @returns the tokens that stay and the places of what went */
function withoutTimeIndices(tokens: readonly Token[]): [Token[], [number, number][]] {
  const kept: Token[] = [];
  const removed: [number, number][] = [];
  for (let i = 0; i < tokens.length; i++) {
    const [open, name, close] = [tokens[i]!, tokens[i + 1], tokens[i + 2]];
    const isIndex =
      kept.at(-1)?.kind === 'name' &&
      open.kind === 'symbol' &&
      open.text === '[' &&
      name?.kind === 'name' &&
      name.text === 't' &&
      close?.kind === 'symbol' &&
      close.text === ']';
    if (isIndex) removed.push([open.start, close.end]);
    if (isIndex) i += 2;
    else kept.push(open);
  }
  return [kept, removed];
}

function matchBrackets(tokens: readonly Token[]): Map<number, number> {
  const closing = new Map<number, number>();
  const open: number[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'symbol') continue;
    if (token.text === '(') open.push(i);
    if (token.text === ')' && open.length > 0) closing.set(open.pop()!, i);
  }
  return closing;
}
