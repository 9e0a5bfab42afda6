import type { ExpressionCompiler } from '#expr/compile';
import { textSource } from '#expr/source';
import type { MonitorSpec } from '#native/physicsSpec';
import type { ConfigFile, Path } from '#spec/configFile';
import type { ResolvedControl } from '#spec/resolved';
import type { SpecificationSpec, TaskSpec } from '#spec/taskSchema';
import { compileMonitor } from '#stl/compileMonitor';
import { and, type Formula, horizon, mapChildren } from '#stl/formula';
import type { MonitorProgram } from '#stl/monitorProgram';
import { parseFormula } from '#stl/parse';
import { printSpecification, type Specification } from '#stl/specification';
import { stagesOf } from '#stl/stages';

/** The formulas of a task file: what it shall do, and what must not happen. */

export interface ResolvedSpecification {
  /** Of the parts that must all hold: their predicates follow each other in the program's group `monitor`. */
  readonly parts: readonly Specification[];
  readonly formula: Formula;
  readonly program: MonitorProgram;
  /** Of the reward by stages, else none. */
  readonly stages: readonly MonitorProgram[];
  /** Canonical text. */
  readonly text: string;
}

export interface ResolvedGuard {
  readonly name: string;
  readonly specification: Specification;
  readonly program: MonitorProgram;
  readonly terminates: boolean;
}

export interface ResolvedMonitors {
  readonly specification: ResolvedSpecification | undefined;
  readonly guards: readonly ResolvedGuard[];
  /** For the physics backends. */
  readonly native: MonitorSpec;
}

/** Compiles the formulas, and puts their predicates into the program.
 * @throws EXPRESSION, SPEC with the place */
export function resolveMonitors(
  spec: TaskSpec,
  config: ConfigFile,
  compiler: ExpressionCompiler,
  control: ResolvedControl,
): ResolvedMonitors | undefined {
  if (spec.spec === undefined && spec.guard.length === 0) return undefined;
  const reader = new FormulaReader(config, compiler, control.period);
  const specification = spec.spec === undefined ? undefined : resolveSpecification(spec, spec.spec, reader);
  const guards = spec.guard.map((_, i) => resolveGuard(spec, i, config, reader));
  const options = optionsOf(spec.spec);
  if (specification && options.observe) {
    const time = textSource(`step / ${spec.horizon}`);
    compiler.output('observation', 'spec.time', compiler.value(time), time);
  }
  const reward = options.reward ?? { kind: 'none', weight: 0, clip: 1 };
  return {
    specification,
    guards,
    native: {
      code: specification?.program.code,
      observed: options.observe ? (specification?.program.observed ?? []) : [],
      reward: { ...reward, discount: spec.residual.gamma },
      predicates: specification?.parts.reduce((sum, { predicates }) => sum + predicates.length, 0) ?? 0,
      terminates: options.terminate ?? true,
      guards: guards.map(({ program, terminates }) => ({ code: program.code, terminates })),
      stages: specification?.stages.map(({ code }) => code) ?? [],
    },
  };
}

type Options = Partial<Exclude<SpecificationSpec, string | readonly string[]>>;

function optionsOf(spec: SpecificationSpec | undefined): Options {
  return spec === undefined || typeof spec === 'string' || Array.isArray(spec) ? {} : (spec as Options);
}

const HINT = 'a guard is watched at every sample by itself, so leave an outer `always` out';

/** Reads formulas and gives their predicates a place in the program. */
class FormulaReader {
  readonly #config: ConfigFile;
  readonly #compiler: ExpressionCompiler;
  readonly #period: number;

  constructor(config: ConfigFile, compiler: ExpressionCompiler, period: number) {
    this.#config = config;
    this.#compiler = compiler;
    this.#period = period;
  }

  read(path: Path): Specification {
    const specification = parseFormula(this.#config.expression(path), { period: this.#period });
    for (const { robustness, bare, text } of specification.predicates) {
      this.#compiler.output('monitor', text, this.#compiler.robustness(robustness, bare), robustness);
    }
    return specification;
  }
}

function resolveSpecification(
  { horizon: samples }: TaskSpec,
  spec: SpecificationSpec,
  reader: FormulaReader,
): ResolvedSpecification {
  const options = optionsOf(spec);
  const isObject = typeof spec !== 'string' && !Array.isArray(spec);
  const base: Path = isObject ? ['spec', 'formula'] : ['spec'];
  const written = isObject ? options.formula! : spec;
  const paths: Path[] = Array.isArray(written) ? written.map((_, i) => [...base, i]) : [base];
  const parts = paths.map((path) => reader.read(path));
  let offset = 0;
  const formulas = parts.map(({ formula, predicates }) => {
    offset += predicates.length;
    return moved(formula, offset - predicates.length);
  });
  const formula = and(...formulas);
  const compiled = (part: Formula): MonitorProgram =>
    compileMonitor(part, offset, {
      samples: samples + 1,
      outputs: 'interval',
      holdsAtZero: parts.flatMap(({ predicates }) => predicates.map(({ holdsAtZero }) => holdsAtZero)),
      ...(options.until ? { until: options.until } : {}),
      ...(options.end ? { end: options.end } : {}),
    });
  return {
    parts,
    formula,
    program: compiled(formula),
    stages: options.reward?.kind === 'stage' ? stagesOf(formula).map(compiled) : [],
    text: parts.map((part) => printSpecification(part)).join('; '),
  };
}

/** With every predicate's index raised. */
function moved(formula: Formula, by: number): Formula {
  if (formula.kind === 'atom') return { kind: 'atom', predicate: formula.predicate + by };
  return mapChildren(formula, (child) => moved(child, by));
}

function resolveGuard(spec: TaskSpec, i: number, config: ConfigFile, reader: FormulaReader): ResolvedGuard {
  const path = ['guard', i, 'holds'];
  const specification = reader.read(path);
  const { formula, predicates } = specification;
  if (!Number.isFinite(horizon(formula))) {
    config.fail(
      path,
      'expected a formula that is known after a bounded time, received one without bound',
      HINT,
    );
  }
  const program = compileMonitor(formula, predicates.length, {
    outputs: 'value',
    holdsAtZero: predicates.map(({ holdsAtZero }) => holdsAtZero),
  });
  const { name, violation } = spec.guard[i]!;
  return {
    name: name ?? specification.text.trim(),
    specification,
    program,
    terminates: violation === 'terminate',
  };
}
