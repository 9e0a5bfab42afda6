import type { RunConfig } from '#learn/train';
import {
  baseSchema,
  demosSchema,
  evaluationSchema,
  expandResidual,
  residualSchema,
} from '#spec/learningSchema';

/** Settings for the kinematic peg that train in seconds. */
export function smallRun(
  residual: Readonly<Record<string, unknown>> = {},
  rest: {
    readonly base?: Readonly<Record<string, unknown>>;
    readonly demos?: Readonly<Record<string, unknown>>;
    readonly evaluation?: Readonly<Record<string, unknown>>;
    readonly backend?: 'native' | 'reference';
  } = {},
): RunConfig {
  const { base, demos, evaluation, backend } = rest;
  return {
    demos: demosSchema.parse({ episodes: 15, ...demos }),
    base: baseSchema.parse({ hidden: [32, 32], steps: 600, batch: 32, validation: 0, ...base }),
    residual: residualSchema.parse(
      expandResidual({
        steps: 3000,
        environments: 8,
        hidden: [32, 32],
        critics: 2,
        batch: 32,
        critic_lr: 1e-3,
        actor_lr: 3e-4,
        replay: 20_000,
        warmup_steps: 800,
        critic_only_updates: 400,
        utd: 1,
        evaluate_every: 100_000,
        checkpoint_every: 100_000,
        ...residual,
      }),
    ),
    evaluation: evaluationSchema.parse({ episodes: 200, environments: 50, ...evaluation }),
    ...(backend === undefined ? {} : { backend }),
  };
}
