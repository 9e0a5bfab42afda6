import { createBatch } from '#env/makeEnv';
import { physicsSpec } from '#env/physicsSpec';
import type { PhysicsBatch } from '#native/physicsBatch';
import type { PhysicsSpec } from '#native/physicsSpec';
import type { ResolvedTask } from '#spec/resolved';

export interface TwinOptions {
  readonly backend?: 'native' | 'wasm';
  /** false: success, failure and formulas end no episode, and only what is observed has to be sensed. Default true. */
  readonly judge?: boolean;
}

/** A robot's twin: one environment of the task whose state comes from sensors in the place of physics, so that what is
 * observed, judged and commanded is what it was in training. A robot has latency and noise of its own: those of the task
 * are left out.
 * @throws as makeEnv */
export async function makeTwin(
  task: ResolvedTask,
  { backend, judge = true }: TwinOptions = {},
): Promise<PhysicsBatch> {
  const options = { environments: 1, seed: 0, threads: 1, autoReset: false, firstEnvironment: 0 };
  const spec: PhysicsSpec = { ...physicsSpec(task, options), latency: [0, 0], observationNoise: 0 };
  return createBatch(judge ? spec : unjudged(spec), backend);
}

/** Without what would end an episode before its horizon; a monitor stays where its state is observed. */
function unjudged({ monitor, program, ...spec }: PhysicsSpec): PhysicsSpec {
  const none = { offset: 0, length: 0 };
  const groups = { ...program.groups, success: none, failure: none };
  if (!monitor || monitor.observed.length === 0)
    return { ...spec, program: { ...program, groups: { ...groups, monitor: none } } };
  const guards = monitor.guards.map((guard) => ({ ...guard, terminates: false }));
  return { ...spec, program: { ...program, groups }, monitor: { ...monitor, terminates: false, guards } };
}
