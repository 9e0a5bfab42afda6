import { z } from 'zod';
import { chatEndpointKeys } from '#spec/scores/chatEndpointSchema';

/** `pairwise`: moments of an episode ranked by which of two a vision-language model finds nearer to the goal. */
export const pairwiseSchema = z
  .strictObject({
    rounds: z.number().int().positive().optional().meta({
      description:
        'Rounds in which neighbours in the ranking meet. Default: as many as make T log2(T) comparisons of T moments.',
    }),
    describe: z.boolean().default(false).meta({
      description: 'Lets the model describe both pictures first, and asks for its preference after that.',
    }),
    ...chatEndpointKeys,
  })
  .meta({
    description: 'Both orders of each pair are asked; where they disagree, nothing is learned from it.',
  });

export type PairwiseSpec = z.output<typeof pairwiseSchema>;
