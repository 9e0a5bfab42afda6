import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import type { StlRunFlags } from '#cli/stl';
import { evaluateSignals } from '#cli/stlEvaluation';
import { drawEvaluated, printEvaluated } from '#cli/stlSession';
import { loadSubject, makeNamedPolicy } from '#cli/subject';
import { VernierError } from '#core/errors';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import type { Policy } from '#policy/policy';
import type { ResolvedSpecification } from '#spec/monitor';
import type { ResolvedTask } from '#spec/resolved';
import type { PredicateSignals } from '#stl/sampled';
import type { Specification } from '#stl/specification';

/** `vernier stl run`: one episode of a task under its own specification and guards. */
export async function runFormula(what: string, flags: StlRunFlags, context: CliContext): Promise<void> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  const { task } = subject;
  const resolved = task.monitors?.specification;
  if (!resolved) {
    throw new VernierError('USAGE', `${task.name} has no \`spec\``, {
      hint: 'give the task file a formula: docs/tasks.md',
    });
  }
  const seed = flags.seed ?? task.spec.evaluation.seed;
  const name = flags.policy ?? (subject.bundle || subject.run ? 'policy' : 'expert');
  const env = await makeEnv(task, { environments: 1, seed, threads: 1, autoReset: false });
  let played: Played;
  try {
    const policy = await makeNamedPolicy(subject, name, env, seed);
    played = await play(task, env, policy, flags.episode);
    policy.close();
  } finally {
    env.close();
  }
  const evaluated = evaluateSignals(wholeSpecification(resolved), played.signals, optionsOf(task));
  const label = `${task.name}, ${name}, episode ${flags.episode} of seed ${seed}`;
  context.out(`${label}; ${describeBackends(1)}`);
  printEvaluated(evaluated, context.out);
  context.out('');
  for (const line of guardLines(task, played)) context.out(line);
  const steps = played.signals[0]!.length - 1;
  context.out(`the episode ended ${played.success ? 'with' : 'without'} success after ${steps} steps`);
  if (flags.out === undefined) return;
  await drawEvaluated(evaluated, { file: flags.out, label, period: task.control.period });
  context.out(flags.out);
}

interface Played {
  /** Of each predicate of the specification, from the first sample on. */
  readonly signals: PredicateSignals;
  /** Per guard, the steps that violated it. */
  readonly violated: readonly (readonly number[])[];
  readonly success: boolean;
}

async function play(task: ResolvedTask, env: VectorEnv, policy: Policy, episode: number): Promise<Played> {
  env.reset({ episode });
  policy.reset();
  const guards = task.monitors?.guards.length ?? 0;
  const violated = Array.from({ length: guards }, (): number[] => []);
  const rows = [env.predicates.slice()];
  while (env.terminated[0] === 0 && env.truncated[0] === 0) {
    await policy.act(env.observation, env.action);
    env.step();
    rows.push(env.finalPredicates.slice());
    for (const [g, steps] of violated.entries()) if (env.violated[g] === 1) steps.push(env.steps[0]!);
  }
  const signals = Array.from(rows[0]!, (_, p) => Float64Array.from(rows, (row) => row[p]!));
  return { signals, violated, success: env.success[0] === 1 };
}

/** The parts of a specification as the one formula they are together. */
function wholeSpecification({ parts, formula, text }: ResolvedSpecification): Specification {
  const predicates = parts.flatMap((part) => part.predicates);
  return {
    text,
    formula,
    predicates,
    time: parts[0]!.time,
    warnings: parts.flatMap((part) => part.warnings),
  };
}

function optionsOf(task: ResolvedTask): Parameters<typeof evaluateSignals>[2] {
  const { spec } = task.spec;
  return typeof spec === 'object' && 'formula' in spec ? { until: spec.until, end: spec.end } : {};
}

function guardLines({ monitors }: ResolvedTask, { violated }: Played): string[] {
  return (monitors?.guards ?? []).map(({ name }, g) => {
    const steps = violated[g]!;
    if (steps.length === 0) return `guard ${name}: held`;
    const count = steps.length === 1 ? '1 step' : `${steps.length} steps`;
    return `guard ${name}: violated at ${count}, first at step ${steps[0]}`;
  });
}
