import { type NumberKind, numberFacts } from '#transport/numberKinds';

/** A default or a constant of a message definition; int64 and uint64 as bigint. */
export type Literal = boolean | number | bigint | string;

/** A number as a definition writes it: decimal, `0x1f`, `0b11`, `0o7`, `1e-3`, true, False.
 * @returns undefined where the text is none, or out of range */
export function numberLiteral(kind: NumberKind, text: string): Literal | undefined {
  if (kind === 'bool') {
    if (/^(true|1)$/i.test(text)) return true;
    return /^(false|0)$/i.test(text) ? false : undefined;
  }
  const { range } = numberFacts(kind);
  if (!range) {
    const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
    return isNumber && Number.isFinite(Number(text)) ? Number(text) : undefined;
  }
  const [, sign, digits] = /^([+-]?)(\d{1,20}|0x[\da-f]{1,16}|0b[01]{1,64}|0o[0-7]{1,22})$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = BigInt(digits) * (sign === '-' ? -1n : 1n);
  if (value < BigInt(range[0]) || value > BigInt(range[1])) return undefined;
  return typeof range[0] === 'bigint' ? value : Number(value);
}

/** A text as a definition writes it: in quotes of either kind with `\` before a quote, or bare.
 * @returns undefined where a quote is not closed, or the text is longer than `bound` bytes of UTF-8 */
export function stringLiteral(bound: number | undefined, text: string): string | undefined {
  const quote = /^["']/.exec(text)?.[0];
  const value = quote ? unquoted(text, quote) : text;
  if (value === undefined || value.includes('\0') || /\p{Surrogate}/u.test(value)) return undefined;
  return bound !== undefined && Buffer.byteLength(value) > bound ? undefined : value;
}

function unquoted(text: string, quote: string): string | undefined {
  const inner = text.slice(1, -1);
  if (text.length < 2 || !text.endsWith(quote)) return undefined;
  const bare = inner.replaceAll('\\\\', '').replaceAll(`\\${quote}`, '');
  if (bare.includes(quote) || bare.endsWith('\\')) return undefined;
  return inner.replace(/\\(["'\\])/g, '$1');
}
