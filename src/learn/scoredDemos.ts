import { type Demos, episodeOffsets } from '#data/demos';
import type { Replay } from '#data/replay';
import type { ScenePose } from '#env/renderer';
import type { VectorEnv } from '#env/vectorEnv';
import type { ScoredRewards } from '#learn/scoredRewards';

/** Demonstrations for models that score pictures: their actions are gone through again, since files of demonstrations keep
 * what was observed and not where everything was. */

/** Largest difference of a final observation from the recorded one, relative to 1 + its size, for the episode to be the same. */
const TOLERANCE = 1e-3;

/** Where everything was at the samples of each demonstration; undefined where going through its actions ends elsewhere than it
 * did: recorded on a robot, or by another physics. @shape result [episodes][length + 1] */
export function demoPoses(env: VectorEnv, demos: Demos): (readonly ScenePose[] | undefined)[] {
  const { O, A, episodes } = demos;
  const offsets = episodeOffsets(demos);
  return episodes.map(({ seed, environment, episode, length }, k) => {
    const { step, observation } = offsets[k]!;
    env.reset({ seed, episode, firstEnvironment: environment });
    const poses: ScenePose[] = [env.readCopy(0)];
    for (let t = 0; t < length; t++) {
      if (env.terminated[0] === 1 || env.truncated[0] === 1) return undefined;
      env.action.set(demos.action.subarray((step + t) * A, (step + t + 1) * A));
      env.step();
      poses.push(env.readCopy(0));
    }
    const recorded = demos.observation.subarray((observation + length) * O, (observation + length + 1) * O);
    return recorded.every((value, i) => isNear(env.observation[i]!, value)) ? poses : undefined;
  });
}

function isNear(value: number, expected: number): boolean {
  return Math.abs(value - expected) <= TOLERANCE * (1 + Math.abs(expected));
}

/** What reference scorers compare with: the first and the last pose of a demonstration that succeeded. */
export function referenceOf(
  { episodes }: Demos,
  poses: readonly (readonly ScenePose[] | undefined)[],
): { readonly start?: ScenePose; readonly goal?: ScenePose } {
  const known = poses.find((episode, k) => episode !== undefined && episodes[k]!.success);
  return known ? { start: known[0]!, goal: known.at(-1)! } : {};
}

/** Has all demonstrations scored and credits their steps in their replay, before training begins.
 * @param replay what labelDemos made of them
 * @param poses of each; one without is not scored
 * @param report told after each, how many are done */
export async function scoreDemos(
  demos: Demos,
  replay: Replay,
  poses: readonly (readonly ScenePose[] | undefined)[],
  scored: ScoredRewards,
  report: (done: number, total: number) => void,
): Promise<void> {
  const { episodes, signals } = demos;
  const offsets = episodeOffsets(demos);
  const S = signals!.names.length;
  for (const [k, { length, success, terminated }] of episodes.entries()) {
    const posed = poses[k];
    const { step, observation } = offsets[k]!;
    const all = Array.from({ length: length + 1 }, (_, t) => t);
    // What cannot be drawn has no samples to look at; networks look at what was observed.
    const samples = posed ? all.filter((t) => scored.looksAt(t)) : [];
    const columns = all.map((t) =>
      scored.columnsOf(signals!.values.subarray((observation + t) * S, (observation + t + 1) * S)),
    );
    // A demonstration's steps are those transitions of its replay that bear its steps' numbers.
    const steps = Int32Array.from({ length }, (_, t) => step + t);
    const rewards = [...demos.reward.subarray(step, step + length)];
    const { O } = demos;
    scored.add(
      { replay, steps, success, terminated },
      {
        ...{ columns, rewards, samples },
        poses: samples.map((t) => posed![t]!),
        observation: demos.observation.slice(observation * O, (observation + length + 1) * O),
      },
    );
    await scored.idle();
    report(k + 1, episodes.length);
  }
}
