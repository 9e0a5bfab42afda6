/** The compiled form of a formula's monitor: one flat array of numbers that native/stl and its TypeScript twin
 * (#stl/monitor) decode, validate and run, in memory whose size is known here.
 *
 * Layout of `code`: HEADER_WORDS header words; per predicate 1 where a robustness of 0 holds, else 0; OPERATION_WORDS
 * words per operation; NODE_WORDS words per node of the tree. Operation i writes register i from registers below it. */

export const MONITOR_MAGIC = 0x53544c4d;
export const MONITOR_VERSION = 1;
export const MONITOR_HEADER_WORDS = 16;
export const OPERATION_WORDS = 8;
export const NODE_WORDS = 5;

/** Positions of the header words. `value` is the register of the sliding value or -1, `lower` and `upper` those of the
 * bounds; -1 there asks for the bound by the tree, over the whole history, at every sample. */
export const monitorHeader = {
  magic: 0,
  version: 1,
  predicates: 2,
  operations: 3,
  nodes: 4,
  state: 5,
  value: 6,
  delay: 7,
  lower: 8,
  upper: 9,
  /** Samples kept, 0 for none. */
  history: 10,
  /** Samples behind the last known one after which no value changes any more. */
  settling: 11,
  /** A position in `endings`. */
  end: 12,
  /** 1: until includes the sample where its right side holds. */
  closed: 13,
} as const;

export const endings = ['vacuous', 'pessimistic', 'undefined'] as const;

/** An operation is [opcode, a, b, start, p, q, r, state]: a and b are registers, `state` the first of its words in
 * the environment's state, all zero at the start of an episode. It runs from sample `start` on; what is called held and
 * `respond` write their register from the first sample on, and take their operands in from `start`. */
export const monitorOpcode = {
  predicate: 1, // p = index
  constant: 2, // p
  negate: 3,
  min: 4,
  max: 5,
  delay: 6, // a as it was p samples before
  /** Extremum of the last p values of a, of fewer before there are p; all of them where p = 0. The first r runs have no
   * value yet and give the extremum of nothing. */
  windowMin: 7,
  windowMax: 8,
  /** max over i of min(b(i), min of a before i), i in the last p values. */
  until: 9,
  /** Its dual, with min and max exchanged. */
  release: 10,
  /** max over i of min(b(i), min of a behind i), i in the last p values or, where p = 0, in all; r as above. */
  since: 11,
  trigger: 12,
  /** a on runs p to q, r outside. */
  gate: 13,
  /** Max of a over the runs p to q so far; -inf before. */
  heldMax: 14,
  /** Min of a over the runs p to q, -inf before the last of them; with r = 1 over those so far, +inf before. */
  heldMin: 15,
  /** Min over the runs t in [p, q] so far of max(a(t), max of b over runs t to t + r so far); +inf before. */
  respond: 16,
  /** Min over the runs t in [p, q] so far of max(a(t), b until c from run t on), with c the register r and nothing holding
   * behind the present run; +inf before. */
  oweUntil: 17,
  /** Its dual: max over the runs t in [p, q] so far of min(a(t), b release c from run t on); -inf before. */
  oweRelease: 18,
} as const;

/** A node is [kind, a, b, from, to]: a and b are nodes before it; a literal has the predicate in a. */
export const nodeKind = {
  true: 1,
  false: 2,
  atom: 3,
  negated: 4,
  and: 5,
  or: 6,
  always: 7,
  eventually: 8,
  historically: 9,
  once: 10,
  until: 11,
  release: 12,
  since: 13,
  trigger: 14,
} as const;

export interface MonitorProgram {
  /** Self-contained: decoded and fully validated wherever it runs. */
  readonly code: Float64Array;
  readonly predicates: number;
  /** Float64 words per environment. */
  readonly stateWords: number;
  /** Samples by which the sliding value is late: the future horizon of the formula; Infinity: there is none. */
  readonly delay: number;
  /** Registers that hold what the bounds remember, windows apart: with the time they make an observation Markov, but for
   * windows shorter than the episode and what an owed until may still come to. */
  readonly observed: readonly number[];
  /** Whether each bound of the robust interval takes amortised constant time per sample; false: time linear in the
   * samples so far. */
  readonly constantTime: { readonly lower: boolean; readonly upper: boolean };
}
