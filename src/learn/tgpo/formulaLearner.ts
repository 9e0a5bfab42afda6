import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import type { ActorCritic } from '#learn/ppo';
import { FlagView, HistoryView, SparseView } from '#learn/tgpo/baselineViews';
import type { EpisodeView, FormulaEnv } from '#learn/tgpo/episodeView';
import { type Explored, explore } from '#learn/tgpo/exploration';
import { FormulaTrainer } from '#learn/tgpo/formulaTrainer';
import { PlanChooser } from '#learn/tgpo/planChooser';
import { PlanScorer } from '#learn/tgpo/planScorer';
import { CHAINS, PlanSource } from '#learn/tgpo/planSource';
import { PlanView } from '#learn/tgpo/planView';
import { StageTracker } from '#learn/tgpo/stages';
import { ViewPolicy } from '#learn/tgpo/viewPolicy';
import type { CompileOptions } from '#nn/compile';
import type { Policy } from '#policy/policy';
import type { ResolvedTask } from '#spec/resolved';
import type { TgpoSpec } from '#spec/tgpoSchema';
import { AllocationSpace } from '#stl/allocation';
import { decompose } from '#stl/decompose';

/** Puts together what learns the formula of a task, and what acts on it afterwards. */

/** Stream of the plans that acting draws. */
const ACTING = 7;

export interface ActingOptions {
  /** Of the plans that are drawn. */
  readonly seed: number;
  readonly compile: CompileOptions;
  /** For rehearsals: as many rows of the same task, without automatic reset. */
  readonly simulation?: FormulaEnv;
}

export class FormulaLearner {
  readonly settings: TgpoSpec;
  /** Robustness that counts as one unit. */
  readonly distance: number;
  readonly #horizon: number;
  readonly #space: AllocationSpace | undefined;

  /** @param distance as `distanceOf` finds it
   * @throws SPEC where the task has no formula, or one that cannot be decomposed */
  constructor(task: ResolvedTask, settings: TgpoSpec, distance: number) {
    const specification = task.monitors?.specification;
    if (!specification)
      throw new VernierError('SPEC', `${task.file}: tgpo learns a formula, and the task has none`, {
        hint: 'tell success by a formula under `spec`',
      });
    this.settings = settings;
    this.distance = distance;
    this.#horizon = task.horizon;
    if (settings.algorithm !== 'tgpo') return;
    const texts = specification.parts.flatMap(({ predicates }) => predicates.map(({ text }) => text));
    const options =
      typeof task.spec.spec === 'object' && 'until' in task.spec.spec ? task.spec.spec : undefined;
    this.#space = new AllocationSpace(
      decompose(specification.formula, {
        samples: task.horizon + 1,
        predicateText: (predicate) => texts[predicate]!,
        ...(options ? { until: options.until } : {}),
      }),
    );
  }

  /** What was left of the formula's ways to be satisfied, a line each; empty where the decomposition is exact. */
  get conservative(): readonly string[] {
    return (this.#space?.decomposition.conservative ?? []).map(({ text, reason }) => `${text}: ${reason}`);
  }

  makeTrainer(env: FormulaEnv, compile: CompileOptions): FormulaTrainer {
    const { settings } = this;
    const space = this.#space;
    if (!space) {
      const view = this.#baselineView(env);
      return new FormulaTrainer({ env, settings, compile, makeView: () => view });
    }
    const source = new PlanSource(space, settings);
    let scorer: PlanScorer | undefined;
    return new FormulaTrainer({
      env,
      settings,
      compile,
      plans: source,
      onClose: () => scorer?.close(),
      makeView: (networks) =>
        new PlanView(env, this.#tracker(space, env, env.B), {
          choose: (rows) => {
            scorer ??= new PlanScorer(networks(), this.#tracker(space, env, CHAINS), compile);
            return source.choose(env, rows, scorer);
          },
          practise: (plan) => source.practise(plan),
          setOut: (guide) => source.setOut(guide),
          success: settings.success,
        }),
    });
  }

  /** Looks for a way to complete the formula.
   * @param steps environment steps, at most
   * @param env as many environments as are to set out at once, without automatic reset
   * @throws STATE for a baseline, which has no plans */
  explore(env: FormulaEnv, steps: number): Explored {
    const space = this.#space;
    if (!space) throw new VernierError('STATE', `${this.settings.algorithm} explores on its own`);
    const { cell, seed } = this.settings;
    const tracker = this.#tracker(space, env, env.B);
    return explore(env, { space, tracker, steps, size: cell * this.distance, seed });
  }

  /** What was learned, acting in the rows of one environment. */
  makePolicy(env: FormulaEnv, networks: ActorCritic, options: ActingOptions): Policy {
    const { settings } = this;
    const { compile, seed, simulation } = options;
    const space = this.#space;
    if (!space) return new ViewPolicy(env, this.#baselineView(env), networks, compile);
    const chooser = new PlanChooser(space, networks, env.predicates.length / env.B, {
      candidates: settings.candidates,
      rehearse: settings.rehearse,
      rewards: this.#rewards,
      draws: new Draws(seed, ACTING),
      compile,
      ...(simulation ? { simulation } : {}),
    });
    const view = new PlanView(env, this.#tracker(space, env, env.B), {
      choose: (rows) => chooser.choose(env, rows),
    });
    return closingToo(new ViewPolicy(env, view, networks, compile), chooser);
  }

  #tracker(space: AllocationSpace, env: FormulaEnv, rows: number): StageTracker {
    return new StageTracker(space.decomposition, rows, env.predicates.length / env.B, this.#rewards);
  }

  get #rewards() {
    const { progress, failure } = this.settings;
    return { progress, failure, distance: this.distance };
  }

  #baselineView(env: FormulaEnv): EpisodeView {
    const { algorithm, memory, progress: weight } = this.settings;
    const options = { horizon: this.#horizon, weight, distance: this.distance, memory };
    switch (algorithm) {
      case 'tau_mdp':
        return new HistoryView(env, options);
      case 'f_mdp':
        return new FlagView(env, options);
      case 'sparse':
        return new SparseView(env, options);
      default:
        throw new VernierError('STATE', `${algorithm} is no baseline`);
    }
  }
}

/** The mean size of the predicates' robustness over the environments' first samples: the scale of the task's distances. */
export function distanceOf({ predicates }: Pick<FormulaEnv, 'predicates'>, settings: TgpoSpec): number {
  if (settings.distance !== undefined) return settings.distance;
  const mean = predicates.reduce((sum, x) => sum + Math.abs(x), 0) / Math.max(1, predicates.length);
  return Number.isFinite(mean) && mean > 0 ? mean : 1;
}

/** A policy that closes what it chooses its plans with. */
function closingToo(policy: ViewPolicy, chooser: PlanChooser): Policy {
  const { B, O, A } = policy;
  return {
    B,
    O,
    A,
    reset: (mask) => policy.reset(mask),
    act: (observation, outAction, mask) => policy.act(observation, outAction, mask),
    close: () => {
      policy.close();
      chooser.close();
    },
  };
}
