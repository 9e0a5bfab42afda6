import { VernierError } from '#core/errors';
import type { ModelNames } from '#core/model';
import { ExpressionCompiler } from '#expr/compile';
import { decodeProgram, evaluateProgram, type ModelView } from '#expr/evaluate';
import { expressionError } from '#expr/source';
import { describe } from '#expr/values';
import type { Predicate } from '#stl/predicate';
import type { PredicateSignals } from '#stl/sampled';
import type { Specification } from '#stl/specification';

/** Recorded signals by name. `p.x`, `p.y`, `p.z` (or `p[0]`, `p[1]`, ...) together are also the vector `p`; a column of
 * booleans is a condition. In formulas a name that is not a word stands in quotes: 'left wheel' > 3. */
export interface SampledTrace {
  readonly columns: Readonly<Record<string, ArrayLike<number> | readonly boolean[]>>;
  /** Seconds of each sample, for the name `time`; without it, `time` is the number of the sample times `period`. */
  readonly time?: ArrayLike<number>;
  readonly period?: number;
}

/** The robustness of every predicate of a specification at every sample of a trace.
 * @throws EXPRESSION with the place when a name is unknown or types do not fit; SHAPE when columns differ in length
 * @shape out[p] [T] f64 */
export function evaluatePredicates(specification: Specification, trace: SampledTrace): PredicateSignals {
  const signals = traceSignals(trace);
  const compiler = new ExpressionCompiler(signals.names, noRobot);
  const conditions = specification.predicates.map((predicate, p) => outputPredicate(compiler, predicate, p));
  const program = compiler.finish();
  const view = new TraceView(signals, trace);
  const decoded = decodeProgram(program.code, view);
  const row = new Float64Array(program.outputs);
  const out = specification.predicates.map(() => new Float64Array(signals.length));
  for (let t = 0; t < signals.length; t++) {
    view.moveTo(t);
    evaluateProgram(decoded, view, row);
    for (const [p, signal] of out.entries())
      signal[t] = conditions[p] ? conditionRobustness(row[p]!) : row[p]!;
  }
  return out;
}

/** Robustness of a bare condition: there is no measure of how well it holds. */
export function conditionRobustness(value: number): number {
  return value !== 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** Adds the robustness of a predicate to the outputs of a program. @returns whether it is a condition, put out as 0 or 1 */
export function outputPredicate(compiler: ExpressionCompiler, predicate: Predicate, index: number): boolean {
  const { robustness } = predicate;
  const value = compiler.value(robustness);
  const isCondition = value.kind === 'boolean' && predicate.bare;
  if (!isCondition && value.kind !== 'scalar') {
    const expected = predicate.bare ? 'a number or a condition' : 'numbers to compare';
    throw expressionError(robustness, 0, `expected ${expected}, received ${describe(value)}`);
  }
  compiler.output('signals', `predicate${index}`, value, robustness);
  return isCondition;
}

const noRobot = {
  endEffector: undefined,
  armJoints: [],
  armActuators: [],
  gripper: undefined,
  actionLength: 0,
} as const;

interface TraceSignals {
  readonly names: ModelNames;
  /** In the order of the sensor data. */
  readonly columns: readonly (ArrayLike<number> | readonly boolean[])[];
  readonly length: number;
}

/** Every signal is a sensor of a model that has nothing else. */
function traceSignals(trace: SampledTrace): TraceSignals {
  const entries = Object.entries(trace.columns);
  const length = entries[0]?.[1].length ?? trace.time?.length ?? 0;
  const odd = entries.find(([, column]) => column.length !== length);
  if (odd) {
    throw new VernierError(
      'SHAPE',
      `signal ${odd[0]}: expected ${length} samples, received ${odd[1].length}`,
    );
  }
  const sensor: string[] = [];
  const sensorType: string[] = [];
  const sensorAddress: number[] = [];
  const sensorDimension: number[] = [];
  const columns: (ArrayLike<number> | readonly boolean[])[] = [];
  const scalars: NamedColumns[] = entries.map(([name, column]) => [name, [column]]);
  for (const [name, parts] of [...scalars, ...vectors(entries)]) {
    sensor.push(name);
    sensorAddress.push(columns.length);
    sensorDimension.push(parts.length);
    sensorType.push(parts.length === 1 && typeof parts[0]![0] === 'boolean' ? 'condition' : 'user');
    columns.push(...parts);
  }
  const names: ModelNames = {
    ...emptyModel,
    sensor,
    sensorType,
    sensorAddress,
    sensorDimension,
    nsensordata: columns.length,
  };
  return { names, columns, length };
}

type Column = ArrayLike<number> | readonly boolean[];
type NamedColumns = [name: string, parts: Column[]];

/** `p.x`, `p.y` as p: components in order and without a gap. */
function vectors(entries: readonly [string, Column][]): NamedColumns[] {
  const groups = new Map<string, Column[]>();
  for (const [name, column] of entries) {
    const match = /^(.+?)(?:\.([xyzw])|\[(\d+)\])$/.exec(name);
    if (!match) continue;
    const base = match[1]!;
    const index = match[2] === undefined ? Number(match[3]) : 'xyzw'.indexOf(match[2]);
    const group = groups.get(base) ?? [];
    group[index] = column;
    groups.set(base, group);
  }
  const taken = new Set(entries.map(([name]) => name));
  return [...groups].filter(
    ([base, parts]) =>
      !taken.has(base) && parts.length > 1 && Array.from(parts).every((part) => part !== undefined),
  );
}

const emptyModel: ModelNames = {
  body: [],
  site: [],
  geom: [],
  joint: [],
  actuator: [],
  sensor: [],
  camera: [],
  keyframe: [],
  nq: 0,
  nv: 0,
  nu: 0,
  nsensordata: 0,
  bodyParent: [],
  bodyMocap: [],
  weldBodies: [],
  siteBody: [],
  geomBody: [],
  jointBody: [],
  jointType: [],
  jointQposAddress: [],
  jointDofAddress: [],
  jointRange: [],
  actuatorTransmission: [],
  actuatorTarget: [],
  actuatorControlRange: [],
  sensorType: [],
  sensorAddress: [],
  sensorDimension: [],
  timestep: 0,
};

/** One row of a trace, as the expressions see a model. */
class TraceView implements ModelView {
  readonly nq = 0;
  readonly nv = 0;
  readonly nu = 0;
  readonly nbody = 0;
  readonly nsite = 0;
  readonly ngeom = 0;
  readonly nsensordata: number;
  readonly body_rootid = [];
  readonly site_bodyid = [];
  readonly site_quat = [];
  readonly geom_bodyid = [];
  readonly geom_quat = [];
  readonly actuator_ctrladr = [];
  readonly actuator_outadr = [];
  readonly xpos = [];
  readonly xquat = [];
  readonly site_xpos = [];
  readonly geom_xpos = [];
  readonly cvel = [];
  readonly subtree_com = [];
  readonly qpos = [];
  readonly qvel = [];
  readonly ctrl = [];
  readonly actuator_force = [];
  readonly action = [];
  readonly command = [];
  readonly contacts = { count: 0, geom1: [], geom2: [], normalForce: [] };
  readonly sensordata: Float64Array;
  time = 0;
  step = 0;
  readonly #columns: TraceSignals['columns'];
  readonly #trace: SampledTrace;

  constructor(signals: TraceSignals, trace: SampledTrace) {
    this.nsensordata = signals.columns.length;
    this.sensordata = new Float64Array(this.nsensordata);
    this.#columns = signals.columns;
    this.#trace = trace;
  }

  moveTo(t: number): void {
    this.step = t;
    this.time = this.#trace.time?.[t] ?? t * (this.#trace.period ?? 1);
    for (const [i, column] of this.#columns.entries()) this.sensordata[i] = Number(column[t]);
  }
}
