import type { Draws } from '#core/draws';
import type { ActorCritic } from '#learn/ppo';
import type { FormulaEnv } from '#learn/tgpo/episodeView';
import { PlanScorer } from '#learn/tgpo/planScorer';
import { PlanView } from '#learn/tgpo/planView';
import { type StageRewards, StageTracker } from '#learn/tgpo/stages';
import { ViewPolicy } from '#learn/tgpo/viewPolicy';
import type { CompileOptions } from '#nn/compile';
import type { Allocation, AllocationSpace } from '#stl/allocation';

export interface PlanChooserOptions {
  /** Plans drawn and scored for each episode. */
  readonly candidates: number;
  /** How many of the best are tried in `simulation`, in the order of their scores, until one succeeds. */
  readonly rehearse: number;
  readonly rewards: StageRewards;
  readonly draws: Draws;
  readonly compile: CompileOptions;
  /** As many rows of the same task as the environment that is acted in, without automatic reset. */
  readonly simulation?: FormulaEnv;
}

/** Chooses the plan of an episode before it begins: many are drawn, the critic ranks them, and where there is a simulation
 * the best are tried in it first, from the very state the environment is in, judged by the exact monitor.
 * @source Meng, Chen, Fan 2025, arXiv:2510.00225, Sec. IV (inference); differs: the best few are rehearsed and compared by
 * the robustness they reach */
export class PlanChooser {
  readonly #space: AllocationSpace;
  readonly #options: PlanChooserOptions;
  readonly #scorer: PlanScorer;
  readonly #rehearsal: Rehearsal | undefined;

  constructor(
    space: AllocationSpace,
    networks: ActorCritic,
    predicates: number,
    options: PlanChooserOptions,
  ) {
    const { candidates, rewards, rehearse, simulation, compile } = options;
    this.#space = space;
    this.#options = options;
    const tracker = new StageTracker(space.decomposition, candidates, predicates, rewards);
    this.#scorer = new PlanScorer(networks, tracker, compile);
    this.#rehearsal =
      simulation && rehearse > 0
        ? new Rehearsal(simulation, space, networks, predicates, { rewards, compile })
        : undefined;
  }

  /** The plans for the episodes that these rows are about to begin. */
  choose(env: FormulaEnv, rows: Int32Array): Allocation[] {
    const ranked = Array.from(rows, (row) => this.#ranked(env, row));
    if (!this.#rehearsal) return ranked.map((plans) => plans[0]!);
    return this.#rehearsal.best(env, rows, ranked);
  }

  /** The critic's best plans for one row, best first. */
  #ranked(env: FormulaEnv, row: number): Allocation[] {
    const { candidates, draws, rehearse } = this.#options;
    const plans = Array.from({ length: candidates }, () => this.#space.sample(draws));
    const scores = new Float32Array(candidates);
    this.#scorer.score(env, new Int32Array(candidates).fill(row), plans, scores);
    const order = [...plans.keys()].sort((a, b) => scores[b]! - scores[a]!);
    return order.slice(0, Math.max(1, rehearse)).map((i) => plans[i]!);
  }

  close(): void {
    this.#scorer.close();
    this.#rehearsal?.close();
  }
}

/** Tries plans in a simulation. */
class Rehearsal {
  readonly #simulation: FormulaEnv;
  readonly #policy: ViewPolicy;
  #plans: Allocation[] = [];

  constructor(
    simulation: FormulaEnv,
    space: AllocationSpace,
    networks: ActorCritic,
    predicates: number,
    options: { readonly rewards: StageRewards; readonly compile: CompileOptions },
  ) {
    this.#simulation = simulation;
    const tracker = new StageTracker(space.decomposition, simulation.B, predicates, options.rewards);
    const view = new PlanView(simulation, tracker, { choose: () => this.#plans });
    this.#policy = new ViewPolicy(simulation, view, networks, options.compile);
  }

  /** @param ranked per row of `rows`, as many plans for each */
  best(env: FormulaEnv, rows: Int32Array, ranked: readonly (readonly Allocation[])[]): Allocation[] {
    const simulation = this.#simulation;
    const state = env.getState();
    const chosen = ranked.map((plans) => plans[0]!);
    const robustness = new Float64Array(rows.length).fill(Number.NEGATIVE_INFINITY);
    const solved = new Uint8Array(rows.length);
    for (let k = 0; k < ranked[0]!.length; k++) {
      const open = [...rows.keys()].filter((i) => solved[i] === 0);
      if (open.length === 0) break;
      simulation.setState(state);
      simulation.observation.set(env.observation);
      simulation.predicates.set(env.predicates);
      simulation.active.fill(0);
      for (const i of open) simulation.active[rows[i]!] = 1;
      this.#plans = open.map((i) => ranked[i]![k]!);
      this.#run();
      for (const i of open) {
        const row = rows[i]!;
        solved[i] = simulation.success[row]!;
        const reached = simulation.finalRobustness[row]!;
        if (solved[i] === 0 && !(reached > robustness[i]!)) continue;
        robustness[i] = reached;
        chosen[i] = ranked[i]![k]!;
      }
    }
    return chosen;
  }

  /** To the end of the episode of every active row; their outcomes stay in the simulation's buffers. */
  #run(): void {
    const simulation = this.#simulation;
    const outcome = { success: new Uint8Array(simulation.B), robustness: new Float64Array(simulation.B) };
    this.#policy.reset();
    let left = simulation.active.reduce((sum, active) => sum + active, 0);
    while (left > 0) {
      this.#policy.act(simulation.observation, simulation.action);
      simulation.step();
      for (let row = 0; row < simulation.B; row++) {
        if (simulation.active[row] === 0) continue;
        if (simulation.terminated[row] === 0 && simulation.truncated[row] === 0) continue;
        outcome.success[row] = simulation.success[row]!;
        outcome.robustness[row] = simulation.finalRobustness[row]!;
        simulation.active[row] = 0;
        left--;
      }
    }
    simulation.success.set(outcome.success);
    simulation.finalRobustness.set(outcome.robustness);
  }

  close(): void {
    this.#policy.close();
  }
}
