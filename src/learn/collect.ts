import { VernierError } from '#core/errors';
import { type Demos, EpisodeRecorder, episodeOffsets } from '#data/demos';
import { Replay, type StepBatch } from '#data/replay';
import type { Problem } from '#learn/problem';
import type { BasePolicy } from '#policy/policy';
import { RewardShaper } from '#reward/rewardShaper';
import type { DemosSpec } from '#spec/learningSchema';
import type { ResolvedReward } from '#spec/resolvedReward';

/** Demonstrations: recording them with the expert, and labelling them for the replay. */

/** Environments the expert runs in; part of what makes demonstrations reproducible, so not an option. */
const ENVIRONMENTS = 16;

export interface CollectOptions {
  readonly settings: DemosSpec;
  readonly threads?: number;
  readonly report?: (kept: number, tried: number) => void;
  readonly stop?: () => boolean;
}

export interface Collected {
  readonly demos: Demos;
  readonly tried: number;
  readonly successes: number;
}

/** Runs the expert, one episode in every environment per round, until enough are kept. Rounds are complete, so
 * quick episodes are not over-represented.
 * @throws VernierError DATA when the attempts run out first */
export async function collectDemos(
  problem: Problem,
  options: CollectOptions,
): Promise<Collected | undefined> {
  const { settings } = options;
  const wanted = settings.episodes;
  const attempts = settings.attempts ?? 10 * wanted;
  const env = await problem.makeEnv({
    environments: ENVIRONMENTS,
    seed: settings.seed,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  try {
    const expert = problem.makeExpert(env, settings.seed);
    const recorder = new EpisodeRecorder(env.B, env.O, env.A, problem.signalNames);
    const before = new Float32Array(env.observation.length);
    const signals = new Float64Array(env.signals.length);
    const done = new Uint8Array(env.B);
    let kept = 0;
    let tried = 0;
    let successes = 0;
    env.reset({ seed: settings.seed });
    expert.reset();
    while (kept < wanted) {
      if (tried >= attempts) tooFew(problem.task, kept, wanted, tried);
      env.active.fill(1);
      for (let running = env.B; running > 0; ) {
        expert.act(env.action);
        for (let i = 0; i < env.action.length; i++) env.action[i] = Math.min(1, Math.max(-1, env.action[i]!));
        before.set(env.observation);
        signals.set(env.signals);
        env.step();
        done.fill(0);
        for (let row = 0; row < env.B; row++) {
          if (env.active[row] === 0) continue;
          recorder.add(row, before, env.action, env.reward[row]!, signals);
          if (env.terminated[row] === 0 && env.truncated[row] === 0) continue;
          const success = env.success[row] === 1;
          const fault = env.faults.some((f) => f.environment === row);
          const keep = !fault && (success || !settings.successful_only);
          recorder.finish(
            row,
            env.finalObservation,
            env.finalSignals,
            outcome(env, row, settings.seed),
            keep,
          );
          done[row] = 1;
          env.active[row] = 0;
          running--;
          tried++;
          if (success) successes++;
          if (keep) kept++;
        }
        expert.reset(done);
      }
      options.report?.(Math.min(kept, wanted), tried);
      await new Promise((resume) => setImmediate(resume));
      if (options.stop?.()) return undefined;
    }
    const { task, taskHash, robotHash, controlPeriod, observationFields, actionNames } = problem;
    const header = { task, taskHash, robotHash, controlPeriod, observationFields, actionNames };
    return { demos: recorder.build(header, wanted), tried, successes };
  } finally {
    env.close();
  }
}

function outcome(
  env: {
    readonly episode: Uint32Array;
    readonly terminated: Uint8Array;
    readonly truncated: Uint8Array;
    readonly success: Uint8Array;
  },
  row: number,
  seed: number,
) {
  return {
    seed,
    environment: row,
    // The environment has already moved on to the next episode.
    episode: env.episode[row]! - 1,
    terminated: env.terminated[row] === 1,
    truncated: env.truncated[row] === 1,
    success: env.success[row] === 1,
  };
}

function tooFew(task: string, kept: number, wanted: number, tried: number): never {
  throw new VernierError(
    'DATA',
    `${task}: the expert succeeded in ${kept} of ${tried} episodes, ${wanted} are wanted`,
    {
      hint: 'make the expert better or less noisy, raise demos.attempts, or set demos.successful_only=false',
    },
  );
}

/** Demonstrations as replay transitions. The base, one row, is asked at every observation of a demonstration, the
 * last included, and starts each one afresh. The aids of a reward look at the recorded signals.
 * @throws VernierError DATA where those were not recorded */
export async function labelDemos(
  demos: Demos,
  base: BasePolicy,
  settings: { readonly nStep: number; readonly gamma: number },
  reward?: ResolvedReward,
): Promise<Replay> {
  const { O, A, episodes } = demos;
  const steps = episodes.reduce((sum, e) => sum + e.length, 0);
  const { nStep, gamma } = settings;
  const shaper = reward && new RewardShaper(reward, 1, gamma);
  const horizon = shaper?.credits ? Math.max(...episodes.map(({ length }) => length)) : undefined;
  const replay = new Replay({
    ...{ O, A, environments: 1, capacity: steps, nStep, gamma },
    ...(horizon === undefined ? {} : { horizon }),
  });
  const offsets = episodeOffsets(demos);
  const action = new Float32Array(A);
  for (const [k, episode] of episodes.entries()) {
    const { length } = episode;
    const { step, observation: first } = offsets[k]!;
    const observation = demos.observation.subarray(first * O, (first + length + 1) * O);
    const labels = new Float32Array((length + 1) * A);
    const phase = new Float32Array(length + 1);
    base.reset();
    for (let t = 0; t <= length; t++) {
      const acted = base.act(observation.subarray(t * O, (t + 1) * O), action);
      if (acted) await acted;
      labels.set(action, t * A);
      phase[t] = base.phase[0]!;
    }
    const flags = (last: boolean): Uint8Array => {
      const flag = new Uint8Array(length);
      flag[length - 1] = last ? 1 : 0;
      return flag;
    };
    const batch: StepBatch = {
      observation,
      phase,
      base: labels,
      action: demos.action.subarray(step * A, (step + length) * A),
      reward: Float32Array.from(demos.reward.subarray(step, step + length)),
      nextObservation: observation.subarray(O),
      nextPhase: phase.subarray(1),
      nextBase: labels.subarray(A),
      terminated: flags(episode.terminated),
      // A demonstration that just stops has no outcome: what follows has a value.
      truncated: flags(!episode.terminated),
    };
    const credits = shaper && shapeDemo(shaper, demos, k, first, batch.reward);
    for (let t = 0; t < length; t++) replay.add(0, batch, t);
    if (credits && horizon !== undefined) replay.settle(replay.takeEpisode(0), credits);
  }
  return replay;
}

/** Adds to the rewards of demonstration k what the aids make of it. @param first its first observation
 * @returns the credits of its steps */
function shapeDemo(
  shaper: RewardShaper,
  demos: Demos,
  k: number,
  first: number,
  outReward: Float32Array,
): Float64Array {
  const { signals, episodes } = demos;
  if (!signals)
    throw new VernierError(
      'DATA',
      `the demonstrations of ${demos.task} lack what the reward's aids look at`,
      {
        hint: 'record them again with the present task file: vernier demos <task>',
      },
    );
  const S = signals.names.length;
  const { length, terminated, success } = episodes[k]!;
  const sample = (t: number): Float64Array => signals.values.subarray((first + t) * S, (first + t + 1) * S);
  shaper.begin(0, sample(0));
  for (let t = 0; t < length; t++) {
    const own = outReward[t]!;
    outReward[t] = own + shaper.step(0, sample(t + 1), own, terminated && t === length - 1);
  }
  return shaper.finish(0, success).credits;
}
