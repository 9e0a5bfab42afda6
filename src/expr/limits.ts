import { type ExpressionSource, expressionError } from '#expr/source';
import type { Token } from '#expr/tokens';

/** What keeps a hostile text from exhausting the stack or the heap of a parser. */

const maxDepth = 200;

/** @param kind what the text is: `expression` @throws EXPRESSION */
export function requireBrief(
  source: ExpressionSource,
  tokens: readonly Token[],
  most: number,
  kind: string,
): void {
  const excess = tokens[most];
  if (excess) throw expressionError(source, excess.start, `expected at most ${most} words in one ${kind}`);
}

/** How deep a recursive parser is. */
export class Nesting {
  #depth = 0;

  /** @throws EXPRESSION at `offset` */
  enter(source: ExpressionSource, offset: number): void {
    if (++this.#depth > maxDepth) {
      throw expressionError(source, offset, `expected at most ${maxDepth} levels of nesting`);
    }
  }

  leave(): void {
    this.#depth--;
  }
}
