import { z } from 'zod';
import { calibrationSchema } from '#spec/scores/calibrationSchema';

const prompts = z
  .union([
    z
      .string()
      .min(1)
      .transform((text) => [text]),
    z.array(z.string().min(1)).min(1),
  ])
  .meta({ description: 'A sentence, or several whose mean is taken.' });

/** `clip`: how well a picture fits a sentence. */
export const clipSchema = z
  .strictObject({
    model: z.string().min(1).meta({
      description:
        'Folder of a CLIP or SigLIP model as ONNX, laid out as Hugging Face does; from the task file.',
    }),
    variant: z.string().min(1).optional().meta({
      description:
        "What stands behind the networks' names, such as quantized. Default: full precision where there is one.",
    }),
    goal: prompts.optional().meta({ description: "The goal in words. Default: the score's instruction." }),
    baseline: prompts.optional().meta({ description: 'The state that is to be left, in words.' }),
    alpha: z.number().min(0).max(1).optional().meta({
      description:
        'How much of what does not lie between baseline and goal is left out: 0 is the cosine to the goal. Default: 0.5 with a baseline, else 0.',
    }),
    calibrate: calibrationSchema.default({ low: 0, high: 1 }),
    threads: z.int().positive().default(1).meta({ description: 'CPU threads of the networks.' }),
  })
  .refine(({ alpha, baseline }) => !alpha || baseline !== undefined, {
    error: 'alpha needs a baseline',
    path: ['alpha'],
  })
  .meta({ description: "VLM-RM's goal-baseline reward by a model of pictures and texts." });

export type ClipSpec = z.output<typeof clipSchema>;
