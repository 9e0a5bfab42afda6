import type { Comparison, Node } from '#expr/parse';
import type { ExpressionSource } from '#expr/source';

/** An atom of a formula: a comparison of two expressions, or a bare expression (a number that shall not be negative, or
 * a condition). */
export interface Predicate {
  /** As the canonical printer writes it: `gap < 0.004`. */
  readonly text: string;
  /** The expression of its robustness, positive where it holds: `0.004 - gap`; x == c gives -abs(x - c). A bare
   * condition counts +inf or -inf. Its places are those of the formula's text. */
  readonly robustness: ExpressionSource;
  /** False where a robustness of exactly 0 violates it (<, >, !=). */
  readonly holdsAtZero: boolean;
  /** Whether it is a bare expression: only then may the robustness be a condition. */
  readonly bare: boolean;
}

/** Cuts pieces out of the text of a formula: blanks shrink to one, what lies in `removed` is left out. */
export interface Excerpts {
  readonly source: ExpressionSource;
  readonly removed: readonly (readonly [number, number])[];
}

type Piece = string | readonly [start: number, end: number];

/** Joins literal text and pieces of the source; every character still knows its place. */
function compose({ source, removed }: Excerpts, pieces: readonly Piece[]): ExpressionSource {
  let text = '';
  const places: number[] = [];
  let anchor = pieces.find((piece) => typeof piece !== 'string')?.[0] as number;
  const put = (character: string, place: number): void => {
    text += character;
    places.push(place);
  };
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      for (const character of piece) put(character, anchor);
      continue;
    }
    for (let i = piece[0]; i < piece[1]; i++) {
      anchor = i;
      if (removed.some(([start, end]) => i >= start && i < end)) continue;
      const blank = /\s/.test(source.text[i]!);
      if (!blank) put(source.text[i]!, i);
      else if (!text.endsWith(' ')) put(' ', i);
    }
  }
  return { text, locate: (offset) => source.locate(places[offset] ?? anchor + 1) };
}

export function bareAtom(excerpts: Excerpts, node: Node): Predicate {
  const robustness = compose(excerpts, [[node.start, node.end]]);
  return { text: robustness.text, robustness, holdsAtZero: true, bare: true };
}

export function comparisonAtom(excerpts: Excerpts, left: Node, operator: Comparison, right: Node): Predicate {
  const l: Piece = [left.start, left.end];
  const r: Piece = [right.start, right.end];
  return {
    text: compose(excerpts, [l, ` ${operator} `, r]).text,
    robustness: compose(excerpts, robustnessPieces(left, operator, right)),
    holdsAtZero: operator === '<=' || operator === '>=' || operator === '==',
    bare: false,
  };
}

function robustnessPieces(left: Node, operator: Comparison, right: Node): Piece[] {
  switch (operator) {
    case '>':
    case '>=':
      return difference(left, right);
    case '<':
    case '<=':
      return difference(right, left);
    case '==':
      return ['-abs(', ...difference(left, right), ')'];
    case '!=':
      return ['abs(', ...difference(left, right), ')'];
    default:
      throw operator satisfies never;
  }
}

function difference(a: Node, b: Node): Piece[] {
  if (b.kind === 'number' && b.value === 0 && b.unit === 'bare') return [[a.start, a.end]];
  const isSum = b.kind === 'binary' && (b.operator === '+' || b.operator === '-');
  const right: Piece = [b.start, b.end];
  return isSum ? [[a.start, a.end], ' - (', right, ')'] : [[a.start, a.end], ' - ', right];
}
