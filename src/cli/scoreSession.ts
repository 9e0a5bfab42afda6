import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyName } from '#cli/arguments';
import type { CliContext } from '#cli/context';
import { percent, table } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { shownPath } from '#cli/runFolder';
import type { ScoreFlags } from '#cli/score';
import { loadSubject, makeNamedPolicy, type Subject } from '#cli/subject';
import { orCheckpoint } from '#cli/unfinished';
import { nearestName, VernierError } from '#core/errors';
import { type Moment, throughCameras } from '#core/frame';
import { TaskCameras } from '#env/taskCameras';
import type { Scorer } from '#reward/score';
import { makeScorer } from '#reward/scorers';
import { judgeScores, type ScoreVerdict } from '#reward/scoreVerdict';
import type { ResolvedScore, ResolvedTask } from '#spec/resolved';
import type { EpisodeId, RecordedEpisode } from '#view/episodes';
import { evenlySpaced } from '#view/frames';
import { playEpisodes } from '#view/play';
import { renderSvg, svgToPng } from '#view/plots';
import { type ScoredFrame, type ScoreTrace, scorePlotSpec, scoreStripSvg } from '#view/scorePlot';

/** `vernier score`: rollouts are recorded, drawn, judged by the task's scores, and the judges by what became of the rollouts. */

/** Pictures in a row of the strip. */
const STRIP = 6;
/** Expert's episodes that are tried for one with success to compare with; none of those that are scored. */
const REFERENCE_TRIES = 20;

interface Rollout {
  readonly policy: PolicyName;
  readonly recorded: RecordedEpisode;
}

interface JudgedRollout extends ScoreTrace {
  readonly policy: PolicyName;
  readonly strip: readonly ScoredFrame[];
}

interface Judged {
  readonly score: ResolvedScore;
  readonly rollouts: readonly JudgedRollout[];
  /** Milliseconds per moment. */
  readonly drawMs: number;
  readonly modelMs: number;
}

export async function scoreFromCommandLine(
  what: string,
  flags: ScoreFlags,
  context: CliContext,
): Promise<void> {
  const loaded = await loadSubject(what, context.overrides, flags.task);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const subject = orCheckpoint(loaded, say);
  const { task, run } = subject;
  const scores = chooseScores(task, flags.score);
  const names = flags.policy ?? defaultPolicies(subject);
  const seed = flags.seed ?? task.spec.evaluation.seed;
  const cameras = TaskCameras.open(task, [...new Set(scores.flatMap((score) => score.cameras))]);
  const interrupt = catchInterrupt(say);
  try {
    const reference = await drawReference(subject, seed, cameras);
    const rollouts = await rollOut(subject, names, flags.episodes, seed, interrupt.signal);
    const directory = flags.out ?? (run ? join(run.folder, 'scores') : join('scores', task.name));
    const told: Record<string, unknown>[] = [];
    for (const score of scores) {
      const judged = await judge(score, rollouts, cameras, reference, interrupt.signal);
      const files = await draw(directory, task, judged);
      told.push({
        score: score.name,
        ...judgeScores(judged.rollouts),
        modelMs: judged.modelMs,
        drawMs: judged.drawMs,
        files,
      });
      if (!flags.json) for (const line of describe(task, judged, files)) context.out(line);
    }
    if (flags.json)
      context.out(JSON.stringify({ task: task.name, seed, policies: names, scores: told }, null, 2));
  } finally {
    interrupt.dispose();
    cameras.close();
  }
}

/** @throws USAGE for a score the task does not have, or a task without any */
function chooseScores({ name, scores }: ResolvedTask, wanted: string | undefined): readonly ResolvedScore[] {
  if (scores.length === 0)
    throw new VernierError('USAGE', `${name} has no scores`, {
      hint: 'give it `cameras:` and `scores:`, see docs/pixels.md',
    });
  if (wanted === undefined) return scores;
  const found = scores.find((score) => score.name === wanted);
  if (found) return [found];
  const all = scores.map((score) => score.name);
  const near = nearestName(wanted, all);
  throw new VernierError('USAGE', `${name} has no score '${wanted}'`, {
    hint: near === undefined ? `it has ${all.join(', ')}` : `did you mean ${near}?`,
  });
}

/** Somebody who succeeds, and somebody who fails more often. */
function defaultPolicies({ task, bundle, formula }: Subject): readonly PolicyName[] {
  const expert: readonly PolicyName[] = task.expert ? ['expert'] : [];
  return [...expert, bundle ? 'base' : formula ? 'policy' : 'random'];
}

async function record(
  subject: Subject,
  policy: PolicyName,
  episodes: readonly EpisodeId[],
  seed: number,
  enough: (recorded: RecordedEpisode) => boolean,
): Promise<RecordedEpisode[]> {
  const { task } = subject;
  const all: RecordedEpisode[] = [];
  const played = playEpisodes({
    task,
    seed,
    episodes,
    makeActor: (env) => makeNamedPolicy(subject, policy, env, seed),
  });
  for await (const { recorded } of played) {
    all.push(recorded);
    if (enough(recorded)) break;
  }
  return all;
}

async function rollOut(
  subject: Subject,
  names: readonly PolicyName[],
  count: number,
  seed: number,
  signal: AbortSignal,
): Promise<Rollout[]> {
  const episodes = Array.from({ length: count }, (_, environment) => ({ environment, episode: 0 }));
  const all: Rollout[] = [];
  for (const policy of names) {
    const recorded = await record(subject, policy, episodes, seed, () => signal.aborted);
    all.push(...recorded.map((each) => ({ policy, recorded: each })));
  }
  return all;
}

/** The first and the last moment of an episode of the expert with success, from starts that are not scored. */
async function drawReference(
  subject: Subject,
  seed: number,
  cameras: TaskCameras,
): Promise<{ readonly start?: Moment; readonly goal?: Moment }> {
  if (!subject.task.expert) return {};
  const episodes = Array.from({ length: REFERENCE_TRIES }, (_, environment) => ({ environment, episode: 1 }));
  const recorded = await record(subject, 'expert', episodes, seed, ({ success }) => success);
  const found = recorded.find(({ success }) => success);
  return found ? { start: cameras.draw(found.poses[0]!), goal: cameras.draw(found.poses.at(-1)!) } : {};
}

async function judge(
  score: ResolvedScore,
  rollouts: readonly Rollout[],
  cameras: TaskCameras,
  reference: { readonly start?: Moment; readonly goal?: Moment },
  signal: AbortSignal,
): Promise<Judged> {
  const seen = {
    ...(reference.start ? { start: throughCameras(score.cameras, reference.start) } : {}),
    ...(reference.goal ? { goal: throughCameras(score.cameras, reference.goal) } : {}),
  };
  const scorer: Scorer = await makeScorer(score, seen);
  const judged: JudgedRollout[] = [];
  let [moments, drawMs, modelMs] = [0, 0, 0];
  try {
    for (const { policy, recorded } of rollouts) {
      if (signal.aborted) break;
      const samples = samplesOf(score, recorded);
      const from = performance.now();
      const drawn = samples.map((sample) =>
        throughCameras(score.cameras, cameras.draw(recorded.poses[sample]!)),
      );
      drawMs += performance.now() - from;
      const [answer] = await scorer.score([{ moments: drawn, instruction: score.instruction, ...seen }]);
      modelMs += answer!.latencyMs;
      moments += drawn.length;
      const { phi } = answer!;
      const strip = evenlySpaced(drawn.length, STRIP).map((i) => ({
        time: samples[i]!,
        score: phi[i]!,
        picture: drawn[i]!.views[0]!,
      }));
      judged.push({ policy, success: recorded.success, samples, phi, strip });
    }
  } finally {
    await scorer.close();
  }
  return { score, rollouts: judged, drawMs: drawMs / moments, modelMs: modelMs / moments };
}

/** Every so many samples, and the last. */
function samplesOf({ every }: ResolvedScore, { poses }: RecordedEpisode): number[] {
  const last = poses.length - 1;
  return [...poses.keys()].filter((sample) => sample % every === 0 || sample === last);
}

/** Writes the plot, and a strip of the first success and the first failure; returns the paths. @throws IO */
async function draw(directory: string, task: ResolvedTask, { score, rollouts }: Judged): Promise<string[]> {
  const { period } = task.control;
  const title = `${task.name}: ${score.name} (${score.backend.kind})`;
  const svg = await renderSvg(scorePlotSpec(title, rollouts, period));
  const shown = [true, false].flatMap((success) => rollouts.find((each) => each.success === success) ?? []);
  const strip = scoreStripSvg(
    shown.map(({ policy, success, strip: frames }) => ({
      title: `${policy}: ${success ? 'success' : 'failure'}`,
      success,
      frames: frames.map((frame) => ({ ...frame, time: frame.time * period })),
    })),
  );
  const files = [join(directory, `${score.name}.svg`), join(directory, `${score.name}_strip.png`)];
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(files[0]!, svg);
    writeFileSync(files[1]!, svgToPng(strip));
  } catch (cause) {
    throw new VernierError('IO', `cannot write to ${directory}: ${(cause as Error).message}`, { cause });
  }
  return files;
}

const number = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(2));

function valueOrder({ valueOrder: { mean, low, high } }: ScoreVerdict): string {
  return Number.isNaN(low) ? number(mean) : `${number(mean)} [${number(low)}, ${number(high)}]`;
}

function describe(task: ResolvedTask, judged: Judged, files: readonly string[]): string[] {
  const { score, rollouts } = judged;
  const whole = judgeScores(rollouts);
  const row = (name: string, verdict: ScoreVerdict): string[] => [
    name,
    `${verdict.successes} of ${verdict.episodes}`,
    valueOrder(verdict),
    number(verdict.lastOfSuccess),
    number(verdict.lastOfFailure),
    percent(verdict.missing),
  ];
  const policies = [...new Set(rollouts.map(({ policy }) => policy))];
  return [
    `${task.name}: ${score.name} (${score.backend.kind}), every ${score.every} steps, through ${score.cameras.join(', ')}`,
    ...table([
      ['', 'success', 'VOC of successes', 'last, success', 'last, failure', 'missing'],
      ...policies.map((policy) =>
        row(policy, judgeScores(rollouts.filter((each) => each.policy === policy))),
      ),
      ...(policies.length > 1 ? [row('all', whole)] : []),
    ]),
    `last score tells success from failure (AUC): ${number(whole.area)}`,
    `a moment: ${judged.drawMs.toFixed(1)} ms to draw, ${judged.modelMs.toFixed(1)} ms to score`,
    ...files.map(shownPath),
  ];
}
