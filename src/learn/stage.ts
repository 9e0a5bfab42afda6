import type { ContainerData } from '#core/container';
import { restoreInto } from '#learn/checkpoint';
import type { LearnEnv } from '#learn/problem';
import type { ScoredRewards } from '#learn/scoredRewards';
import type { Trainer } from '#learn/trainer';
import type { BaseModel } from '#policy/bundle';
import type { Normaliser } from '#policy/normaliser';
import type { ResidualPolicy } from '#policy/residualPolicy';

/** What a run has at hand once it acts and learns. */
export interface Stage {
  readonly trainer: Trainer;
  readonly learned: ResidualPolicy;
  /** The base alone, in the evaluation's rows. */
  readonly alone: ResidualPolicy['base'];
  readonly env: LearnEnv;
  readonly base: BaseModel;
  /** The base the learner builds on: `base`, or none. */
  readonly used: BaseModel;
  readonly normaliser: Normaliser;
  /** Where aids look at scores of models. */
  readonly scored?: ScoredRewards | undefined;
}

/** The parameters that did best in the evaluations that steer the run. */
export interface Best {
  readonly successes: number;
  readonly scale: number;
  readonly values: Readonly<Record<string, ContainerData>>;
}

/** The live parameters that acting reads. */
function actingBlocks(trainer: Trainer): Record<string, ContainerData> {
  const { actor, judge } = trainer.agent.trained();
  return { actor: actor.block.values, ...(judge ? { judge: judge.block.values } : {}) };
}

/** A copy of the parameters that acting reads. */
export function actingValues(trainer: Trainer): Record<string, ContainerData> {
  return Object.fromEntries(
    Object.entries(actingBlocks(trainer)).map(([name, values]) => [name, values.slice()]),
  );
}

/** Puts such a copy in their place. */
export function setActingValues(trainer: Trainer, values: Readonly<Record<string, ContainerData>>): void {
  restoreInto(actingBlocks(trainer), values, 'best');
}
