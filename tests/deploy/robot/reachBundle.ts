import { PhiloxStream } from '#core/philox';
import { taskProblem } from '#learn/taskProblem';
import { type PolicyBundle, saveBundle } from '#policy/bundle';
import { chunkNetwork } from '#policy/chunkPolicy';
import { actorNetwork } from '#policy/networks';
import { identityNormaliser } from '#policy/normaliser';
import { loadTask } from '#spec/task';

/** A bundle of the task `reach` whose base goes half of the way to the target in each step: one linear layer.
 * @param residual what its residual adds at scale 1, the same in every situation; none when left out
 * @param overrides of the task */
export async function reachBundle(
  path: string,
  residual?: readonly number[],
  overrides: readonly string[] = [],
): Promise<PolicyBundle> {
  const task = await loadTask('reach', overrides);
  const problem = taskProblem(task);
  const { taskHash, robotHash, controlPeriod, observationFields, actionNames, O, A, control } = problem;
  const spec = { O, A, chunk: 1, execute: 1, hidden: [] };
  const network = chunkNetwork(spec, new PhiloxStream(0));
  network.block.values.fill(0);
  // Observation: [ee, error, ee.velocity]; the error is in units of 0.2 m, an action of 1 moves 0.03 m.
  for (let k = 0; k < A; k++) network.block.values[(3 + k) * A + k] = 0.5 / 5 / 0.03;
  const normaliser = identityNormaliser(O, A);
  const actor = actorNetwork(
    { kind: 'residual', O, A, hidden: [], layerNorm: false, chunkPhase: true },
    new PhiloxStream(0),
  );
  actor.block.values.set((residual ?? []).map(Math.atanh), actor.block.values.length - A);
  const bundle: PolicyBundle = {
    task: task.name,
    taskHash,
    robotHash,
    controlPeriod,
    observationFields,
    actionNames,
    control,
    made: {},
    O,
    A,
    scale: 0,
    base: { kind: 'chunk', spec, network, normaliser },
    normaliser,
    trained: residual && { actor },
  };
  saveBundle(path, bundle);
  return bundle;
}
