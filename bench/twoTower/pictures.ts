import { PhiloxStream } from '#core/philox';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import type { ScenePose } from '#env/renderer';
import type { TaskCameras } from '#env/taskCameras';
import type { VectorEnv } from '#env/vectorEnv';
import { loadTask, type ResolvedTask } from '#spec/task';
import { cameras, SIDE, type Subject } from './statements.js';

/** Rollouts of a task as pictures with what is true of them. */

export interface RolloutOptions {
  readonly episodes: number;
  readonly seed: number;
  /** Standard deviation of the noise on the expert's actions; 'random' leaves the expert out. */
  readonly noise: number | 'random';
  /** Share of the samples that are kept; an episode's last one always is. */
  readonly keep: number;
}

export interface PicturedEpisode {
  readonly success: boolean;
  /** One for each camera and sample. @shape [samples][cameras] of [SIDE,SIDE,3] */
  readonly pictures: readonly (readonly Uint8Array[])[];
  /** @shape [samples] of [statements] */
  readonly truths: readonly Float32Array[];
  /** @shape [samples] */
  readonly progress: readonly number[];
}

const ENVIRONMENTS = 16;
/** Keeps the choice of samples apart from the streams of the physics and the expert. */
const CHOICE_STREAM = 0x7000;

interface Sample {
  readonly pose: ScenePose;
  readonly signals: Float64Array;
}

/** The task of a subject with its statements, its progress and the cameras written into it. */
export async function subjectTask(subject: Subject): Promise<ResolvedTask> {
  const expressions = [subject.progress, ...subject.statements.map(({ when }) => when)];
  const signals = expressions.map((text, i) => `signals.statement_${i}=${JSON.stringify(text)}`);
  const views = Object.entries(cameras).map(
    ([name, free]) => `cameras.${name}=${JSON.stringify({ width: SIDE, height: SIDE, free })}`,
  );
  return loadTask(subject.task, [...signals, ...views]);
}

/** Runs whole episodes, 16 at a time. */
export async function rollOut(
  task: ResolvedTask,
  views: TaskCameras,
  options: RolloutOptions,
): Promise<PicturedEpisode[]> {
  const { seed, noise, keep } = options;
  const env = await makeEnv(task, { environments: ENVIRONMENTS, seed, autoReset: false });
  const expert = new Expert(task, env, seed, noise === 'random' ? {} : { noise });
  const rng = new PhiloxStream(seed, CHOICE_STREAM);
  const episodes: PicturedEpisode[] = [];
  const width = env.signalsLength;
  for (let round = 0; episodes.length < options.episodes; round++) {
    env.reset({ seed, episode: round });
    env.active.fill(1);
    expert.reset();
    const samples: Sample[][] = Array.from({ length: env.B }, (_, i) => [sampleOf(env, i, width)]);
    const success = new Uint8Array(env.B);
    for (let running = env.B; running > 0; ) {
      if (noise === 'random') wander(env, rng);
      else expert.act(env.action);
      env.step();
      for (let i = 0; i < env.B; i++) {
        if (!env.active[i]) continue;
        const ended = env.terminated[i] === 1 || env.truncated[i] === 1;
        if (ended || rng.uniform() < keep) samples[i]!.push(sampleOf(env, i, width));
        if (!ended) continue;
        env.active[i] = 0;
        success[i] = env.success[i]!;
        running--;
      }
    }
    for (let i = 0; i < env.B && episodes.length < options.episodes; i++) {
      episodes.push(draw(task, views, samples[i]!, success[i] === 1));
    }
  }
  env.close();
  return episodes;
}

/** A random walk of the actions, so that the hand goes somewhere. */
function wander(env: VectorEnv, rng: PhiloxStream): void {
  for (let i = 0; i < env.action.length; i++) {
    env.action[i] = Math.max(-1, Math.min(1, 0.9 * env.action[i]! + 0.4 * rng.normal()));
  }
}

function sampleOf(env: VectorEnv, row: number, width: number): Sample {
  return { pose: env.readCopy(row), signals: env.signals.slice(row * width, (row + 1) * width) };
}

function draw(
  task: ResolvedTask,
  views: TaskCameras,
  samples: readonly Sample[],
  success: boolean,
): PicturedEpisode {
  const { signalNames } = task.program;
  const total = signalNames.reduce((sum, { length }) => sum + length, 0);
  const from = total - signalNames.filter(({ name }) => name.startsWith('statement_')).length;
  return {
    success,
    pictures: samples.map(({ pose }) => views.draw(pose).views.map(({ rgb }) => rgb)),
    truths: samples.map(({ signals }) => Float32Array.from(signals.subarray(from + 1, total))),
    progress: samples.map(({ signals }) => signals[from]!),
  };
}
