import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { VernierError } from '#core/errors';
import { type LearningCurve, learningCurveSpec, renderSvg, type ScalarCurve, svgToPng } from '#view/plots';
import { type RunReport, renderReport, type Score } from '#view/report';
import { type LoggedEvent, readEvents } from '#view/runEvents';

/** From the folder of a run to its report: what metrics.jsonl, config.json and the pictures in `episodes` say. */

/** What the folder does not know. */
export interface RunOrigin {
  readonly title: string;
  readonly description?: string;
  readonly command: string;
  /** The machine, the backends, the commit: shown beside what the run itself tells. */
  readonly facts?: RunReport['facts'];
}

/** Writes report.html, curve.svg and curve.png into the folder of a run; returns the path of the first.
 * @throws IO, DATA when the run's files cannot be read or the report not written */
export async function writeRunReport(directory: string, origin: RunOrigin): Promise<string> {
  const report = readRunReport(directory, origin);
  const path = join(directory, 'report.html');
  const html = await renderReport(report);
  const curve = report.curve && (await renderSvg(learningCurveSpec(report.curve)));
  try {
    writeFileSync(path, html);
    if (curve !== undefined) {
      writeFileSync(join(directory, 'curve.svg'), curve);
      writeFileSync(join(directory, 'curve.png'), svgToPng(curve));
    }
  } catch (cause) {
    throw new VernierError('IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  return path;
}

export function readRunReport(directory: string, origin: RunOrigin): RunReport {
  const events = readEvents(join(directory, 'metrics.jsonl'));
  const configFile = join(directory, 'config.json');
  const config = existsSync(configFile) ? readFileSync(configFile, 'utf8').trimEnd() : '';
  const learned = nameOfLearned(config);
  const evaluations = events.filter((event) => event.kind === 'evaluation');
  return {
    title: origin.title,
    ...(origin.description === undefined ? {} : { description: origin.description }),
    facts: [...factsOf(events, config), ...(origin.facts ?? [])],
    phases: phasesOf(events),
    ...resultOf(evaluations, learned),
    ...curveOf(evaluations, learned, origin.title),
    scalars: scalarCurves(events),
    strips: stripsOf(join(directory, 'episodes')),
    notes: events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])),
    config,
    command: origin.command,
  };
}

type EvaluationEvent = Extract<LoggedEvent, { kind: 'evaluation' }>;

const LEARNED: Readonly<Record<string, string>> = {
  residual: 'base + residual',
  rlpd: 'RLPD, no base',
  ibrl: 'base or learned action',
  tgpo: 'TGPO',
  tau_mdp: 'tau-MDP',
  f_mdp: 'F-MDP',
  sparse: 'PPO, sparse robustness',
};

interface Learning {
  readonly algorithm?: string;
  readonly seed?: number;
  readonly environments?: number;
}

interface Config {
  readonly residual?: Learning;
  readonly tgpo?: Learning;
}

function learningOf(config: string): Learning {
  const { tgpo, residual } = parseConfig(config);
  return tgpo ?? residual ?? {};
}

function parseConfig(config: string): Config {
  try {
    return JSON.parse(config) as Config;
  } catch {
    return {}; // shown as it is, whatever it is
  }
}

function nameOfLearned(config: string): string {
  return LEARNED[learningOf(config).algorithm ?? 'residual'] ?? 'learned';
}

/** Seconds between an event and the one before; a resumed session counts from 0 again. */
function elapsed(events: readonly LoggedEvent[]): number[] {
  return events.map(({ seconds }, i) => {
    const before = events[i - 1]?.seconds ?? 0;
    return seconds >= before ? seconds - before : seconds;
  });
}

function factsOf(events: readonly LoggedEvent[], config: string): RunReport['facts'] {
  const learning = learningOf(config);
  const done = Math.max(
    0,
    ...events.map((event) => ('environmentSteps' in event ? event.environmentSteps : 0)),
  );
  const minutes = elapsed(events).reduce((total, seconds) => total + seconds, 0) / 60;
  const facts: [string, string][] = [
    ['environment steps', done.toLocaleString('en')],
    ['wall clock', `${minutes.toFixed(1)} min`],
  ];
  for (const key of ['algorithm', 'environments', 'seed'] as const) {
    if (learning[key] !== undefined) facts.push([key, String(learning[key])]);
  }
  return facts;
}

function phasesOf(events: readonly LoggedEvent[]): RunReport['phases'] {
  const seconds = new Map<string, number>();
  let phase: string | undefined;
  for (const [i, span] of elapsed(events).entries()) {
    if (phase !== undefined) seconds.set(phase, (seconds.get(phase) ?? 0) + span);
    const event = events[i]!;
    if (event.kind === 'phase') phase = event.phase;
  }
  return [...seconds].filter(([name]) => name !== 'done').map(([name, spent]) => ({ name, seconds: spent }));
}

/** The final comparison, or, as far as the run got, the last evaluation of each. */
function resultOf(
  evaluations: readonly EvaluationEvent[],
  learned: string,
): Pick<RunReport, 'scores' | 'pairing' | 'verdict'> {
  const last = (what: EvaluationEvent['what']) => evaluations.findLast((event) => event.what === what);
  const final = last('final');
  const base = final ? final.base : last('base')?.score;
  const policy = final ? final.score : last('policy')?.score;
  const scores = [
    ...(base ? [{ name: 'base', score: base }] : []),
    ...(policy ? [{ name: learned, score: policy }] : []),
  ];
  if (!final?.base || !final.paired) return { scores };
  const { both, onlyFirst: onlyBase, onlySecond: onlyPolicy, neither, pValue } = final.paired;
  const better = final.score.successes >= final.base.successes;
  return {
    scores,
    pairing: { both, onlyBase, onlyPolicy, neither, pValue },
    verdict: better ? `The run ships ${learned}.` : 'Learning did not pay: the run ships its base.',
  };
}

function curveOf(
  evaluations: readonly EvaluationEvent[],
  learned: string,
  title: string,
): { curve?: LearningCurve } {
  const during = evaluations.filter(({ what }) => what === 'policy');
  if (during.length === 0) return {};
  const points = during.map(({ environmentSteps, score }) => ({ environmentSteps, ...rateOf(score) }));
  const base = evaluations.find(({ what }) => what === 'base')?.score;
  return {
    curve: {
      title,
      subtitle: `${during[0]!.score.episodes} episodes a point, 95 % Wilson intervals`,
      series: [{ name: learned, points }],
      ...(base ? { base: { name: 'base', ...rateOf(base) } } : {}),
    },
  };
}

function rateOf({ successes, episodes, low, high }: Score) {
  return { success: successes / episodes, low, high };
}

const TRAINING_SUCCESS = 'success while training';

/** One small plot per quantity that the updates report, and the speed. */
function scalarCurves(events: readonly LoggedEvent[]): ScalarCurve[] {
  const curves = new Map<string, { environmentSteps: number; value: number }[]>();
  const add = (name: string, environmentSteps: number, value: number | null | undefined): void => {
    if (!curves.has(name)) curves.set(name, []);
    curves.get(name)!.push({ environmentSteps, value: value ?? Number.NaN });
  };
  for (const event of events) {
    if (event.kind !== 'progress') continue;
    add(TRAINING_SUCCESS, event.environmentSteps, event.success);
    for (const [name, value] of Object.entries(event.losses)) add(name, event.environmentSteps, value);
    add('environment steps per second', event.environmentSteps, event.stepsPerSecond);
    add('updates per second', event.environmentSteps, event.updatesPerSecond);
  }
  return [...curves].map(([title, points]) => ({
    title,
    unit: '',
    series: [{ name: title, points }],
    ...(title === TRAINING_SUCCESS ? { range: [0, 1] as const } : {}),
  }));
}

/** The pictures that playEpisodes left, those of the policy with the shortest name first. */
function stripsOf(folder: string): RunReport['strips'] {
  if (!existsSync(folder)) return [];
  const pictures = readdirSync(folder)
    .filter((file) => file.endsWith('.png'))
    .map((file) => ({ png: readFileSync(join(folder, file)), ...describe(basename(file, '.png')) }));
  const inOrder = pictures.sort((a, b) => a.who.length - b.who.length || (a.caption < b.caption ? -1 : 1));
  return inOrder.map(({ caption, png }) => ({ caption, png }));
}

function describe(name: string): { who: string; caption: string } {
  const [, actor, environment, episode, outcome] = /^(.*)_e(\d+)_n(\d+)_([a-z]+)$/.exec(name) ?? [];
  const who = (actor ?? name).replaceAll('_', ' ');
  if (actor === undefined) return { who, caption: who };
  return { who, caption: `${who}: environment ${environment}, episode ${episode}, ${outcome}` };
}
