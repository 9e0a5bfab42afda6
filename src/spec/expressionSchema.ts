import { z } from 'zod';

/** Expressions are strings, or bare numbers and truth values; #expr compiles them against the model. */

/** Scores of models stand where they can be credited late. */
const misplacedScore = ({ input }: { readonly input?: unknown }): string | undefined =>
  typeof input === 'object' && input !== null && 'score' in input
    ? 'expected an expression: a score stands under potential, bonus or process only'
    : undefined;

export const expression = z
  .union([z.string().min(1), z.number()], { error: misplacedScore })
  .meta({ description: 'An expression; see docs/expressions.md.' });
export const condition = z
  .union([z.string().min(1), z.boolean()], { error: misplacedScore })
  .meta({ description: 'An expression that is true or false.' });
