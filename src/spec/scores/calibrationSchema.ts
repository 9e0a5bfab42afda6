import { z } from 'zod';

/** What a score counts as 0 and as 1; fixed, so that the same picture always has the same score. */
export const calibrationSchema = z
  .strictObject({ low: z.number(), high: z.number() })
  .refine(({ low, high }) => low < high, { error: 'low must be below high' })
  .meta({ description: 'Raw scores that count as 0 and as 1; see docs/rewards.md for how to measure them.' });
