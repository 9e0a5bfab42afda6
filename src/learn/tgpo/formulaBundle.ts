import {
  type ContainerArray,
  containerArray,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { VernierError } from '#core/errors';
import { PhiloxStream } from '#core/philox';
import { type ActorCritic, actorCritic, greedyProgram, valueProgram } from '#learn/ppo';
import { taskProblem } from '#learn/taskProblem';
import { exportOnnx } from '#nn/onnx';
import { type BundleExpectation, type BundleHeader, checkBundle } from '#policy/bundle';
import type { ResolvedTask } from '#spec/resolved';
import type { TgpoSpec } from '#spec/tgpoSchema';

/** What was learned of a formula: the policy, the critic that ranks plans, and the settings both depend on. The plan's
 * part of their input is worked out by #learn/tgpo from the task's formula, so a bundle goes with its task. */

export interface FormulaBundle extends BundleHeader {
  readonly settings: TgpoSpec;
  /** Robustness that counts as one unit. */
  readonly distance: number;
  readonly networks: ActorCritic;
}

/** A bundle of a task's formula. */
export function formulaBundle(
  task: ResolvedTask,
  learned: Pick<FormulaBundle, 'settings' | 'distance' | 'networks' | 'made'>,
): FormulaBundle {
  const problem = taskProblem(task);
  const { taskHash, robotHash, controlPeriod, observationFields, actionNames, control } = problem;
  return {
    ...{ task: problem.task, taskHash, robotHash, controlPeriod, observationFields, actionNames, control },
    ...learned,
  };
}

/** Networks of these settings with the values that were learned.
 * @throws VernierError CHECKPOINT: other settings make other networks */
export function learnedNetworks(
  { O, A }: { readonly O: number; readonly A: number },
  settings: TgpoSpec,
  values: Readonly<Record<'policy' | 'value', Float32Array>>,
  path: string,
): ActorCritic {
  const networks = actorCritic({ O, A, B: 1 }, settings, new PhiloxStream(0));
  for (const name of ['policy', 'value'] as const) {
    const block = networks[name];
    if (values[name].length !== block.values.length)
      throw new VernierError(
        'CHECKPOINT',
        `${path}: ${name} has ${values[name].length} numbers, its settings make ${block.values.length}`,
      );
    block.values.set(values[name]);
  }
  return networks;
}

const KIND = 'formula-policy';
const VERSION = 1;

/** Writes a bundle in one atomic step. */
export function saveFormulaBundle(path: string, bundle: FormulaBundle): void {
  const { networks, ...meta } = bundle;
  const { O, A } = networks.shape;
  const arrays = new Map<string, ContainerArray>();
  const put = (name: string, data: ContainerArray['data']): void => {
    arrays.set(name, { shape: [data.length], data });
  };
  put('policy.values', networks.policy.values);
  put('value.values', networks.value.values);
  put('policy.onnx', exportOnnx(greedyProgram(networks, 1)));
  put('value.onnx', exportOnnx(valueProgram(networks, 1)));
  writeFileAtomic(path, encodeContainer({ kind: KIND, version: VERSION, meta: { ...meta, O, A }, arrays }));
}

/** Whether the file is a bundle of a formula, and not of a residual. */
export function isFormulaBundle(path: string): boolean {
  try {
    decodeContainer(readFileBytes(path), { kind: KIND, version: VERSION, code: 'CHECKPOINT', label: path });
    return true;
  } catch (error) {
    if (error instanceof VernierError && error.code === 'CHECKPOINT') return false;
    throw error;
  }
}

/** Reads a bundle and refuses what does not match.
 * @throws VernierError CHECKPOINT: torn, foreign, or made for another task, robot, rate, observation or action */
export function loadFormulaBundle(path: string, expected: BundleExpectation = {}): FormulaBundle {
  const options = { kind: KIND, version: VERSION, code: 'CHECKPOINT', label: path } as const;
  const container = decodeContainer(readFileBytes(path), options);
  const meta = container.meta as unknown as Omit<FormulaBundle, 'networks'> & { O: number; A: number };
  checkBundle(meta, expected, path);
  const { O, A, ...header } = meta;
  const read = (name: string): Float32Array =>
    containerArray(container, `${name}.values`, 'f32', [-1], options);
  const values = { policy: read('policy'), value: read('value') };
  const networks = learnedNetworks({ O, A }, header.settings, values, path);
  return { ...header, networks };
}
