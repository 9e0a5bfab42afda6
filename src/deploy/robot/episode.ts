import type { PhysicsBatch } from '#native/physicsBatch';
import type { ResolvedTask } from '#spec/resolved';

/** Why an episode ended. */
export interface EpisodeEnd {
  readonly success: boolean;
  /** `success`, `horizon`, `guard speed`, `stop: stale`, `emergency stop`, ... */
  readonly reason: string;
  /** Policy steps done. */
  readonly steps: number;
}

/** What the task says of the step just observed: undefined while the episode goes on.
 * @param judge false: only the horizon counts */
export function taskVerdict(task: ResolvedTask, twin: PhysicsBatch, judge: boolean): EpisodeEnd | undefined {
  const steps = twin.steps[0]!;
  if (judge && twin.success[0] === 1) return { success: true, reason: 'success', steps };
  if (judge && twin.terminated[0] === 1) {
    const guards = task.monitors?.guards ?? [];
    const guard = guards.find(({ terminates }, g) => terminates && twin.violated[g] === 1);
    const reason = guard
      ? `guard ${guard.name}`
      : task.monitors?.specification
        ? 'the formula is violated'
        : 'failure';
    return { success: false, reason, steps };
  }
  return steps >= task.horizon ? { success: false, reason: 'horizon', steps } : undefined;
}
