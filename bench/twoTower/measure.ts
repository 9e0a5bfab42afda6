import { type Moment, makeFrame } from '#core/frame';
import { TaskCameras } from '#env/taskCameras';
import { measureCalibration, quantile } from '#reward/backends/calibration';
import { makeClipScorer } from '#reward/backends/clip';
import { makeGoalImageScorer } from '#reward/backends/goalImage';
import { areaUnderCurve, rankCorrelation, valueOrderCorrelation } from '#reward/rankStatistics';
import { clipSchema } from '#spec/scores/clipSchema';
import { goalImageSchema } from '#spec/scores/goalImageSchema';
import { type PicturedEpisode, rollOut, subjectTask } from './pictures.js';
import { cameras, SIDE, type Subject } from './statements.js';

/** How well the scores of the model order what it has not seen: seeds apart from those of the training pictures. */

const EPISODES = 16;
const SEED = 9000;
const ALPHA = 0.5;

export interface Figures {
  readonly task: string;
  readonly score: string;
  /** Mean value-order correlation over expert episodes with success. */
  readonly expert: number;
  /** Mean rank correlation with the simulator's progress over the episodes of a shaky expert, whatever their end. */
  readonly weak: number;
  /** How well the last score of an episode tells success, over the shaky and the aimless; NaN where all end alike. */
  readonly success: number;
}

interface HeldOut {
  readonly expert: readonly PicturedEpisode[];
  readonly weak: readonly PicturedEpisode[];
  readonly random: readonly PicturedEpisode[];
}

function moments({ pictures }: PicturedEpisode): Moment[] {
  const names = Object.keys(cameras);
  return pictures.map((views) => ({
    views: views.map((rgb, view) => makeFrame(names[view]!, { width: SIDE, height: SIDE, rgb })),
  }));
}

async function heldOut(subject: Subject): Promise<HeldOut> {
  const task = await subjectTask(subject);
  const views = TaskCameras.open(task);
  const plan = { episodes: EPISODES, seed: SEED, keep: 0.5 };
  const expert = await rollOut(task, views, { ...plan, noise: 0.15 });
  const weak = await rollOut(task, views, { ...plan, seed: SEED + 1, noise: 0.8, keep: 0.15 });
  const random = await rollOut(task, views, { ...plan, seed: SEED + 2, noise: 'random', keep: 0.05 });
  views.close();
  return { expert: expert.filter(({ success }) => success), weak, random };
}

/** The scores `clip` and `goal-image` on one task, and the calibration that its task file should have. */
export async function measure(
  subject: Subject,
  model: string,
): Promise<{ figures: Figures[]; calibrate: string }> {
  const episodes = await heldOut(subject);
  const context = { directory: '/', instruction: '' };
  const { goal, baseline } = subject;
  const settings = { model, goal, baseline, alpha: ALPHA, calibrate: { low: -1, high: 1 } };
  const clip = await makeClipScorer(clipSchema.parse(settings), context);
  const raw = async (episode: PicturedEpisode) => clip.raw(moments(episode));
  const ends = await Promise.all(episodes.expert.map(async (episode) => (await raw(episode)).at(-1)!));
  const aimless = (await Promise.all(episodes.random.map(raw))).flatMap((values) => [...values]);
  const { low, high } = measureCalibration(aimless, ends);
  const truth = async ({ progress }: PicturedEpisode) => Float64Array.from(progress);
  const figures = [
    await figuresOf(subject, "the simulator's progress itself", episodes, truth),
    await figuresOf(subject, 'clip', episodes, raw),
  ];
  await clip.close();

  const demonstration = moments(episodes.expert[0]!);
  const rest = { ...episodes, expert: episodes.expert.slice(1) };
  for (const [name, features] of [
    ['goal-image, pixels', 'pixels'],
    ['goal-image, the vision tower', { model }],
  ] as const) {
    const scorer = await makeGoalImageScorer(
      goalImageSchema.parse({ features, calibrate: { low: -1, high: 1 } }),
      {
        ...context,
        start: demonstration[0]!,
        goal: demonstration.at(-1)!,
      },
    );
    const phi = async (episode: PicturedEpisode) =>
      (await scorer.score([{ moments: moments(episode), instruction: '' }]))[0]!.phi;
    figures.push(await figuresOf(subject, name, rest, phi));
    await scorer.close();
  }
  return { figures, calibrate: `{low: ${low.toFixed(3)}, high: ${high.toFixed(3)}}` };
}

async function figuresOf(
  { task }: Subject,
  score: string,
  episodes: HeldOut,
  phi: (episode: PicturedEpisode) => Promise<Float64Array>,
): Promise<Figures> {
  const expert: number[] = [];
  for (const episode of episodes.expert) expert.push(valueOrderCorrelation(await phi(episode)));
  const weak: number[] = [];
  const last: number[] = [];
  const success: boolean[] = [];
  for (const episode of [...episodes.weak, ...episodes.random]) {
    const values = await phi(episode);
    last.push(values.at(-1)!);
    success.push(episode.success);
    if (episodes.weak.includes(episode)) weak.push(rankCorrelation(values, episode.progress));
  }
  return { task, score, expert: mean(expert), weak: mean(weak), success: areaUnderCurve(last, success) };
}

function mean(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Milliseconds of one picture, in the median of many runs of one. */
export async function pictureTime(subject: Subject, model: string): Promise<number> {
  const clip = await makeClipScorer(clipSchema.parse({ model, goal: subject.goal }), {
    directory: '/',
    instruction: '',
  });
  const rgb = new Uint8Array(3 * SIDE * SIDE);
  const one: Moment = { views: [makeFrame('front', { width: SIDE, height: SIDE, rgb })] };
  const times: number[] = [];
  for (let run = 0; run < 50; run++) {
    const from = performance.now();
    await clip.raw([one]);
    times.push(performance.now() - from);
  }
  await clip.close();
  return quantile(times, 0.5);
}
