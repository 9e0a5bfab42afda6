import {
  defaultSemantics,
  type Formula,
  horizon,
  negationNormalForm,
  not,
  type SemanticsOptions,
} from '#stl/formula';
import { lowerBound } from '#stl/monitorBounds';
import { MonitorBuilder } from '#stl/monitorBuilder';
import {
  endings,
  MONITOR_HEADER_WORDS,
  MONITOR_MAGIC,
  MONITOR_VERSION,
  type MonitorProgram,
  monitorHeader,
  monitorOpcode,
} from '#stl/monitorProgram';
import { MonitorTree, settlingTime, simplify } from '#stl/monitorTree';

export interface MonitorOptions extends SemanticsOptions {
  /** Per predicate, whether a robustness of exactly 0 satisfies it, as in `Specification.predicates`. Default: all. */
  readonly holdsAtZero?: readonly boolean[];
  /** Most samples of an episode. Without it a formula with an unbounded future keeps no history, and has no value at a
   * `vacuous` end. */
  readonly samples?: number;
  /** `value`: the sliding value alone; `interval`: the robust interval at the first sample alone. Default: both. */
  readonly outputs?: 'both' | 'interval' | 'value';
}

/** Compiles a formula to its streaming monitor: the sliding value (streams, see #stl/monitorBuilder) and the robust
 * interval of the value at the first sample (see #stl/monitorBounds; its upper bound is the lower one of the negation).
 * A bound that the streams do not cover is worked out from the whole history at every sample.
 * @param predicates how many there are; the atoms' indices are below it */
export function compileMonitor(
  formula: Formula,
  predicates: number,
  options: Partial<MonitorOptions> = {},
): MonitorProgram {
  const { until, end, outputs = 'both', samples, holdsAtZero } = { ...defaultSemantics, ...options };
  const positive = simplify(negationNormalForm(formula));
  const builder = new MonitorBuilder(until === 'closed');
  const value = outputs === 'interval' ? undefined : builder.stream(positive);
  const hasInterval = outputs !== 'value';
  const unknown = hasInterval ? undefined : builder.constant(Number.NEGATIVE_INFINITY).register;
  const lower = unknown ?? lowerBound(builder, positive);
  const negated = unknown ?? lowerBound(builder, simplify(negationNormalForm(not(formula))));
  const upper = negated === undefined ? undefined : negate(builder, negated);
  const needsHistory = hasInterval && (lower === undefined || upper === undefined || end === 'vacuous');
  const most = Math.min(samples ?? Number.POSITIVE_INFINITY, horizon(positive) + 1);
  const history = needsHistory && Number.isFinite(most) ? most : 0;
  const tree = new MonitorTree();
  tree.add(positive);
  const words: Record<keyof typeof monitorHeader, number> = {
    magic: MONITOR_MAGIC,
    version: MONITOR_VERSION,
    predicates,
    operations: builder.operations.length,
    nodes: tree.nodes.length,
    state: 1 + builder.stateWords + history * predicates,
    value: value?.register ?? -1,
    delay: value?.delay ?? 0,
    lower: lower ?? -1,
    upper: upper ?? -1,
    history,
    settling: settlingTime(positive),
    end: endings.indexOf(end),
    closed: until === 'closed' ? 1 : 0,
  };
  const header = new Float64Array(MONITOR_HEADER_WORDS);
  for (const [name, at] of Object.entries(monitorHeader)) header[at] = words[name as keyof typeof words];
  const zeros = Array.from({ length: predicates }, (_, p) => ((holdsAtZero?.[p] ?? true) ? 1 : 0));
  return {
    code: Float64Array.from([...header, ...zeros, ...builder.operations.flat(), ...tree.nodes.flat()]),
    predicates,
    stateWords: words.state,
    delay: value?.delay ?? Number.POSITIVE_INFINITY,
    observed: hasInterval ? memories(builder) : [],
    constantTime: { lower: lower !== undefined, upper: upper !== undefined },
  };
}

/** What is held or owed, apart from what is so of constants: that is a function of time. */
function memories({ operations }: MonitorBuilder): number[] {
  return [...operations.keys()].filter((register) => {
    const [opcode, operand] = operations[register]!;
    return opcode! >= monitorOpcode.heldMax && operations[operand!]![0] !== monitorOpcode.constant;
  });
}

function negate(builder: MonitorBuilder, register: number): number {
  return builder.operation('negate', [{ register, delay: 0 }], 0).register;
}
