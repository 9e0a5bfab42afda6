import type { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { conditionRobustness } from '#stl/condition';
import { type Decomposition, isActive, sampleOf } from '#stl/decomposition';
import { TimeNetwork } from '#stl/timeNetwork';

/** Allocations: which branch of every disjunction, and when. */

export interface Allocation {
  /** The option of each choice; -1 where the choice does not arise. @shape [C] */
  readonly choices: Int32Array;
  /** The sample of each time variable; -1 where it does not arise. @shape [K] */
  readonly times: Int32Array;
}

/** Rounds of Gibbs sampling behind each draw of times. */
const sweeps = 4;

/** Draws of options before a search settles whether any times fit. */
const attempts = 64;

/** The allocations of a decomposition: networks are tightened once for each set of options and kept. */
export class AllocationSpace {
  readonly decomposition: Decomposition;
  readonly #networks = new Map<string, TimeNetwork | undefined>();
  readonly #kept: Uint8Array;
  readonly #first: Allocation;

  /** @throws SPEC where no allocation satisfies the constraints */
  constructor(decomposition: Decomposition) {
    this.decomposition = decomposition;
    this.#kept = new Uint8Array(decomposition.variables.length);
    this.#first = this.empty();
    if (!this.#search(0, this.#first.choices)) {
      throw new VernierError('SPEC', `no times satisfy the formula within ${decomposition.samples} samples`, {
        hint: 'lengthen the episode, or widen the intervals that bound the same instants',
      });
    }
  }

  empty(): Allocation {
    const { choices, variables } = this.decomposition;
    return {
      choices: new Int32Array(choices.length).fill(-1),
      times: new Int32Array(variables.length).fill(-1),
    };
  }

  /** The tightened constraints of a set of options, undefined where they contradict each other. */
  network(choices: Int32Array): TimeNetwork | undefined {
    const key = choices.join();
    const known = this.#networks.get(key);
    if (known || this.#networks.has(key)) return known;
    const network = this.#tighten(choices, choices.length);
    this.#networks.set(key, network);
    return network;
  }

  /** Options uniformly at every choice that arises, given that some times fit; then times as TimeNetwork.sample does. */
  sample(draws: Draws, out: Allocation = this.empty()): Allocation {
    let network: TimeNetwork | undefined;
    for (let attempt = 0; attempt < attempts && !network; attempt++) {
      this.#drawOptions(draws, out.choices);
      network = this.network(out.choices);
    }
    if (!network) {
      out.choices.set(this.#first.choices);
      network = this.network(out.choices)!;
    }
    out.times.fill(-1);
    network.sample(draws, out.times, sweeps);
    return out;
  }

  /** Whether the allocation keeps the decomposition's constraints. */
  contains({ choices, times }: Allocation): boolean {
    const { decomposition } = this;
    const isConsistent = decomposition.choices.every(({ active, options }, i) =>
      isActive(active, choices) ? choices[i]! >= 0 && choices[i]! < options : choices[i] === -1,
    );
    const arises = decomposition.variables.every(
      ({ active }, i) => isActive(active, choices) === times[i]! >= 0,
    );
    return isConsistent && arises && this.network(choices)?.contains(times) === true;
  }

  /** Proposes another allocation, or the same: one time anew, a shared shift of one time and what follows from it, another
   * branch with times for what it brings, or all anew.
   * @returns ln q(from | out) - ln q(out | from), to which Metropolis and Hastings add the change of the log target;
   * -Infinity where the proposal breaks a constraint and is to be refused */
  propose(draws: Draws, from: Allocation, out: Allocation): number {
    out.choices.set(from.choices);
    out.times.set(from.times);
    const move = draws.below(8);
    if (move === 7) return this.#renew(draws, from, out);
    if (move >= 5 && this.decomposition.choices.length > 0) return this.#flip(draws, from, out);
    const network = this.network(from.choices)!;
    if (move >= 3) this.#shift(draws, network, out.times);
    else network.moveOne(draws, out.times);
    return 0;
  }

  #shift(draws: Draws, network: TimeNetwork, outTimes: Int32Array): void {
    const { variables } = network;
    if (variables.length === 0) return;
    const first = variables[draws.below(variables.length)]!;
    const isSubtree = draws.below(2) === 0;
    const end = isSubtree ? this.decomposition.variables[first]!.end : outTimes.length;
    network.shift(draws, first, end, outTimes);
  }

  #renew(draws: Draws, from: Allocation, out: Allocation): number {
    const kept = this.#kept.fill(0);
    this.#drawOptions(draws, out.choices);
    out.times.fill(-1);
    const network = this.network(out.choices);
    if (!network) return Number.NEGATIVE_INFINITY;
    const forward = network.extend(draws, kept, out.times) - this.#logOptions(out.choices);
    const back =
      this.network(from.choices)!.logProbability(kept, from.times) - this.#logOptions(from.choices);
    return back - forward;
  }

  #flip(draws: Draws, from: Allocation, out: Allocation): number {
    const { choices, variables } = this.decomposition;
    const arising = count(from.choices);
    if (arising === 0) return 0;
    const flipped = nth(from.choices, draws.below(arising));
    const { options } = choices[flipped]!;
    const option = draws.below(options - 1);
    out.choices[flipped] = option + (option >= from.choices[flipped]! ? 1 : 0);
    for (let i = flipped + 1; i < choices.length; i++) {
      const arises = isActive(choices[i]!.active, out.choices);
      if (!arises) out.choices[i] = -1;
      else if (from.choices[i] === -1) out.choices[i] = draws.below(choices[i]!.options);
    }
    const kept = this.#kept;
    for (const [v, { active }] of variables.entries()) {
      const arises = isActive(active, out.choices);
      if (!arises) out.times[v] = -1;
      kept[v] = arises && from.times[v] !== -1 ? 1 : 0;
    }
    const network = this.network(out.choices);
    if (!network) return Number.NEGATIVE_INFINITY;
    // The options that stay cancel.
    const forward =
      network.extend(draws, kept, out.times) - this.#logOptions(out.choices) - Math.log(arising);
    const back =
      this.network(from.choices)!.logProbability(kept, from.times) -
      this.#logOptions(from.choices) -
      Math.log(count(out.choices));
    return forward === Number.NEGATIVE_INFINITY ? forward : back - forward;
  }

  /** Minus the log of the probability that `drawOptions` draws them. */
  #logOptions(options: Int32Array): number {
    let log = 0;
    for (const [i, option] of options.entries()) {
      if (option !== -1) log += Math.log(this.decomposition.choices[i]!.options);
    }
    return log;
  }

  #drawOptions(draws: Draws, outChoices: Int32Array): void {
    for (const [i, { active, options }] of this.decomposition.choices.entries()) {
      outChoices[i] = isActive(active, outChoices) ? draws.below(options) : -1;
    }
  }

  /** Finds options that some times fit, depth first. */
  #search(choice: number, outChoices: Int32Array): boolean {
    const { choices } = this.decomposition;
    if (this.#tighten(outChoices, choice) === undefined) return false;
    const next = choices[choice];
    if (next === undefined) return true;
    if (!isActive(next.active, outChoices)) return this.#search(choice + 1, outChoices);
    for (let option = 0; option < next.options; option++) {
      outChoices[choice] = option;
      if (this.#search(choice + 1, outChoices)) return true;
    }
    outChoices[choice] = -1;
    return false;
  }

  /** With the options of the first `known` choices. */
  #tighten(choices: Int32Array, known: number): TimeNetwork | undefined {
    const { variables, constraints, samples } = this.decomposition;
    const options = known < choices.length ? choices.map((c, i) => (i < known ? c : -1)) : choices;
    const arising = [...variables.keys()].filter((v) => isActive(variables[v]!.active, options));
    return TimeNetwork.tighten(
      arising,
      constraints.filter(({ active }) => isActive(active, options)),
      samples - 1,
    );
  }
}

/** How many choices arise. */
function count(options: Int32Array): number {
  let arising = 0;
  for (const option of options) if (option !== -1) arising++;
  return arising;
}

/** The n-th choice that arises. */
function nth(options: Int32Array, n: number): number {
  let left = n;
  for (let i = 0; ; i++) if (options[i] !== -1 && left-- === 0) return i;
}

/** The least margin of an allocation: of its subgoals at their times and its invariants in their windows; -Infinity where
 * it breaks a constraint. Never above the robustness of the formula at sample 0 (`end: vacuous`).
 * @param trace robustness of the predicates by sample, as VectorEnv writes them @shape trace [samples,P] */
export function allocationRobustness(
  decomposition: Decomposition,
  { choices, times }: Allocation,
  trace: Float64Array,
): number {
  const { samples, subgoals, invariants, constraints } = decomposition;
  const width = trace.length / samples;
  if (!Number.isInteger(width)) {
    throw new VernierError('SHAPE', `expected ${samples} rows, received ${trace.length} numbers`);
  }
  const time = (variable: number): number => (variable < 0 ? 0 : times[variable]!);
  for (const { left, right, bound, active } of constraints) {
    if (isActive(active, choices) && time(left) - time(right) > bound) return Number.NEGATIVE_INFINITY;
  }
  let margin = Number.POSITIVE_INFINITY;
  for (const { condition, time: at, active } of subgoals) {
    if (!isActive(active, choices)) continue;
    const sample = sampleOf(at, times);
    if (sample >= samples) return Number.NEGATIVE_INFINITY;
    margin = Math.min(margin, conditionRobustness(condition, trace, sample * width));
  }
  for (const { condition, from, to, active } of invariants) {
    if (!isActive(active, choices)) continue;
    const end = Math.min(samples - 1, sampleOf(to, times));
    for (let sample = sampleOf(from, times); sample <= end; sample++) {
      margin = Math.min(margin, conditionRobustness(condition, trace, sample * width));
    }
  }
  return margin;
}

/** Whether every subgoal is reached at its time and every invariant kept, margins of 0 included. It implies that the
 * robustness of the formula is at least 0; with rows of #stl/evaluate's truthSignals, that the formula holds. */
export function satisfies(
  decomposition: Decomposition,
  allocation: Allocation,
  trace: Float64Array,
): boolean {
  return allocationRobustness(decomposition, allocation, trace) >= 0;
}
