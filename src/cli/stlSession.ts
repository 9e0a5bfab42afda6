import { writeFileSync } from 'node:fs';
import pc from 'picocolors';
import type { CliContext } from '#cli/context';
import { table } from '#cli/format';
import type { StlCheckFlags, StlTraceFlags } from '#cli/stl';
import { type Evaluated, evaluateTrace, readFormula } from '#cli/stlEvaluation';
import { VernierError } from '#core/errors';
import { horizon, pastHorizon } from '#stl/formula';
import { printSpecification, type Specification } from '#stl/specification';

/** `vernier stl check`. */
export function checkFormula(text: string, flags: StlCheckFlags, { out }: CliContext): void {
  const specification = readFormula(text, flags);
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

/** `vernier stl eval`. */
export function evaluateFormula(text: string, path: string, flags: StlTraceFlags, { out }: CliContext): void {
  const evaluated = evaluateTrace(text, path, flags);
  if (flags.json) {
    out(JSON.stringify(asJson(evaluated), finite));
    return;
  }
  printEvaluated(evaluated, out);
}

/** Verdict, parts and explanation. */
export function printEvaluated(evaluated: Evaluated, out: (line: string) => void): void {
  const { specification, parts, explanation, timeUnit } = evaluated;
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
      `${timeUnit === 'step' ? 'step ' : ''}${short(placeOf(step))}${timeUnit === 's' ? ' s' : ''}`,
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
  const evaluated = evaluateTrace(text, path, flags);
  const isStraight = flags.dense === true && flags.interpolation === 'linear';
  await drawEvaluated(evaluated, { file: flags.out, label: path, isStraight });
  out(flags.out);
  printWarnings(evaluated.specification, out);
}

interface Drawing {
  readonly file: string;
  /** What was evaluated. */
  readonly label: string;
  /** Values run straight from stamp to stamp. */
  readonly isStraight?: boolean;
  /** Seconds of a step: the time axis is in seconds then. */
  readonly period?: number;
}

/** @throws IO */
export async function drawEvaluated(
  evaluated: Evaluated,
  { file, label, isStraight, period }: Drawing,
): Promise<void> {
  const { renderSvg } = await import('#view/plots');
  const { robustnessSpec } = await import('#view/robustnessPlot');
  const { specification, parts, explanation, timeUnit, robustness, verdict } = evaluated;
  const last = explanation.at(-1);
  const scale = period ?? 1;
  const spec = robustnessSpec({
    title: brief(printSpecification(specification), 90),
    subtitle: `${verdict === 1 ? 'holds' : verdict === 0 ? 'does not hold' : 'open'}, robustness ${short(robustness)}; ${label}`,
    timeUnit: period === undefined ? timeUnit : 's',
    panels: parts.map(({ text, time, value, formula }) => ({
      title: brief(text, 110),
      points: time.map((t, i) => ({ time: t * scale, value: value[i]! })),
      run: isStraight ? 'straight' : 'held',
      ...(last?.formula.kind === 'atom' &&
      formula.kind === 'atom' &&
      last.formula.predicate === formula.predicate
        ? { decisive: { time: placeOf(last) * scale, value: last.value } }
        : {}),
    })),
  });
  try {
    writeFileSync(file, await renderSvg(spec));
  } catch (cause) {
    throw new VernierError('IO', `cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}

function placeOf(step: Evaluated['explanation'][number]): number {
  return 'sample' in step ? step.sample : step.time;
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
