import type { ContainerData } from '#core/container';
import { CostToGo } from '#learn/tgpo/costToGo';

/** What exploration leaves to learning: which way to go from almost anywhere, and where to set out for practice. */

/** An environment and its plan in the middle of an episode. */
export interface Situation {
  /** VectorEnv.getEnvironment */
  readonly state: Uint8Array;
  /** StageTracker.getRow */
  readonly plan: Uint8Array;
}

export class Guide {
  readonly costs: CostToGo;
  /** From which the end can be reached in time, by the progress of the plan. */
  readonly situations: readonly (readonly Situation[])[];

  constructor(costs: CostToGo, situations: readonly (readonly Situation[])[]) {
    this.costs = costs;
    this.situations = situations;
  }

  /** What a checkpoint keeps. */
  arrays(): Readonly<Record<string, ContainerData>> {
    const all = this.situations.flat();
    return {
      ...this.costs.arrays(),
      groups: Int32Array.from(this.situations, (group) => group.length),
      states: joined(all.map(({ state }) => state)),
      plans: joined(all.map(({ plan }) => plan)),
    };
  }

  static from(arrays: Readonly<Record<string, ContainerData>>): Guide {
    const groups = [...(arrays['groups'] as Int32Array)];
    const count = groups.reduce((sum, group) => sum + group, 0);
    const states = split(arrays['states'] as Uint8Array, count);
    const plans = split(arrays['plans'] as Uint8Array, count);
    let at = 0;
    const situations = groups.map((group) =>
      Array.from({ length: group }, () => ({ state: states[at]!, plan: plans[at++]! })),
    );
    return new Guide(CostToGo.from(arrays), situations);
  }
}

/** Arrays of one length, one after the other. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts[0]?.length ?? 0;
  const all = new Uint8Array(parts.length * length);
  for (const [i, part] of parts.entries()) all.set(part, i * length);
  return all;
}

function split(all: Uint8Array, count: number): Uint8Array[] {
  const length = count === 0 ? 0 : all.length / count;
  return Array.from({ length: count }, (_, i) => all.slice(i * length, (i + 1) * length));
}
