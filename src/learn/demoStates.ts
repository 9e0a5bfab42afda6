import { VernierError } from '#core/errors';
import { type Demos, episodeOffsets } from '#data/demos';
import type { Problem } from '#learn/problem';

/** The simulator's states along demonstrations, so that episodes can begin in them. */

/** What a demonstration may differ by when it is stepped again, per number of the observation. */
const TOLERANCE = 1e-3;

/** States of the successful demonstrations, before each of their steps: what VectorEnv.setEnvironment takes. A
 * demonstration is stepped again from the seed, environment and episode it was recorded with, so no file has to keep states.
 * @throws VernierError DATA where one comes out differently, or none succeeded */
export async function demoStates(
  problem: Problem,
  demos: Demos,
): Promise<readonly (readonly Uint8Array[])[]> {
  const { O, A, episodes } = demos;
  const offsets = episodeOffsets(demos);
  const all: Uint8Array[][] = [];
  const env = await problem.makeEnv({ environments: 1, seed: 0, threads: 1 });
  try {
    for (const [k, { seed, environment, episode, length, success }] of episodes.entries()) {
      if (!success) continue;
      env.reset({ seed, episode, firstEnvironment: environment });
      const { step, observation } = offsets[k]!;
      const states: Uint8Array[] = [];
      for (let t = 0; t < length; t++) {
        const at = (observation + t) * O;
        const recorded = demos.observation.subarray(at, at + O);
        if (env.observation.some((value, i) => !(Math.abs(value - recorded[i]!) <= TOLERANCE)))
          differs(demos, k, t);
        states.push(env.getEnvironment(0));
        env.action.set(demos.action.subarray((step + t) * A, (step + t + 1) * A));
        env.step();
      }
      all.push(states);
      await new Promise((resume) => setImmediate(resume));
    }
  } finally {
    env.close();
  }
  if (all.length === 0)
    throw new VernierError(
      'DATA',
      `${demos.task}: no demonstration succeeded, so no episode can begin on one`,
      {
        hint: 'record some that do, or leave residual.starts out',
      },
    );
  return all;
}

function differs({ task }: Demos, k: number, t: number): never {
  throw new VernierError(
    'DATA',
    `${task}: demonstration ${k + 1}, stepped again, differs from what was recorded at step ${t}`,
    { hint: 'record demonstrations on this physics backend (vernier demos), or leave residual.starts out' },
  );
}
