import { z } from 'zod';

/** Expressions are strings, or bare numbers and truth values; #expr compiles them against the model. */

export const expression = z
  .union([z.string().min(1), z.number()])
  .meta({ description: 'An expression; see docs/expressions.md.' });
export const condition = z
  .union([z.string().min(1), z.boolean()])
  .meta({ description: 'An expression that is true or false.' });
