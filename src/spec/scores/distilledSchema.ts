import { z } from 'zod';

const network = {
  members: z
    .int()
    .min(2)
    .default(3)
    .meta({ description: 'Networks; their spread is what lowers the confidence.' }),
  hidden: z.array(z.int().positive()).min(1).default([64, 64]),
  target: z.enum(['regression', 'classification', 'ranking']).default('regression').meta({
    description:
      'What is learned of a label. regression: its value. classification: which tenth it lies in. ranking: which of two is larger, of any scale.',
  }),
  steps: z.int().positive().default(400).meta({ description: 'Updates of one training.' }),
  labels: z.int().positive().default(20_000).meta({
    description: 'Samples that are learned from, at most; the newest take the place of the oldest.',
  }),
};

/** `distilled`: small networks that have learned from the observation what another score says of pictures. */
export const distilledSchema = z
  .union([
    z.strictObject({
      of: z.string().min(1).meta({ description: 'The score that is learned; one that looks at pictures.' }),
      ...network,
    }),
    z.strictObject({
      file: z
        .string()
        .min(1)
        .meta({ description: 'What an earlier run has learned, relative to this file.' }),
    }),
  ])
  .meta({ description: 'Small networks from the observation to what another score says of pictures.' });

export type DistilledSpec = z.output<typeof distilledSchema>;
export type DistillationSpec = Extract<DistilledSpec, { readonly of: string }>;
