import { z } from 'zod';

/** The section of a task file that says how `vernier distill` makes a small student of a trained policy. */

const positive = z.number().positive();
const nonnegative = z.number().nonnegative();
const share = z.number().min(0).max(1);
const count = z.int().positive();

export const distillSchema = z
  .strictObject({
    steps: count.default(60_000).meta({ description: 'Environment steps of the student, all together.' }),
    environments: count.default(16),
    rollout: count.default(64).meta({ description: 'Control steps of each environment between updates.' }),
    seed: z.int().nonnegative().default(0),
    hidden: z.array(count).min(1).default([64, 64]).meta({ description: "The student's widths." }),
    teacher: nonnegative.default(1).meta({
      description: "Weight of the squared distance to the teacher's actions, in normalised units.",
    }),
    imitate: share.default(0.5).meta({
      description:
        'Share of the steps at the beginning in which the student only imitates, on its own states.',
    }),
    reinforce: nonnegative
      .default(0.1)
      .meta({ description: 'Weight of the reinforcement after that; 0 is imitation alone.' }),
    initial_std: positive
      .default(0.1)
      .meta({ description: 'Deviation of the actions, in normalised units.' }),
    gamma: positive.max(1).default(0.98),
    lambda: share.default(0.95).meta({ description: 'Of the generalised advantages.' }),
    clip: positive
      .default(0.2)
      .meta({ description: 'Farthest that a ratio of probabilities counts from 1.' }),
    learning_rate: positive.default(1e-3),
    epochs: count.default(4),
    minibatch: count.default(256),
    grad_clip: nonnegative.default(1).meta({ description: 'Largest norm of a gradient; 0 is off.' }),
    evaluate_every: count.default(10_000).meta({ description: 'Environment steps between evaluations.' }),
    evaluate_episodes: count.default(50),
  })
  .meta({ description: 'How `vernier distill` makes one small network of base and residual.' });

export type DistillSpec = z.output<typeof distillSchema>;
