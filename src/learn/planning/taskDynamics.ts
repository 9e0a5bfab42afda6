import { VernierError } from '#core/errors';
import type { VectorEnv } from '#env/vectorEnv';
import type { DifferentiableProblem } from '#learn/planning/gradientPlanner';
import * as nn from '#nn/graph';
import { expressionGraph, type GraphScope, type GraphValue } from '#reward/expressionGraph';
import type { ResolvedTask } from '#spec/resolved';
import { defaultSemantics, type SemanticsOptions } from '#stl/formula';

export interface DifferentiableOptions {
  /** Further names and their values, as `region_a.position`. */
  readonly fixed?: Readonly<Record<string, readonly number[]>>;
  /** Substeps of a control step, longer ones than the task's where fewer: a graph of hundreds of control steps with ten
   * substeps each takes minutes to compile. What is planned so must be played to count. */
  readonly substeps?: number;
}

/** A task with `dynamics` as the gradient planner takes it, from where an environment is now. Its signals and predicates
 * may use what #reward/expressionGraph knows of, over `J.position` and `J.velocity` of the arm's joints.
 * @throws SPEC for a task without analytic dynamics or without a specification; EXPRESSION with the place */
export function differentiableProblem(
  task: ResolvedTask,
  env: Pick<VectorEnv, 'readCopy'>,
  environment: number,
  options: DifferentiableOptions = {},
): DifferentiableProblem {
  const { control, names, robot } = task;
  const specification = task.monitors?.specification;
  if (!control.dynamics || !specification) {
    throw new VernierError('SPEC', `${task.file}: gradients need analytic \`dynamics\` and a \`spec\``);
  }
  const { fixed = {}, substeps = control.substeps } = options;
  const scene = env.readCopy(environment);
  const { joints, limits } = robot.arm;
  return {
    model: {
      spec: control.dynamics,
      ranges: limits.map(({ position }) => position ?? [-unbounded, unbounded]),
      dt: control.period / substeps,
      substeps,
    },
    start: {
      q: joints.map((joint) => scene.qpos[names.jointQposAddress[joint]!]!),
      v: joints.map((joint) => scene.qvel[names.jointDofAddress[joint]!]!),
    },
    A: task.actionLength,
    T: task.horizon,
    formula: specification.formula,
    until: untilOf(task.spec.spec),
    predicates: ({ q, v }) => {
      const scope = scopeOf(task, q, v, fixed);
      return specification.parts.flatMap(({ predicates }) =>
        predicates.map(({ robustness }) =>
          nn.broadcastTo(expressionGraph(robustness, scope)[0]!, q[0]!.shape),
        ),
      );
    },
  };
}

type UntilOption = SemanticsOptions['until'];

function untilOf(spec: ResolvedTask['spec']['spec']): UntilOption {
  const options: { readonly until?: UntilOption | undefined } =
    typeof spec === 'object' && 'formula' in spec ? spec : {};
  return options.until ?? defaultSemantics.until;
}

/** Stands for no bound: far, and still a number. */
const unbounded = 1e9;

function scopeOf(
  task: ResolvedTask,
  q: readonly nn.Tensor[],
  v: readonly nn.Tensor[],
  fixed: Readonly<Record<string, readonly number[]>>,
): GraphScope {
  const known = new Map<string, GraphValue>([
    ['arm.position', q],
    ['arm.velocity', v],
  ]);
  for (const [k, name] of task.robot.arm.names.entries()) {
    known.set(`${name}.position`, [q[k]!]);
    known.set(`${name}.velocity`, [v[k]!]);
  }
  for (const [name, values] of Object.entries(fixed))
    known.set(
      name,
      values.map((value) => nn.constant(value)),
    );
  const scope: GraphScope = (path) => {
    const value = known.get(path);
    const signal = task.spec.signals[path];
    if (value || signal === undefined) return value;
    const graph = expressionGraph(String(signal), scope);
    known.set(path, graph);
    return graph;
  };
  return scope;
}
