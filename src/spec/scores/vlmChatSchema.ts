import { z } from 'zod';
import { chatEndpointKeys } from '#spec/scores/chatEndpointSchema';

/** `vlm-chat`: progress as a vision-language model behind an endpoint sees it, in one of four ways. */

const common = {
  ...chatEndpointKeys,
  votes: z.number().int().positive().default(1).meta({
    description: 'How often each question is asked; the mean counts, and the spread lowers the confidence.',
  }),
};

const hops = z.strictObject({
  mode: z.literal('hops'),
  alpha: z.number().positive().default(1).meta({
    description: 'How fast confidence falls where the ways from the start and from the goal disagree.',
  }),
  ...common,
});

const percentages = z.strictObject({
  mode: z.literal('percentages'),
  frames: z.number().int().min(2).default(16).meta({
    description:
      'Moments in one question; longer episodes are asked about in several, each over the whole episode.',
  }),
  ...common,
});

const probability = z.strictObject({
  mode: z.literal('probability'),
  frames: z.number().int().min(1).default(8).meta({
    description:
      'Moments of the episode so far that are shown, evenly spaced, with the one in question last.',
  }),
  calibration: z
    .union([
      z.literal('share'),
      z.literal('episode'),
      z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'expected low < high'),
    ])
    .default('share')
    .meta({
      description:
        'How log p(True) becomes 0 to 1. share: p(True) / (p(True) + p(False)). episode: least and greatest of each episode. [low, high]: log-probabilities that count 0 and 1.',
    }),
  ...common,
});

const expectation = z.strictObject({
  mode: z.literal('expectation'),
  criteria: z.array(z.string().min(1)).default([]).meta({
    description: 'Asked about one by one, and averaged; progress of the task when left out.',
  }),
  ...common,
});

export const vlmChatSchema = z.discriminatedUnion('mode', [hops, percentages, probability, expectation]);

export type VlmChatSpec = z.output<typeof vlmChatSchema>;
export type VlmChatMode<Mode extends VlmChatSpec['mode']> = Extract<VlmChatSpec, { readonly mode: Mode }>;
