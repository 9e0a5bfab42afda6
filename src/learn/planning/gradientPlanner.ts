import { PhiloxStream } from '#core/philox';
import type { Plan } from '#learn/planning/cem';
import { type DynamicsModel, type GraphState, stepGraph } from '#learn/planning/dynamicsGraph';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import * as nn from '#nn/graph';
import { adamW } from '#nn/optimizer';
import { smoothRobustness } from '#reward/smoothRobustness';
import { robustness } from '#stl/evaluate';
import type { Formula, SemanticsOptions } from '#stl/formula';

/** What there is to plan: a formula over predicates that are functions of the joints. */
export interface DifferentiableProblem {
  readonly model: DynamicsModel;
  /** Joint positions and velocities at sample 0. */
  readonly start: { readonly q: readonly number[]; readonly v: readonly number[] };
  /** Entries of an action, and control steps. */
  readonly A: number;
  readonly T: number;
  readonly formula: Formula;
  readonly until: SemanticsOptions['until'];
  /** The robustness of each predicate over the samples of some trajectories. @shape q, v, results [B,T+1] */
  predicates(trajectory: GraphState): readonly nn.Tensor[];
}

export interface GradientPlannerOptions {
  /** Trajectories that are improved side by side, from random actions. */
  readonly restarts: number;
  readonly iterations: number;
  readonly learningRate: number;
  /** Sharpness of the smooth extrema at first and at last; geometric between. */
  readonly sharpness: readonly [number, number];
  readonly seed: number;
  /** Stops when a trajectory has this robustness. */
  readonly enough: number;
}

export const defaultGradientPlanner: GradientPlannerOptions = {
  restarts: 16,
  iterations: 300,
  learningRate: 0.05,
  sharpness: [2, 20],
  seed: 0,
  enough: 0.05,
};

/** Iterations between two looks at the exact robustness. */
const lookEvery = 10;

/** Climbs the smooth robustness of open-loop trajectories through the dynamics by Adam; actions are put back into [-1, 1]
 * after each step. The plan's robustness is the exact one, of the trajectory that the graph computes in float32: play it
 * in the environment before it counts. The graph grows with T times substeps, its memory with T times the widest window;
 * the native engine takes some thousand operations in a chain, above which `how` must name the reference backend.
 * @source Leung, Arechiga, Pavone 2021, arXiv:2008.00097 (STLCG), Sec. VI; differs: log-sum-exp with rising sharpness,
 * projected actions, restarts side by side */
export function planByGradient(
  problem: DifferentiableProblem,
  options: Partial<GradientPlannerOptions> = {},
  how: CompileOptions = {},
): Plan {
  const settings = { ...defaultGradientPlanner, ...options };
  const search = new GradientSearch(problem, settings, how);
  try {
    return search.run();
  } finally {
    search.close();
  }
}

class GradientSearch {
  readonly #problem: DifferentiableProblem;
  readonly #settings: GradientPlannerOptions;
  readonly #actions: nn.ParameterBlock;
  readonly #program: Program;
  readonly #predicates: readonly ArrayLike<number>[];
  readonly #best: Float32Array;
  #bestRobustness = Number.NEGATIVE_INFINITY;

  constructor(problem: DifferentiableProblem, settings: GradientPlannerOptions, how: CompileOptions) {
    const { A, T } = problem;
    const { restarts: B } = settings;
    this.#problem = problem;
    this.#settings = settings;
    this.#best = new Float32Array(T * A);
    this.#actions = new nn.ParameterBlock('actions', { rng: new PhiloxStream(settings.seed, 0x47524144) });
    const trajectory = unroll(problem, this.#actions, B);
    const predicates = problem.predicates(trajectory);
    const sharpness = nn.input('sharpness', [1]);
    const scaled = predicates.map((signal) => nn.mul(signal, sharpness));
    const value = smoothRobustness(
      problem.formula,
      scaled,
      { kind: 'lse', sharpness: 1 },
      { until: problem.until },
    );
    const loss = nn.neg(nn.sum(nn.div(value, sharpness)));
    const outputs = Object.fromEntries(predicates.map((signal, p) => [`predicate${p}`, signal]));
    // Given as gradients, because the last actions of a trajectory may move nothing that counts.
    const gradients = nn.grad(loss, this.#actions.tensors);
    const update = adamW({ block: this.#actions, gradients, learningRate: settings.learningRate });
    this.#program = compile(
      { name: 'gradient planner', outputs: { loss, ...outputs }, updates: [update] },
      how,
    );
    this.#predicates = predicates.map((_, p) => outputOf(this.#program, `predicate${p}`));
  }

  run(): Plan {
    const { iterations, sharpness, restarts, enough } = this.#settings;
    const [first, last] = sharpness;
    const now = inputOf(this.#program, 'sharpness');
    const { values } = this.#actions;
    const before = new Float32Array(values.length);
    const history: number[] = [];
    let done = 0;
    while (done < iterations && !(this.#bestRobustness >= enough)) {
      now[0] = first * (last / first) ** (done / Math.max(1, iterations - 1));
      before.set(values);
      this.#program.run();
      for (let i = 0; i < values.length; i++) values[i] = Math.max(-1, Math.min(1, values[i]!));
      if (done % lookEvery === 0 || done === iterations - 1) {
        this.#look(before);
        history.push(this.#bestRobustness);
      }
      done++;
    }
    return {
      actions: this.#best,
      robustness: this.#bestRobustness,
      evaluations: done * restarts,
      history,
    };
  }

  close(): void {
    this.#program.close();
  }

  /** Keeps the best of the trajectories of these actions. */
  #look(values: Float32Array): void {
    const { T, A, formula, until } = this.#problem;
    for (let row = 0; row < this.#settings.restarts; row++) {
      const signals = this.#predicates.map((signal) =>
        Float64Array.from({ length: T + 1 }, (_, t) => signal[row * (T + 1) + t]!),
      );
      const exact = robustness(formula, signals, { until })[0]!;
      if (!(exact > this.#bestRobustness)) continue;
      this.#bestRobustness = exact;
      for (let t = 0; t < T; t++) {
        for (let a = 0; a < A; a++) {
          const { name, entry, width } = placeOf(T, A, t, a);
          this.#best[t * A + a] = values[this.#actions.offsetOf(name) + row * width + entry]!;
        }
      }
    }
  }
}

/** Most tensors of a block that the engine takes; longer plans keep several steps in one. */
const mostTensors = 200;

/** Where an action stands in its block: the tensor's name and the entry of a row, of `width` in all. */
function placeOf(T: number, A: number, t: number, a: number): { name: string; entry: number; width: number } {
  const steps = Math.ceil(T / mostTensors);
  return { name: `${Math.floor(t / steps)}`, entry: (t % steps) * A + a, width: steps * A };
}

/** The trajectories of the block's actions, which it declares. @shape each of the results [B,T+1] */
function unroll(
  { model, start, T, A }: DifferentiableProblem,
  actions: nn.ParameterBlock,
  B: number,
): GraphState {
  const column = (value: number): nn.Tensor => nn.constant(new Float64Array(B).fill(value), [B, 1]);
  let state: GraphState = { q: start.q.map(column), v: start.v.map(column) };
  const states = [state];
  for (let t = 0; t < T; t++) {
    const action = Array.from({ length: A }, (_, a) => {
      const { name, entry, width } = placeOf(T, A, t, a);
      if (entry === 0) {
        actions.add(name, [B, width], (rng, out) => {
          for (let i = 0; i < out.length; i++) out[i] = rng.uniform() - 0.5;
        });
      }
      return nn.slice(actions.tensor(name), 1, entry, entry + 1);
    });
    state = stepGraph(model, state, action);
    states.push(state);
  }
  const over = (of: (state: GraphState) => readonly nn.Tensor[]): nn.Tensor[] =>
    of(state).map((_, k) =>
      nn.concat(
        states.map((at) => of(at)[k]!),
        1,
      ),
    );
  return { q: over(({ q }) => q), v: over(({ v }) => v) };
}
