import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { percent } from '#cli/format';
import { type RunRecord, readRunRecord, shownPath } from '#cli/runFolder';
import { makeNamedPolicy, type Subject } from '#cli/subject';
import { VernierError } from '#core/errors';
import { makeEnv } from '#env/makeEnv';
import type { Score, TrainEvent } from '#learn/events';
import type { TrainResult } from '#learn/train';
import { episodeStrip, type RecordedEpisode, recordEpisode } from '#view/episodes';
import { encodePng } from '#view/frames';
import type { ScalarCurve } from '#view/plots';
import { Renderer } from '#view/renderer';
import { type RunReport, renderReport } from '#view/report';

type Logged = TrainEvent & { readonly seconds: number };
type Of<K extends TrainEvent['kind']> = Extract<Logged, { kind: K }>;

/** The events of a run, oldest first; a line torn by a crash is left out. */
export function readMetrics(folder: string): Logged[] {
  const file = join(folder, 'metrics.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Logged];
      } catch {
        return [];
      }
    });
}

const ofKind = <K extends TrainEvent['kind']>(events: readonly Logged[], kind: K): Of<K>[] =>
  events.filter((event): event is Of<K> => event.kind === kind);

const rate = ({ rate: success, low, high }: Score) => ({ success, low, high });

/** How long each phase took. A resumed session starts its clock again: its phases are counted on their own. */
function phasesOf(events: readonly Logged[]): RunReport['phases'] {
  return ofKind(events, 'phase')
    .filter(({ phase }) => phase !== 'done')
    .map((event) => {
      const rest = events.slice(events.indexOf(event) + 1);
      let end = event.seconds;
      for (const later of rest) {
        if (later.seconds < end) break;
        end = later.seconds;
        if (later.kind === 'phase') break;
      }
      return { name: event.phase, seconds: end - event.seconds };
    });
}

function scalarsOf(events: readonly Logged[]): ScalarCurve[] {
  const progress = ofKind(events, 'progress');
  const names = [...new Set(progress.flatMap(({ losses }) => Object.keys(losses)))];
  const series = (name: string, value: (event: Of<'progress'>) => number | undefined) => ({
    name,
    points: progress.flatMap((event) => {
      const y = value(event);
      return y === undefined ? [] : [{ environmentSteps: event.environmentSteps, value: y }];
    }),
  });
  const losses = names.map((name): ScalarCurve => {
    return { title: name, unit: '', series: [series(name, ({ losses }) => losses[name])] };
  });
  const success = series('last 100 training episodes', (event) => event.success);
  return [{ title: 'success while training', unit: 'rate', series: [success] }, ...losses].filter(
    ({ series }) => series[0]!.points.length > 1,
  );
}

function factsOf(subject: Subject, result: TrainResult | undefined, record: RunRecord): RunReport['facts'] {
  const { task } = subject;
  return [
    ['task', task.name],
    ['robot', task.robot.spec.name],
    ['algorithm', task.spec.residual.algorithm],
    ['environment steps', String(result?.environmentSteps ?? 0)],
    ['started', record.started],
    ['Vernier', record.vernier],
  ];
}

function verdictOf({ base, policy, shipped }: TrainResult): string | undefined {
  if (!base || !policy) return undefined;
  if (shipped === 'base')
    return 'The learned residual was no better than the base: the base alone is shipped.';
  return `Base + residual is shipped: ${percent(base.rate)} became ${percent(policy.rate)}.`;
}

const scored = (name: string, { successes, episodes, low, high, meanLength }: Score) => ({
  name,
  score: { successes, episodes, low, high, meanLength },
});

/** The same start for base and policy, one the base fails and the policy solves where there is one early on. */
async function exampleEpisodes(subject: Subject): Promise<[base: RecordedEpisode, policy: RecordedEpisode]> {
  const { seed } = subject.task.spec.evaluation;
  const env = await makeEnv(subject.task, { environments: 1, seed, threads: 1, autoReset: false });
  const base = await makeNamedPolicy(subject, 'base', env, seed);
  const policy = await makeNamedPolicy(subject, 'policy', env, seed);
  try {
    let first: [RecordedEpisode, RecordedEpisode] | undefined;
    for (let environment = 0; environment < 20; environment++) {
      const start = { seed, environment, episode: 0 };
      const pair: [RecordedEpisode, RecordedEpisode] = [
        await recordEpisode(env, base, start),
        await recordEpisode(env, policy, start),
      ];
      first ??= pair;
      if (!pair[0].success && pair[1].success) return pair;
    }
    return first!;
  } finally {
    base.close();
    policy.close();
    env.close();
  }
}

/** Strips of an example episode of both policies; none, with the reason, where nothing can be drawn. */
async function strips(subject: Subject): Promise<{ strips: RunReport['strips']; note?: string }> {
  try {
    const renderer = new Renderer(subject.task.model, { width: 320, height: 240, shadows: true });
    try {
      const episodes = await exampleEpisodes(subject);
      const names = ['base', 'base + residual'];
      return {
        strips: episodes.map((episode, i) => ({
          caption: `${names[i]}, environment ${episode.environment} of the evaluation: ${episode.success ? 'success' : 'failure'}`,
          png: encodePng(episodeStrip(renderer, episode, 6)),
        })),
      };
    } finally {
      renderer.close();
    }
  } catch (error) {
    if (!(error instanceof VernierError) || error.code !== 'BACKEND') throw error;
    return { strips: [], note: `no pictures: ${error.message}` };
  }
}

/** Writes report.html in a run's folder, from what the run left there; returns its path. */
export async function writeRunReport(folder: string, subject: Subject): Promise<string> {
  const events = readMetrics(folder);
  const record = readRunRecord(folder);
  const resultFile = join(folder, 'result.json');
  const result = existsSync(resultFile)
    ? (JSON.parse(readFileSync(resultFile, 'utf8')) as TrainResult)
    : undefined;
  const evaluations = ofKind(events, 'evaluation');
  const final = evaluations.find(({ what }) => what === 'final');
  const base = evaluations.find(({ what }) => what === 'base');
  const learned = evaluations.filter(({ what }) => what === 'policy');
  const pictures = subject.bundle ? await strips(subject) : { strips: [] };
  const { paired } = result ?? {};
  const report: RunReport = {
    title: `${subject.task.name}: base against base + residual`,
    description: subject.task.spec.description,
    facts: factsOf(subject, result, record),
    phases: phasesOf(events),
    scores: final
      ? [...(final.base ? [scored('base', final.base)] : []), scored('base + residual', final.score)]
      : [],
    ...(paired
      ? {
          pairing: {
            both: paired.both,
            onlyBase: paired.onlyFirst,
            onlyPolicy: paired.onlySecond,
            neither: paired.neither,
            pValue: paired.pValue,
          },
        }
      : {}),
    ...(result && verdictOf(result) ? { verdict: verdictOf(result)! } : {}),
    ...(learned.length > 0
      ? {
          curve: {
            title: 'Success while learning',
            subtitle:
              'evaluations of the policy so far, on starts of their own; bands are 95 % Wilson intervals',
            series: [
              {
                name: 'base + residual',
                points: learned.map(({ environmentSteps, score }) => ({ environmentSteps, ...rate(score) })),
              },
            ],
            ...(base ? { base: { name: 'base', ...rate(base.score) } } : {}),
          },
        }
      : {}),
    scalars: scalarsOf(events),
    strips: pictures.strips,
    notes: [
      ...ofKind(events, 'note').map(({ text }) => text),
      ...('note' in pictures && pictures.note ? [pictures.note] : []),
    ],
    config: stringify(record.resolved),
    command: ['vernier train', shownPath(record.task), ...record.overrides.map((text) => `--${text}`)].join(
      ' ',
    ),
  };
  const path = join(folder, 'report.html');
  writeFileSync(path, await renderReport(report));
  return path;
}
