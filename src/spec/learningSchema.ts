import { z } from 'zod';

/** The sections of a task file that say how it is learned: demos, base, residual, evaluation. */

const positive = z.number().positive();
const nonnegative = z.number().nonnegative();
const share = z.number().min(0).max(1);
const count = z.int().positive();
const steps = z.int().nonnegative();
const widths = z.array(count).min(1);
const seed = z.int().nonnegative();

export const demosSchema = z
  .strictObject({
    episodes: count.default(20).meta({ description: 'Episodes to keep.' }),
    seed: seed.default(1000),
    successful_only: z.boolean().default(true).meta({ description: 'Drop episodes that did not succeed.' }),
    attempts: count
      .optional()
      .meta({ description: 'Give up after so many episodes. Default 10 * episodes.' }),
    file: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Read demonstrations from here instead of running the expert.' }),
  })
  .meta({ description: 'Demonstrations for the base and for the demo half of each batch.' });

/** What a remote base is told. Optional, so that run folders of before these keys can be gone on with. */
const remoteKeys = {
  endpoint: z
    .string()
    .regex(/^(tcp|ipc):\/\/.+/, 'tcp://host:port or ipc://path')
    .optional()
    .meta({ description: 'remote: where the policy server listens, tcp://127.0.0.1:5555.' }),
  protocol: z.enum(['vernier', 'groot-n1.5', 'groot-n1.6']).optional().meta({
    description:
      'remote: how the server is spoken to. vernier (default): `vernier serve`; groot-n1.5, groot-n1.6: servers of Isaac GR00T.',
  }),
  encoding: z
    .enum(['groot', 'openpi'])
    .optional()
    .meta({ description: 'remote: how arrays stand in messages. Default: groot.' }),
  timeout_ms: count.optional().meta({ description: 'remote: deadline of one call. Default: 2000.' }),
  reconnect_ms: count.optional().meta({
    description: 'remote: how long calls are repeated when the server does not answer. Default: 10000.',
  }),
  observation: z
    .record(z.string().min(1), z.union([z.string(), z.array(z.string()).min(1)]))
    .optional()
    .meta({
      description:
        "remote: the server's names and the entries of the observation that are sent under them. Default: the whole observation.",
    }),
  text: z
    .record(z.string().min(1), z.string())
    .optional()
    .meta({ description: "remote: instructions, by the server's names." }),
  actions: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .meta({ description: 'remote: keys of the answer, put one behind the other. Default: actions.' }),
  server_key: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "remote: file of the server's public key (CurveZMQ), relative to the task file." }),
  client_keys: z.string().min(1).optional().meta({
    description: 'remote: file of our own keys, where the server asks who we are. Default: new ones.',
  }),
};

/** Fields that only chunk (behaviour cloning) reads are ignored by the other kinds. */
const progressFilterSchema = z.strictObject({
  pace: z.number().default(0.3).meta({
    description:
      'Least steps by which success must come nearer per step; 1 is the pace of the demonstrations that succeed.',
  }),
  folds: count.default(4).meta({
    description: 'Networks; each judges the episodes that the others have seen. 1: one that has seen all.',
  }),
  hidden: widths.default([64, 64]),
  steps: count.default(1500),
  batch: count.default(128),
  learning_rate: positive.default(1e-3),
});
export type ProgressFilterSpec = z.output<typeof progressFilterSchema>;

export const baseSchema = z
  .strictObject({
    kind: z.enum(['chunk', 'onnx', 'remote', 'zero', 'random']).default('chunk').meta({
      description:
        'chunk: cloned from the demos, predicts a chunk of actions; onnx: a file; remote: a policy server; zero; random: uniform.',
    }),
    file: z.string().min(1).optional().meta({ description: 'onnx: the model, relative to the task file.' }),
    ...remoteKeys,
    chunk: count.default(8).meta({ description: 'Actions per inference.' }),
    execute: count
      .optional()
      .meta({ description: 'Actions executed before the next inference. Default: chunk.' }),
    hidden: widths.default([256, 256]),
    steps: count.default(4000).meta({ description: 'Gradient steps.' }),
    batch: count.default(128),
    learning_rate: positive.default(1e-3),
    weight_decay: nonnegative.default(1e-4),
    grad_clip: positive.default(1),
    state_std_floor: positive
      .default(0.1)
      .meta({ description: 'Least standard deviation when observations are z-scored.' }),
    action_range_floor: positive
      .default(0.1)
      .meta({ description: 'Least range of an action when it is scaled to [-1, 1].' }),
    filter: progressFilterSchema.optional().meta({
      description:
        'Clones only the steps of the demonstrations after which success is nearer; for demonstrations of mixed quality (demos.successful_only: false).',
    }),
    mirror: z.boolean().optional().meta({
      description: 'Clones every demonstration and its mirror image; the task needs a `mirror` section.',
    }),
    validation: z
      .number()
      .min(0)
      .max(0.5)
      .default(0.1)
      .meta({ description: 'Share of demo episodes held out.' }),
    seed: seed.default(0),
  })
  .meta({ description: 'The base policy: a black box the residual corrects.' });

const startsSchema = z.strictObject({
  kind: z.enum(['backward', 'medium']).meta({
    description:
      'backward: from the last stage of the demonstrations to the first, as success grows; medium: where success is neither certain nor hopeless.',
  }),
  share: share
    .default(0.5)
    .meta({ description: 'Share of the training episodes; the others begin as the task has it.' }),
  stages: count.default(10).meta({ description: 'Into so many the demonstrations are cut.' }),
  advance: share
    .default(0.7)
    .meta({ description: 'backward: success at which starts move on to the stage before.' }),
  memory: count.default(20).meta({ description: 'Episodes over which success is counted.' }),
});
export type StartsSpec = z.output<typeof startsSchema>;

const imitationSchema = z.strictObject({
  weight: positive
    .default(1)
    .meta({ description: 'Of the squared distance to demonstrated actions, at the beginning.' }),
  decay: count
    .default(5000)
    .meta({ description: 'Environment steps over which the weight falls to 0, in a straight line.' }),
});

const patchesSchema = z.strictObject({
  by: z.enum(['expert', 'base']).default('expert').meta({ description: 'Whose action patches a step.' }),
  beyond: positive.default(1.5).meta({
    description:
      'Distance from all demonstrations, in usual distances between them, beyond which steps are patched.',
  }),
  most: count.default(20).meta({ description: 'Patched steps of an episode.' }),
  until: count.default(5000).meta({ description: 'Environment steps after which nothing is patched.' }),
});
export type PatchesSpec = z.output<typeof patchesSchema>;

const prioritiesSchema = z.strictObject({
  by: z.enum(['error', 'disagreement']).default('error').meta({
    description:
      'error: the temporal-difference error, mean over the critics; disagreement: the standard deviation of the critics.',
  }),
  exponent: share.default(0.6).meta({ description: '0 draws uniformly, 1 in proportion to the priority.' }),
  correction: share
    .default(0.4)
    .meta({ description: "Share of the bias that weights in the critics' loss make up for." }),
});

export const residualSchema = z
  .strictObject({
    algorithm: z.enum(['residual', 'rlpd', 'ibrl']).default('residual').meta({
      description:
        'residual: correct the base (ResFiT); rlpd: no base; ibrl: choose between base and own action.',
    }),
    preset: z.enum(['small', 'resfit']).default('small').meta({
      description: 'Values of the keys not written here: small for short budgets, resfit as published.',
    }),
    steps: count.default(20_000).meta({ description: 'Environment steps, all environments together.' }),
    environments: count.default(16),
    threads: count.optional().meta({ description: 'Stepping threads. Default: the CPUs.' }),
    learner_thread: z
      .boolean()
      .default(false)
      .meta({ description: 'Updates run beside the stepping instead of between.' }),
    seed: seed.default(0),

    scale: z.number().min(0).max(2).default(0.3).meta({
      description:
        'Residual at full tanh, in normalised action units (1 = half the range of the demonstrations); 0 is the base.',
    }),
    scale_warmup: steps.default(0).meta({
      description:
        'Progressive residual: environment steps after the warm-up over which the scale rises from 0.',
    }),
    chunk_phase: z
      .boolean()
      .default(true)
      .meta({ description: "The base's chunk phase is part of the observation." }),

    gamma: z.number().positive().max(1).default(0.98),
    n_step: z.int().min(1).max(64).default(3),
    batch: count.default(128),
    demo_fraction: share
      .default(0.5)
      .meta({ description: 'Share of each batch that comes from demonstrations.' }),
    replay: count.default(200_000).meta({ description: 'Transitions kept.' }),

    mirror: z.boolean().optional().meta({
      description: 'A random half of each batch is seen in the mirror; the task needs a `mirror` section.',
    }),

    starts: startsSchema.optional().meta({
      description: 'Training episodes that begin in states along the demonstrations.',
    }),

    imitation: imitationSchema.optional().meta({
      description: "The actor also imitates the batch's demonstrations, ever less.",
    }),
    patches: patchesSchema.optional().meta({
      description: 'Steps of the expert or the base where an episode has left what demonstrations show.',
    }),

    priorities: prioritiesSchema.optional().meta({
      description: "Draws the agent's own transitions by what there is to learn from them.",
    }),

    critics: z.int().min(1).max(64).default(4),
    min_of: z
      .int()
      .min(1)
      .max(64)
      .default(2)
      .meta({ description: 'The target is the least of so many random critics.' }),
    hidden: widths.default([128, 128]).meta({ description: 'Critic widths.' }),
    actor_hidden: widths.optional().meta({ description: 'Actor widths. Default: hidden.' }),
    layer_norm: z.boolean().default(true),

    actor_lr: positive.default(3e-4),
    critic_lr: positive.default(1e-3),
    weight_decay: nonnegative.default(0),
    grad_clip: nonnegative.default(1).meta({ description: 'Largest norm of a gradient; 0 is off.' }),
    tau: z.number().positive().max(1).default(0.005).meta({ description: 'Polyak rate of the targets.' }),
    actor_target: z.boolean().default(true).meta({ description: 'Targets use a slow copy of the actor.' }),
    utd: positive.default(2).meta({ description: 'Critic updates per environment step.' }),
    actor_every: count.default(2).meta({ description: 'Critic updates per actor update.' }),
    clip_targets: z
      .union([z.literal(false), z.tuple([z.number(), z.number()])])
      .default([0, 1])
      .meta({
        description:
          'Bounds of the Bellman targets, or false. Default false where anything but success gives reward.',
      }),
    residual_penalty: nonnegative
      .default(0)
      .meta({ description: 'Weight of the squared residual in the actor loss.' }),

    exploration_std: nonnegative.default(0.1).meta({
      description: 'Standard deviation of the Gaussian noise added to the residual, in action units.',
    }),
    target_noise_std: nonnegative
      .default(0.1)
      .meta({ description: 'Noise on the target action, in action units.' }),
    target_noise_clip: nonnegative.default(0.3),
    warmup_steps: steps
      .default(1000)
      .meta({ description: 'Environment steps with the base and uniform noise before learning.' }),
    warmup_noise: nonnegative
      .default(0.2)
      .meta({ description: 'Half width of that noise, in action units.' }),
    critic_only_updates: steps
      .default(1000)
      .meta({ description: 'Critic updates after the warm-up before the actor moves.' }),

    temperature: positive.default(0.1).meta({ description: 'rlpd: initial SAC temperature, learned.' }),
    choice_beta: positive
      .default(10)
      .meta({ description: 'ibrl: inverse temperature of the choice between base and own action.' }),

    evaluate_every: count.default(5000).meta({ description: 'Environment steps between evaluations.' }),
    evaluate_episodes: count.default(50),
    checkpoint_every: count.default(5000).meta({ description: 'Environment steps between checkpoints.' }),
    stop_at: share.optional().meta({ description: 'Stop when an evaluation reaches this success rate.' }),
  })
  .meta({ description: 'Off-policy reinforcement on top of the base.' });

export const evaluationSchema = z
  .strictObject({
    episodes: count.default(200),
    seed: seed.default(900_000),
    environments: count.default(32),
  })
  .meta({ description: 'The comparison of base and base + residual, on the same initial states.' });

export type DemosSpec = z.output<typeof demosSchema>;
export type BaseSpec = z.output<typeof baseSchema>;
export type ResidualSpec = z.output<typeof residualSchema>;
export type EvaluationSpec = z.output<typeof evaluationSchema>;

type ResidualInput = z.input<typeof residualSchema>;

/** Published settings, written over the schema's defaults and under the keys of the file.
 * @source Ankile 2025, arXiv:2509.19301, Can/Square column; differs: none */
const presets: Readonly<Record<'small' | 'resfit', ResidualInput>> = {
  small: {},
  resfit: {
    steps: 300_000,
    scale: 0.1,
    gamma: 0.99,
    n_step: 3,
    batch: 256,
    critics: 10,
    min_of: 2,
    hidden: [1024, 1024],
    actor_lr: 1e-6,
    critic_lr: 1e-4,
    tau: 0.005,
    utd: 4,
    actor_every: 4,
    clip_targets: false,
    exploration_std: 0.05,
    target_noise_std: 0.05,
    target_noise_clip: 0.3,
    warmup_steps: 10_000,
    critic_only_updates: 10_000,
    evaluate_every: 10_000,
  },
};

/** What the baselines set differently from the residual, over the preset. */
const algorithms: Readonly<Record<'residual' | 'rlpd' | 'ibrl', ResidualInput>> = {
  residual: {},
  rlpd: {
    scale: 1,
    n_step: 1,
    actor_lr: 3e-4,
    critic_lr: 3e-4,
    exploration_std: 0,
    target_noise_std: 0,
    critic_only_updates: 0,
  },
  ibrl: {
    scale: 1,
    n_step: 3,
    actor_lr: 1e-4,
    critic_lr: 1e-4,
    tau: 0.01,
    exploration_std: 0.1,
    critic_only_updates: 0,
  },
};

/** Writes preset and algorithm under the keys that the file sets itself. Anything malformed is left for the schema. */
export function expandResidual(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const given = raw as Readonly<Record<string, unknown>>;
  const preset = Object.hasOwn(presets, String(given.preset))
    ? (given.preset as 'small' | 'resfit')
    : 'small';
  const algorithm = Object.hasOwn(algorithms, String(given.algorithm))
    ? (given.algorithm as 'residual' | 'rlpd' | 'ibrl')
    : 'residual';
  return { ...presets[preset], ...algorithms[algorithm], ...given };
}
