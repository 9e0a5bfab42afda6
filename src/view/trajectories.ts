import { VernierError } from '#core/errors';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import type { Policy } from '#policy/policy';
import type { ResolvedTask } from '#spec/resolved';
import { childrenOf, type Formula, negationNormalForm } from '#stl/formula';
import { type PlotPath, type PlotRegion, trajectorySvg } from '#view/trajectoryPlot';

/** A policy's paths on some starts, drawn among the regions of the task's formula. */

export interface TrajectoryOptions {
  readonly task: ResolvedTask;
  /** Makes the policy for an environment of that many rows. */
  readonly makePolicy: (env: VectorEnv) => Policy | Promise<Policy>;
  readonly episodes: number;
  readonly seed: number;
  readonly title?: string;
}

const POSITION = 'position';

/** The SVG; undefined where the task has no signal `position` of two entries or more.
 * @throws PHYSICS where a simulation breaks off */
export async function drawTrajectories(options: TrajectoryOptions): Promise<string | undefined> {
  const { task, episodes, seed, title } = options;
  const slot = task.program.signalNames.find(({ name }) => name === POSITION);
  if (!slot || slot.length < 2) return undefined;
  const env = await makeEnv(task, { environments: episodes, seed, autoReset: false });
  try {
    const policy = await options.makePolicy(env);
    try {
      const paths = await recordPaths(env, policy, slot.offset, seed);
      const solved = paths.filter(({ success }) => success).length;
      return trajectorySvg({
        title: title ?? task.name,
        subtitle: `${solved} of ${episodes} starts succeed; seen from above`,
        regions: regionsOf(task, env),
        paths,
      });
    } finally {
      policy.close();
    }
  } finally {
    env.close();
  }
}

async function recordPaths(
  env: VectorEnv,
  policy: Policy,
  offset: number,
  seed: number,
): Promise<PlotPath[]> {
  const { B, signalsLength } = env;
  env.reset({ seed });
  policy.reset();
  const points: [number, number][][] = Array.from({ length: B }, () => []);
  const success = new Uint8Array(B);
  const look = (row: number): void => {
    const at = row * signalsLength + offset;
    points[row]!.push([env.signals[at]!, env.signals[at + 1]!]);
  };
  for (let row = 0; row < B; row++) look(row);
  for (let left = B; left > 0; ) {
    const acted = policy.act(env.observation, env.action);
    if (acted) await acted;
    env.step();
    const [fault] = env.faults;
    if (fault) throw new VernierError('PHYSICS', `environment ${fault.environment}: ${fault.cause}`);
    for (let row = 0; row < B; row++) {
      if (env.active[row] === 0) continue;
      look(row);
      if (env.terminated[row] === 0 && env.truncated[row] === 0) continue;
      success[row] = env.success[row]!;
      env.active[row] = 0;
      left--;
    }
  }
  return points.map((path, row) => ({ points: path, success: success[row] === 1 }));
}

const number = '\\(?(-?[\\d.]+)\\)?';
const discs = new RegExp(`^${number} - norm\\(position - (.+)\\)$`);
const vector = new RegExp(`^\\[${number}, ${number}(?:, ${number})?\\]$`);
const body = /^(?:\[\s*)?(\w+)\.position(?:\.x,\s*\1\.position\.y\])?$/;
const box = new RegExp(
  `^min\\(position\\[0\\] - ${number}, ${number} - position\\[0\\], position\\[1\\] - ${number}, ${number} - position\\[1\\]`,
);

/** The signals that the formula speaks of and that are discs or boxes around `position`. */
export function regionsOf(task: ResolvedTask, env: Pick<VectorEnv, 'readCopy'>): PlotRegion[] {
  const specification = task.monitors?.specification;
  if (!specification) return [];
  const positive = negationNormalForm(specification.formula);
  const reached = new Set(positiveAtoms(positive));
  const texts = specification.parts.flatMap(({ predicates }) => predicates.map(({ text }) => text));
  const { bodyPos } = env.readCopy(0);
  return Object.entries(task.spec.signals).flatMap(([name, expression]) => {
    const shape = shapeOf(String(expression), (of) => {
      const id = task.names.body.indexOf(of);
      return id < 0 ? undefined : [bodyPos[3 * id]!, bodyPos[3 * id + 1]!];
    });
    const atoms = [...texts.keys()].filter((p) => new RegExp(`\\b${name}\\b`).test(texts[p]!));
    if (!shape || atoms.length === 0) return [];
    return [
      { name, role: atoms.some((p) => reached.has(p)) ? ('reach' as const) : ('avoid' as const), ...shape },
    ];
  });
}

type Shape =
  | { readonly kind: 'disc'; readonly centre: readonly [number, number]; readonly radius: number }
  | {
      readonly kind: 'box';
      readonly low: readonly [number, number];
      readonly high: readonly [number, number];
    };

function shapeOf(
  expression: string,
  place: (body: string) => readonly [number, number] | undefined,
): Shape | undefined {
  const sides = box.exec(expression)?.slice(1).map(Number);
  if (sides) return { kind: 'box', low: [sides[0]!, sides[2]!], high: [sides[1]!, sides[3]!] };
  const [, radius, around] = discs.exec(expression) ?? [];
  if (around === undefined) return undefined;
  const numbers = vector.exec(around)?.slice(1, 3).map(Number);
  const named = body.exec(around)?.[1];
  const centre = numbers ? ([numbers[0]!, numbers[1]!] as const) : named ? place(named) : undefined;
  return centre && { kind: 'disc', centre, radius: Number(radius) };
}

/** Predicates that stand without a negation. */
function positiveAtoms(formula: Formula): number[] {
  if (formula.kind === 'atom') return [formula.predicate];
  if (formula.kind === 'not' && formula.operand.kind === 'atom') return [];
  return childrenOf(formula).flatMap(positiveAtoms);
}
