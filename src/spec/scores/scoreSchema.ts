import { z } from 'zod';
import { clipSchema } from '#spec/scores/clipSchema';
import { distilledSchema } from '#spec/scores/distilledSchema';
import { goalImageSchema } from '#spec/scores/goalImageSchema';
import { pairwiseSchema } from '#spec/scores/pairwiseSchema';
import { vlmChatSchema } from '#spec/scores/vlmChatSchema';

/** The scores section of a task file: named judges of pictures, each of one backend, the key that tells which. */

/** What can judge, by its key. `makeScorer` in src/reward/scorers.ts makes a scorer of each. */
export const scoreBackends = {
  clip: clipSchema,
  'goal-image': goalImageSchema,
  'vlm-chat': vlmChatSchema,
  pairwise: pairwiseSchema,
} as const;

export type ScoreKind = keyof typeof scoreBackends;

const common = {
  cameras: z.array(z.string().min(1)).min(1).optional().meta({
    description: "What it sees, in this order. Default: all of the task's cameras.",
  }),
  every: z.int().positive().default(5).meta({
    description: 'Every so many control steps a sample is scored; its score holds until the next one.',
  }),
  batch: z.int().positive().default(16).meta({
    description: 'Pictures that the model is shown in one call, at most.',
  }),
  pause: z.number().positive().default(10).meta({
    description: 'Seconds that a model is left alone for after it has failed three times in a row.',
  }),
  instruction: z.string().min(1).optional().meta({
    description: "What is to be done, in words. Default: the task's description.",
  }),
};

const kinds = Object.keys(scoreBackends) as ScoreKind[];
const keys = [...kinds, 'distilled'] as const;
/** Each backend under its key, none of them required by itself. */
const backends = Object.fromEntries(kinds.map((kind) => [kind, scoreBackends[kind].optional()])) as {
  readonly [K in ScoreKind]: z.ZodOptional<(typeof scoreBackends)[K]>;
};
const scoreSchema = z
  .strictObject({ ...backends, distilled: distilledSchema.optional(), ...common })
  .refine((score) => keys.filter((key) => score[key] !== undefined).length === 1, {
    error: `expected exactly one of ${keys.join(', ')}`,
    when: ({ issues }) => issues.length === 0,
  });

export const scoresSchema = z.record(z.string().min(1), scoreSchema).default({}).meta({
  description:
    'Models that judge pictures of the task, by name; entries of `reward` use them as {score: name}. See docs/rewards.md.',
});

export type ScoresSpec = z.output<typeof scoresSchema>;

/** The backend of a score with its settings. */
export type ScoreBackend = {
  [K in ScoreKind]: { readonly kind: K; readonly settings: z.output<(typeof scoreBackends)[K]> };
}[ScoreKind];
