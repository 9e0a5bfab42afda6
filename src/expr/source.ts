import { nearestName, type SourceLocation, VernierError } from '#core/errors';

/** The text of an expression and how to find a character of it in the file it came from. */
export interface ExpressionSource {
  readonly text: string;
  /** Place of the character at `offset` (text.length: just behind the end). */
  locate(offset: number): SourceLocation;
}

/** A source that is not part of a larger file: a command line, a test. */
export function textSource(text: string, file = '<expression>'): ExpressionSource {
  return {
    text,
    locate(offset) {
      const before = text.slice(0, offset).split('\n');
      return { file, line: before.length, column: before.at(-1)!.length + 1 };
    },
  };
}

export function expressionError(source: ExpressionSource, offset: number, message: string): VernierError {
  return new VernierError('EXPRESSION', message, { at: source.locate(offset) });
}

/** `; nearest is "x"`, or nothing when no candidate is near. */
export function nearestHint(name: string, candidates: readonly string[]): string {
  const nearest = name.length < 2 ? undefined : nearestName(name, candidates);
  return nearest === undefined ? '' : `; nearest is "${nearest}"`;
}
