import { z } from 'zod';

/** `goal-image`: how much a picture looks like the one of a finished task. */
export const goalImageSchema = z
  .strictObject({
    features: z.literal('pixels').default('pixels').meta({
      description:
        'What pictures are compared by. pixels: the picture itself, without a model; a camera that does not move.',
    }),
  })
  .meta({
    description:
      'Cosine similarity to the picture of a demonstration that succeeded, 0 at its start and 1 at its end.',
  });

export type GoalImageSpec = z.output<typeof goalImageSchema>;
