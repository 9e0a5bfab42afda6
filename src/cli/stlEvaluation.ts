import { existsSync, readFileSync, statSync } from 'node:fs';
import type { StlCheckFlags, StlTraceFlags } from '#cli/stl';
import { readTrace, sampleAndHold } from '#cli/stlTrace';
import { VernierError } from '#core/errors';
import { type ExpressionSource, textSource } from '#expr/source';
import { type DenseSignal, densePredicates, denseRobustnessOfParts } from '#stl/dense';
import { robustnessOfParts, satisfaction, truthSignals } from '#stl/evaluate';
import { type ExplanationStep, explain } from '#stl/explain';
import { type DenseExplanationStep, explainDense } from '#stl/explainDense';
import { type Formula, type SemanticsOptions, subformulas } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { decidedAt } from '#stl/robustInterval';
import type { PredicateSignals } from '#stl/sampled';
import { evaluatePredicates, type SampledTrace } from '#stl/signals';
import { printSpecification, type Specification } from '#stl/specification';
import { timeRobustness } from '#stl/timeRobustness';

/** What `vernier stl` finds out about a formula on recorded signals. */

export interface Part {
  readonly formula: Formula;
  readonly text: string;
  readonly time: readonly number[];
  readonly value: readonly number[];
}

export interface Evaluated {
  readonly specification: Specification;
  readonly timeUnit: 'step' | 's';
  /** Predicates first, the whole formula last; each text once. */
  readonly parts: readonly Part[];
  /** At the first sample: 1, 0, or -1 where it is left open. */
  readonly verdict: number;
  readonly robustness: number;
  readonly explanation: readonly (ExplanationStep | DenseExplanationStep)[];
  readonly decidedAt?: number;
  readonly timeRobustness?: number;
}

export function evaluateTrace(text: string, path: string, flags: StlTraceFlags): Evaluated {
  const source = formulaSource(text);
  const recorded = readTrace(path, flags.episode, source.text);
  if ('signals' in recorded && flags.dense) {
    return evaluateDense(parseWithPredicates(source, flags, flags.period), recorded.signals, flags);
  }
  const trace = 'signals' in recorded ? sampleAndHold(recorded, path, flags.period) : recorded;
  const specification = parseWithPredicates(source, flags, flags.period ?? trace.period);
  if (flags.dense) return evaluateDense(specification, stamped(trace, path, flags), flags);
  return evaluateSampled(specification, trace, path, flags);
}

function evaluateSampled(
  specification: Specification,
  trace: SampledTrace,
  path: string,
  flags: StlTraceFlags,
): Evaluated {
  if (trace.time && trace.time.length > 1 && trace.period === undefined && flags.period === undefined) {
    throw new VernierError('DATA', `${path}: the stamps are not evenly spaced`, {
      hint: 'evaluate in dense time with --dense, or name the period with --period to take the samples as they come',
    });
  }
  return evaluateSignals(specification, evaluatePredicates(specification, trace), flags);
}

/** @param signals the robustness of each predicate */
export function evaluateSignals(
  specification: Specification,
  signals: PredicateSignals,
  { until, end }: { readonly [K in keyof SemanticsOptions]?: SemanticsOptions[K] | undefined },
): Evaluated {
  const { formula, predicates } = specification;
  const options = { ...(until ? { until } : {}), ...(end ? { end } : {}) };
  const holdsAtZero = predicates.map((predicate) => predicate.holdsAtZero);
  const truth = truthSignals(signals, holdsAtZero);
  const values = robustnessOfParts(formula, signals, options);
  const decided = decidedAt(formula, truth, until);
  const time = Array.from(values.get(formula)!, (_, t) => t);
  return {
    specification,
    timeUnit: 'step',
    parts: distinctParts(specification).map(([part, text]) => ({
      formula: part,
      text,
      time,
      value: [...values.get(part)!],
    })),
    verdict: satisfaction(formula, signals, holdsAtZero, options)[0]!,
    robustness: values.get(formula)![0]!,
    explanation: explain(formula, signals, 0, options),
    ...(decided === undefined ? {} : { decidedAt: decided }),
    timeRobustness: timeRobustness(formula, truth, 'late', options)[0]!,
  };
}

function stamped(
  trace: SampledTrace,
  path: string,
  flags: StlTraceFlags,
): Readonly<Record<string, DenseSignal>> {
  const period = flags.period ?? trace.period;
  const length = Object.values(trace.columns)[0]?.length ?? 0;
  const time =
    trace.time ?? (period === undefined ? undefined : Float64Array.from({ length }, (_, t) => t * period));
  if (!time) {
    throw new VernierError('DATA', `${path}: expected a column "time"`, {
      hint: 'or name the period of the samples with --period',
    });
  }
  return Object.fromEntries(Object.entries(trace.columns).map(([name, value]) => [name, { time, value }]));
}

function evaluateDense(
  specification: Specification,
  recorded: Readonly<Record<string, DenseSignal>>,
  flags: StlTraceFlags,
): Evaluated {
  const signals = densePredicates(specification, recorded, flags.interpolation);
  const options = flags.until ? { until: flags.until } : {};
  const values = denseRobustnessOfParts(specification.formula, signals, options);
  const parts = distinctParts(specification).map(([part, text]) => {
    const value = values.get(part)!;
    return { formula: part, text, time: [...value.time], value: [...value.start] };
  });
  const robustness = parts.at(-1)!.value[0]!;
  return {
    specification,
    timeUnit: 's',
    parts,
    verdict: robustness > 0 ? 1 : 0,
    robustness,
    explanation: explainDense(specification.formula, signals, undefined, options),
  };
}

/** The text of a formula stands on the command line or in a file. */
function formulaSource(text: string): ExpressionSource {
  const isFile = text.endsWith('.stl') || (existsSync(text) && statSync(text).isFile());
  return isFile ? textSource(readFileSync(text, 'utf8').trimEnd(), text) : textSource(text, 'formula');
}

function parse(source: ExpressionSource, flags: StlCheckFlags, period: number | undefined): Specification {
  return parseFormula(source, {
    unit: flags.dense ? 'seconds' : 'steps',
    ...(period === undefined ? {} : { period }),
  });
}

function parseWithPredicates(...parameters: Parameters<typeof parse>): Specification {
  const specification = parse(...parameters);
  if (specification.predicates.length > 0) return specification;
  throw new VernierError(
    'USAGE',
    `expected a formula with at least one predicate, received ${specification.text}`,
  );
}

/** For `vernier stl check`. */
export function readFormula(text: string, flags: StlCheckFlags): Specification {
  return parse(formulaSource(text), flags, flags.period);
}

/** Predicates first, then from the inside out, the whole formula last; what reads the same stands once. */
function distinctParts(specification: Specification): [Formula, string][] {
  const all = subformulas(specification.formula);
  const parts = [...all.filter(({ kind }) => kind === 'atom'), ...all.filter(({ kind }) => kind !== 'atom')];
  const byText = new Map<string, Formula>();
  for (const part of parts) {
    const text = printSpecification(specification, part);
    if (!byText.has(text)) byText.set(text, part);
  }
  return [...byText].map(([text, part]) => [part, text]);
}
