import { z } from 'zod';
import { condition, expression } from '#spec/expressionSchema';

/** The reward section of a task file. Terms are the task's own reward; all other entries add signal on the way to it,
 * worked out by src/reward while learning, and are no part of what the task is. */

const conditions = z.array(condition).min(1);

/** What a model says of each sample, in the place of an expression of the state. */
const scoreReference = z.strictObject({
  score: z.string().min(1).meta({ description: 'One of `scores`.' }),
  confidence: z.number().min(0).max(1).default(0).meta({
    description: 'Samples of which the scorer is less sure than this count as missing.',
  }),
});
const judged = z.union([expression, scoreReference]);

/** What every entry but a term may have; `limited`: what those that add to an episode may have. */
const common = {
  name: z.string().min(1).optional(),
  weight: z.number().default(1),
  gate: condition.optional().meta({
    description:
      'Counts only in episodes at whose last sample this holds, and only once they are over: `success`, or an earlier milestone.',
  }),
};
const limited = {
  ...common,
  cap: z.number().positive().default(0.9).meta({
    description:
      'Most that the entry adds up to in an episode, either way. Below 1, success stays the larger reward.',
  }),
};
const cell = z
  .number()
  .positive()
  .meta({ description: 'Size of the cells the value is sorted into, in its unit.' });

const term = z.strictObject({
  name: common.name,
  term: expression.meta({
    description: 'Reward of each step; the sum of all terms is in the place of 1 on success.',
  }),
  weight: common.weight,
});

const potential = z.strictObject({
  potential: z.union([expression, scoreReference, z.array(judged).min(2)]).meta({
    description:
      'How good a state is, 0 to 1: each step adds gamma * the new value - the old one, which leaves the best policy the same. Several: an ensemble, its mean counts.',
  }),
  veto: z
    .number()
    .positive()
    .optional()
    .meta({ description: 'Of an ensemble: nothing is added where its standard deviation is larger.' }),
  ...limited,
});

const bonus = z.strictObject({
  bonus: judged.meta({
    description:
      'A score of each step, added as it is. It moves the best policy where it can be collected without success: prefer a potential, or a gate.',
  }),
  ...limited,
});

const stages = z.strictObject({
  stages: conditions.meta({
    description: 'Milestones in order; each adds its share once, when it holds and all before it have held.',
  }),
  ...limited,
});

const partial = z.strictObject({
  partial: conditions.meta({
    description:
      'Parts of the goal. An episode without success ends with their share that came to hold, less the share that was undone.',
  }),
  inaction: z
    .number()
    .nonnegative()
    .default(0.1)
    .meta({ description: 'Taken off, times the weight, where no part changed at all.' }),
  ...limited,
});

const process = z.strictObject({
  process: judged.meta({ description: "A score of each step's outcome, as of a model of progress." }),
  form: z.enum(['clip', 'delta']).default('delta').meta({
    description:
      'clip: min(score - margin, 0). delta: score - next score, the last one whole, so that the sum is bounded.',
  }),
  margin: z.number().default(0),
  ...limited,
});

const novelty = z.strictObject({
  novelty: expression.meta({
    description: 'What states are told apart by; a rare cell adds more, in the whole run.',
  }),
  cell,
  exponent: z.number().positive().default(0.5).meta({ description: 'Adds 1 / visits^exponent.' }),
  ...limited,
});

const coverage = z.strictObject({
  coverage: expression.meta({
    description: 'What states are told apart by; each cell adds 1 once per episode.',
  }),
  cell,
  ...limited,
});

const attribution = z.strictObject({
  factors: z.array(expression).min(1).meta({
    description:
      'What steps may be judged by. A regression of the return on their sums spreads it over the steps that earned it.',
  }),
  ridge: z.number().positive().default(1).meta({ description: 'Of the regression.' }),
  ...common,
});

const softPenalty = z.strictObject({
  factor: expression.meta({
    description: 'In [0, 1]: what the other entries add is multiplied by it where it is positive.',
  }),
  name: common.name,
});

export const rewardSchema = z
  .union([
    z.literal('sparse'),
    z
      .array(
        z.union([
          term,
          potential,
          bonus,
          stages,
          partial,
          process,
          novelty,
          coverage,
          attribution,
          softPenalty,
        ]),
      )
      .min(1),
  ])
  .default('sparse')
  .meta({
    description:
      'sparse: 1 on success. Or a list: terms, whose weighted sum is the reward of each step, and aids on the way; see docs/rewards.md.',
  });

export type RewardSpec = z.output<typeof rewardSchema>;
export type ScoreReferenceSpec = z.output<typeof scoreReference>;
export type RewardEntrySpec = Exclude<RewardSpec, 'sparse'>[number];
