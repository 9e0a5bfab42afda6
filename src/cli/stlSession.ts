import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import pc from 'picocolors';
import type { CliContext } from '#cli/context';
import { table } from '#cli/format';
import type { StlCheckFlags, StlTraceFlags } from '#cli/stl';
import { readTrace } from '#cli/stlTrace';
import { VernierError } from '#core/errors';
import { textSource } from '#expr/source';
import { densePredicates, denseRobustness } from '#stl/dense';
import { robustnessOfParts, satisfaction, truthSignals } from '#stl/evaluate';
import { type ExplanationStep, explain } from '#stl/explain';
import { type Formula, horizon, pastHorizon, subformulas } from '#stl/formula';
import { parseFormula } from '#stl/parse';
import { decidedAt } from '#stl/robustInterval';
import { evaluatePredicates, type SampledTrace } from '#stl/signals';
import { printSpecification, type Specification } from '#stl/specification';
import { timeRobustness } from '#stl/timeRobustness';

/** `vernier stl check`. */
export function checkFormula(text: string, flags: StlCheckFlags, { out }: CliContext): void {
  const specification = readFormula(text, flags, flags.period);
  const { formula, predicates, warnings } = specification;
  const reach = { future: horizon(formula), past: pastHorizon(formula) };
  const canonical = printSpecification(specification);
  if (flags.json) {
    out(
      JSON.stringify(
        { canonical, formula, reach, predicates: predicates.map(({ text }) => text), warnings },
        finite,
      ),
    );
    return;
  }
  const unit = flags.dense ? 's' : 'steps';
  const inUnit = (steps: number): string => (Number.isFinite(steps) ? `${steps} ${unit}` : 'without bound');
  out(canonical);
  for (const line of table([
    ['looks ahead', inUnit(reach.future)],
    ['looks back', inUnit(reach.past)],
    ...predicates.map(({ text, robustness }, i) => [
      `predicate ${i}`,
      `${text}   (robustness ${robustness.text})`,
    ]),
  ])) {
    out(`  ${line}`);
  }
  printWarnings(specification, out);
}

interface Part {
  readonly formula: Formula;
  readonly text: string;
  readonly time: readonly number[];
  readonly value: readonly number[];
}

interface Evaluated {
  readonly specification: Specification;
  readonly timeUnit: 'step' | 's';
  /** Predicates first, the whole formula last; each text once. */
  readonly parts: readonly Part[];
  /** At the first sample: 1, 0, or -1 where it is left open. */
  readonly verdict: number;
  readonly robustness: number;
  /** Sampled signals only. */
  readonly explanation: readonly ExplanationStep[];
  readonly decidedAt?: number;
  readonly timeRobustness?: number;
}

/** `vernier stl eval`. */
export function evaluateFormula(text: string, path: string, flags: StlTraceFlags, { out }: CliContext): void {
  const evaluated = evaluate(text, path, flags);
  const { specification, parts, explanation, timeUnit } = evaluated;
  if (flags.json) {
    out(JSON.stringify(asJson(evaluated), finite));
    return;
  }
  out(printSpecification(specification));
  const words = ['no', 'yes'][evaluated.verdict] ?? 'open';
  const notes = [
    `robustness ${short(evaluated.robustness)}`,
    ...(evaluated.decidedAt === undefined ? [] : [`decided at step ${evaluated.decidedAt}`]),
    ...(evaluated.timeRobustness === undefined ? [] : [`time robustness ${evaluated.timeRobustness} steps`]),
  ];
  out(`holds: ${evaluated.verdict === 1 ? pc.green(words) : pc.red(words)}   (${notes.join(', ')})`);
  out('');
  const first = parts.at(-1)!.time[0]!;
  const rows = parts.map(({ text, value }) => [
    brief(text, 70),
    short(value[0]!),
    short(least(value)),
    short(-least(value.map((v) => -v))),
  ]);
  for (const line of table([['part', `at ${first} ${timeUnit}`, 'least', 'greatest'], ...rows])) out(line);
  if (explanation.length > 0) {
    out('');
    out('decided by');
    const steps = explanation.map((step) => [
      brief(printSpecification(specification, step.formula), 70),
      `step ${step.sample}`,
      short(step.value),
    ]);
    for (const line of table(steps)) out(`  ${line}`);
  }
  printWarnings(specification, out);
}

/** `vernier stl plot`. */
export async function plotFormula(
  text: string,
  path: string,
  flags: StlTraceFlags,
  { out }: CliContext,
): Promise<void> {
  const { renderSvg } = await import('#view/plots');
  const { robustnessSpec } = await import('#view/robustnessPlot');
  const { specification, parts, explanation, timeUnit, robustness, verdict } = evaluate(text, path, flags);
  const last = explanation.at(-1);
  const spec = robustnessSpec({
    title: brief(printSpecification(specification), 90),
    subtitle: `${verdict === 1 ? 'holds' : verdict === 0 ? 'does not hold' : 'open'}, robustness ${short(robustness)}; ${path}`,
    timeUnit,
    panels: parts.map(({ text, time, value, formula }) => ({
      title: brief(text, 110),
      points: time.map((t, i) => ({ time: t, value: value[i]! })),
      run: flags.dense && flags.interpolation === 'linear' ? 'straight' : 'held',
      ...(last?.formula.kind === 'atom' &&
      formula.kind === 'atom' &&
      last.formula.predicate === formula.predicate
        ? { decisive: { time: last.sample, value: last.value } }
        : {}),
    })),
  });
  try {
    writeFileSync(flags.out, await renderSvg(spec));
  } catch (cause) {
    throw new VernierError('IO', `cannot write ${flags.out}: ${(cause as Error).message}`, { cause });
  }
  out(flags.out);
  printWarnings(specification, out);
}

function evaluate(text: string, path: string, flags: StlTraceFlags): Evaluated {
  const trace = readTrace(path, flags.episode);
  const specification = readFormula(text, flags, flags.period ?? trace.period);
  if (specification.predicates.length === 0) {
    throw new VernierError('USAGE', `expected a formula with at least one predicate, received ${text}`);
  }
  return flags.dense
    ? evaluateDense(specification, trace, path, flags)
    : evaluateSampled(specification, trace, path, flags);
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
  const { formula, predicates } = specification;
  const options = {
    ...(flags.until ? { until: flags.until } : {}),
    ...(flags.end ? { end: flags.end } : {}),
  };
  const signals = evaluatePredicates(specification, trace);
  const holdsAtZero = predicates.map((predicate) => predicate.holdsAtZero);
  const truth = truthSignals(signals, holdsAtZero);
  const values = robustnessOfParts(formula, signals, options);
  const decided = decidedAt(formula, truth, flags.until);
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

function evaluateDense(
  specification: Specification,
  trace: SampledTrace,
  path: string,
  flags: StlTraceFlags,
): Evaluated {
  const period = flags.period ?? trace.period;
  const anyColumn = Object.values(trace.columns)[0];
  const time =
    trace.time ??
    (period === undefined
      ? undefined
      : Float64Array.from({ length: anyColumn?.length ?? 0 }, (_, t) => t * period));
  if (!time) {
    throw new VernierError('DATA', `${path}: expected a column "time"`, {
      hint: 'or name the period of the samples with --period',
    });
  }
  const signals = densePredicates(
    specification,
    Object.fromEntries(
      Object.entries(trace.columns).map(([name, column]) => [name, { time, value: column }]),
    ),
    flags.interpolation,
  );
  const options = flags.until ? { until: flags.until } : {};
  const parts = distinctParts(specification).map(([part, text]) => {
    const value = denseRobustness(part, signals, options);
    return { formula: part, text, time: [...value.time], value: [...value.start] };
  });
  const robustness = parts.at(-1)!.value[0]!;
  return {
    specification,
    timeUnit: 's',
    parts,
    verdict: robustness > 0 ? 1 : 0,
    robustness,
    explanation: [],
  };
}

/** The text of a formula stands on the command line or in a file. */
function readFormula(text: string, flags: StlCheckFlags, period: number | undefined): Specification {
  const isFile = text.endsWith('.stl') || (existsSync(text) && statSync(text).isFile());
  const source = isFile
    ? textSource(readFileSync(text, 'utf8').trimEnd(), text)
    : textSource(text, 'formula');
  return parseFormula(source, {
    unit: flags.dense ? 'seconds' : 'steps',
    ...(period === undefined ? {} : { period }),
  });
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

function printWarnings({ warnings }: Specification, out: (line: string) => void): void {
  for (const { at, message } of warnings)
    out(`${pc.yellow('warning:')} ${at.file}:${at.line}:${at.column}: ${message}`);
}

function asJson({ specification, parts, explanation, ...rest }: Evaluated): object {
  return {
    canonical: printSpecification(specification),
    ...rest,
    verdict: rest.verdict === -1 ? null : rest.verdict === 1,
    parts: parts.map(({ text, time, value }) => ({ text, time, value })),
    explanation: explanation.map((step) => ({
      ...step,
      formula: printSpecification(specification, step.formula),
    })),
    warnings: specification.warnings,
  };
}

/** JSON has no infinities: they become texts, NaN null. */
function finite(_: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  return Number.isNaN(value) ? null : value > 0 ? 'inf' : '-inf';
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => (Number.isNaN(b) ? a : Math.min(a, b)), Number.POSITIVE_INFINITY);
}

function short(value: number): string {
  if (Number.isNaN(value)) return 'open';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return String(Number(value.toPrecision(6)));
}

function brief(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
