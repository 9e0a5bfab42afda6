import { type ExpressionSource, expressionError } from '#expr/source';
import { type Dimension, divideUnits, multiplyUnits, powerUnit, type Unit, unitNames } from '#expr/unit';

export type Token =
  | {
      readonly kind: 'number';
      readonly start: number;
      readonly end: number;
      readonly value: number;
      readonly unit: Unit;
    }
  | {
      readonly kind: 'name';
      readonly start: number;
      readonly end: number;
      readonly text: string;
      readonly quoted: boolean;
    }
  | { readonly kind: 'symbol'; readonly start: number; readonly end: number; readonly text: string }
  | { readonly kind: 'end'; readonly start: number; readonly end: number };

const symbols = [
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '^',
  '(',
  ')',
  '[',
  ']',
  ',',
  '.',
  '&',
  '|',
  '!',
];
const spellings: Readonly<Record<string, string>> = {
  '&&': 'and',
  '&': 'and',
  '||': 'or',
  '|': 'or',
  '!': 'not',
};
const keywords = new Set(['and', 'or', 'not']);

/** Splits an expression into tokens; the last one is of kind `end`. Keywords are symbols.
 * @param extraSymbols symbols of a language around the expressions; they win over those of the expressions
 * @throws EXPRESSION at the first character that cannot start a token */
export function tokenize(source: ExpressionSource, extraSymbols: readonly string[] = []): Token[] {
  const known = [...extraSymbols, ...symbols];
  const tokens: Token[] = [];
  const { text } = source;
  let at = 0;
  while (true) {
    at = skipSpace(text, at);
    if (at >= text.length) break;
    const token = readNumber(text, at) ?? readName(source, at) ?? readSymbol(text, at, known);
    if (!token)
      throw expressionError(source, at, `expected an expression, received the character "${text[at]}"`);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', start: text.length, end: text.length });
  return tokens;
}

function skipSpace(text: string, at: number): number {
  return at + /^\s*/.exec(text.slice(at))![0].length;
}

function readNumber(text: string, start: number): Token | undefined {
  const digits = /^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/.exec(text.slice(start))?.[0];
  if (digits === undefined) return undefined;
  const end = start + digits.length;
  const suffix = readUnit(text, end);
  if (!suffix) return { kind: 'number', start, end, value: Number(digits), unit: 'bare' };
  return { kind: 'number', start, end: suffix.end, value: Number(digits) * suffix.factor, unit: suffix.unit };
}

interface Suffix {
  readonly factor: number;
  readonly unit: Dimension;
  readonly end: number;
}

/** `3 mm`, `9.81 m/s^2`, `2 N*m`: a space may stand before the unit, none inside it. */
function readUnit(text: string, at: number): Suffix | undefined {
  let result = readUnitFactor(text, skipSpace(text, at));
  while (result) {
    const operator = text[result.end];
    if (operator !== '/' && operator !== '*') break;
    const next = readUnitFactor(text, result.end + 1);
    if (!next) break;
    const divides = operator === '/';
    result = {
      factor: divides ? result.factor / next.factor : result.factor * next.factor,
      unit: (divides ? divideUnits : multiplyUnits)(result.unit, next.unit) as Dimension,
      end: next.end,
    };
  }
  return result;
}

function readUnitFactor(text: string, at: number): Suffix | undefined {
  const match = /^([A-Za-z]+)(?:\^(-?\d+))?(?![A-Za-z0-9_.(])/.exec(text.slice(at));
  const known = match ? unitNames.get(match[1]!) : undefined;
  if (!match || !known) return undefined;
  const exponent = match[2] === undefined ? 1 : Number(match[2]);
  return {
    factor: known.factor ** exponent,
    unit: powerUnit(known.unit, exponent) as Dimension,
    end: at + match[0].length,
  };
}

function readName(source: ExpressionSource, start: number): Token | undefined {
  const rest = source.text.slice(start);
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
  if (name !== undefined) {
    const end = start + name.length;
    if (keywords.has(name)) return { kind: 'symbol', start, end, text: name };
    return { kind: 'name', start, end, text: name, quoted: false };
  }
  const quote = rest[0];
  if (quote !== "'" && quote !== '"') return undefined;
  const close = rest.indexOf(quote, 1);
  if (close < 0)
    throw expressionError(source, start, `expected a closing ${quote}, received the end of the expression`);
  return { kind: 'name', start, end: start + close + 1, text: rest.slice(1, close), quoted: true };
}

function readSymbol(text: string, start: number, known: readonly string[]): Token | undefined {
  const symbol = known.find((candidate) => text.startsWith(candidate, start));
  if (symbol === undefined) return undefined;
  return { kind: 'symbol', start, end: start + symbol.length, text: spellings[symbol] ?? symbol };
}

/** How a token is called in messages. */
export function describeToken(token: Token, source: ExpressionSource): string {
  return token.kind === 'end'
    ? 'the end of the expression'
    : `"${source.text.slice(token.start, token.end)}"`;
}
