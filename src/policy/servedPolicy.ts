import { z } from 'zod';

/** What a policy server says of its policy when it is asked for `metadata`: enough to know whether it fits. */

const name = z.string().max(1000);

export const servedPolicySchema = z.object({
  server: z.literal('vernier'),
  task: name,
  task_hash: name,
  robot_hash: name,
  /** Seconds. */
  control_period: z.number().positive(),
  observation: z
    .array(z.object({ name, length: z.int().positive(), unit: name }))
    .max(10_000)
    .readonly(),
  /** Names of the action's numbers, each in [-1, 1]. */
  actions: z.array(name).min(1).max(1000).readonly(),
  /** H, actions in an answer. */
  chunk: z.int().positive().max(10_000),
  /** How many of them are meant to be executed before the next is asked for. */
  execute: z.int().positive(),
  /** What tells this policy from others; answers carry it too. */
  fingerprint: name,
  /** Whether the answer depends on earlier calls of the same session. */
  stateful: z.boolean(),
});

export type ServedPolicy = z.output<typeof servedPolicySchema>;
