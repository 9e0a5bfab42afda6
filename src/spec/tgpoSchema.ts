import { z } from 'zod';

/** The section of a task file that says how its formula is learned from scratch, by timed subgoals. */

const positive = z.number().positive();
const nonnegative = z.number().nonnegative();
const share = z.number().min(0).max(1);
const count = z.int().positive();

export const tgpoSchema = z
  .strictObject({
    algorithm: z.enum(['tgpo', 'tau_mdp', 'f_mdp', 'sparse']).default('tgpo').meta({
      description:
        'tgpo: plans of timed subgoals; baselines: tau_mdp sees the last observations, f_mdp sees flags, sparse is rewarded at the end alone.',
    }),
    steps: count.default(1_000_000).meta({ description: 'Environment steps, all environments together.' }),
    environments: count.default(128),
    rollout: count.default(32).meta({ description: 'Control steps of each environment between updates.' }),
    threads: count.optional().meta({ description: 'Threads of stepping and learning. Default: the CPUs.' }),
    seed: z.int().nonnegative().default(0),

    hidden: z
      .array(count)
      .min(1)
      .default([64, 64])
      .meta({ description: 'Widths of policy and value network.' }),
    activation: z.enum(['relu', 'tanh', 'gelu', 'silu']).default('tanh'),
    initial_std: positive.default(1).meta({ description: 'First deviation of the actions.' }),
    gamma: positive.max(1).default(0.99),
    lambda: share.default(0.95).meta({ description: 'Of the generalised advantages.' }),
    clip: positive
      .default(0.2)
      .meta({ description: 'Farthest that a ratio of probabilities counts from 1.' }),
    value_clip: nonnegative
      .default(0)
      .meta({ description: 'Farthest that a value moves in a round; 0 is off.' }),
    entropy: nonnegative.default(0.02),
    learning_rate: positive.default(3e-3).meta({
      description: 'The largest. Half of it at first where it is steered, and down to a tenth over the run.',
    }),
    target_kl: nonnegative.default(0.015).meta({
      description: 'Divergence per update that the learning rate is steered to; 0 keeps the rate.',
    }),
    epochs: count.default(4),
    minibatch: count.default(1024),
    grad_clip: nonnegative.default(1).meta({ description: 'Largest norm of a gradient; 0 is off.' }),

    progress: nonnegative.default(5).meta({ description: 'Reward of all stages of a plan together.' }),
    success: nonnegative.default(5).meta({ description: 'Reward where the exact monitor says success.' }),
    failure: nonnegative.default(2).meta({ description: 'Taken off where a plan can no longer be kept.' }),
    distance: positive.optional().meta({
      description:
        'Robustness that counts as one unit of distance. Default: the mean size of the predicates at the start.',
    }),

    uniform_share: share.default(0.2).meta({
      description:
        'Share of episodes with a plan drawn uniformly; the others follow the critic (TGPO*). 1 is TGPO.',
    }),
    temperature: positive.default(0.5).meta({ description: 'Of the Metropolis-Hastings walk over plans.' }),
    chain_steps: count.default(4).meta({ description: 'Steps of the walk per episode.' }),
    practice: share.default(0.3).meta({
      description: 'Share of training episodes that begin in the middle of their plan.',
    }),
    memory: count.default(32).meta({ description: 'tau_mdp: observations that the policy sees.' }),

    candidates: count.default(256).meta({ description: 'Plans that the critic scores before an episode.' }),
    rehearse: z.int().nonnegative().default(8).meta({
      description: 'How many of the best are tried in a simulation first; 0 follows the critic alone.',
    }),

    restart_after: count.default(300_000).meta({
      description:
        'Environment steps after which weights that lead nowhere are given up; the learning rate falls over them.',
    }),
    restart_below: share.default(0.5).meta({ description: 'Success below which they are.' }),
    explore: z.int().nonnegative().default(1_000_000).meta({
      description: 'Environment steps, at most, of exploration where learning leads nowhere; 0 is none.',
    }),
    explore_after: count.default(2).meta({
      description: 'First weights that must have been given up before that.',
    }),
    cell: positive.default(0.25).meta({
      description: 'Exploration: how much robustness is the same place, in units of `distance`.',
    }),
    set_out: share.default(0.6).meta({
      description: 'Share of training episodes that begin on the way that exploration found.',
    }),
    evaluate_every: count.default(50_000).meta({ description: 'Environment steps between evaluations.' }),
    evaluate_episodes: count.default(64),
    checkpoint_every: count.default(200_000).meta({ description: 'Environment steps between checkpoints.' }),
    stop_at: share.default(1).meta({ description: 'Stop when an evaluation reaches this success rate.' }),
  })
  .meta({ description: 'On-policy reinforcement of the formula under `spec`, without demonstrations.' });

export type TgpoSpec = z.output<typeof tgpoSchema>;
