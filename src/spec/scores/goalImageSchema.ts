import { z } from 'zod';
import { calibrationSchema } from '#spec/scores/calibrationSchema';

const networkSchema = z.strictObject({
  model: z.string().min(1).meta({
    description:
      'Folder with the image network as ONNX and its preprocessor_config.json; a path, from the task file.',
  }),
  network: z
    .string()
    .min(1)
    .default('vision_model')
    .meta({ description: "The network's file, without .onnx." }),
  output: z.string().min(1).optional().meta({
    description:
      'The output that has a feature for each place, [B,C,H,W] or [B,T,C]. Default: the first of such a shape.',
  }),
  threads: z.int().positive().default(1).meta({ description: 'CPU threads of the network.' }),
});

/** `goal-image`: how much a picture looks like the one of a finished task. */
export const goalImageSchema = z
  .strictObject({
    features: z
      .union([z.literal('pixels'), networkSchema])
      .default('pixels')
      .meta({
        description:
          'What pictures are compared by. pixels: the picture itself, without a model; else what a network sees in each place.',
      }),
    goal: z
      .union([
        z
          .string()
          .min(1)
          .transform((path) => [path]),
        z.array(z.string().min(1)).min(1),
      ])
      .optional()
      .meta({
        description:
          'PNG file of the goal, one for each camera in their order. Default: the end of a demonstration that succeeded.',
      }),
    calibrate: calibrationSchema.optional().meta({
      description:
        'Raw similarities, in [-1, 1], that count as 0 and as 1. Default: that of the start of a demonstration, and 1.',
    }),
  })
  .meta({
    description:
      'Cosine similarity to a picture of the goal, 0 at the start of a demonstration and 1 at the goal.',
  });

export type GoalImageSpec = z.output<typeof goalImageSchema>;
