import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describeTask } from '#cli/describeTask';
import { compact, percent, table } from '#cli/format';
import { isRunFolder, readRunRecord, shownPath } from '#cli/runFolder';
import { formatPaired, formatScore } from '#cli/trainView';
import { decodeContainer, readFileBytes } from '#core/container';
import { type Demos, loadDemos } from '#data/demos';
import { listCheckpoints } from '#learn/checkpoint';
import type { TrainResult } from '#learn/train';
import { loadBundle, type PolicyBundle } from '#policy/bundle';
import { loadTask } from '#spec/task';

/** What `vernier inspect` says of a task, a run, or a file. */
export async function describe(
  what: string,
  overrides: readonly string[],
  config: boolean,
): Promise<string[]> {
  if (isRunFolder(what)) return config ? yaml(readRunRecord(what).resolved) : describeRun(what);
  if (what.endsWith('.vrn')) return describeFile(what);
  const task = await loadTask(what, overrides);
  return config ? yaml(task.spec) : describeTask(task);
}

const yaml = (value: unknown): string[] => [stringify(value).trimEnd()];

const facts = (rows: readonly (readonly [string, string])[]): string[] =>
  table(rows.map((row) => ['', ...row]));

function describeRun(folder: string): string[] {
  const { task, overrides, started, vernier } = readRunRecord(folder);
  const resultFile = join(folder, 'result.json');
  const checkpoints = listCheckpoints(folder);
  const files = ['report.html', 'policy.vrn', 'demos.vrn', 'base.vrn'].filter((name) =>
    existsSync(join(folder, name)),
  );
  const result = existsSync(resultFile)
    ? (JSON.parse(readFileSync(resultFile, 'utf8')) as TrainResult)
    : undefined;
  return [
    `run ${shownPath(folder)}`,
    ...facts([
      ['task', shownPath(task)],
      ['overrides', overrides.join(' ') || 'none'],
      ['started', `${started}, Vernier ${vernier}`],
      [
        'state',
        result ? `finished after ${compact(result.environmentSteps)} environment steps` : 'not finished',
      ],
      ...(result?.base ? ([['base', formatScore(result.base)]] as const) : []),
      ...(result?.policy ? ([['shipped', formatScore(result.policy)]] as const) : []),
      ['checkpoints', checkpoints.map(shownPath).join(', ') || 'none'],
      ['files', files.join(', ') || 'none'],
    ]),
    ...(result?.paired ? [`  ${formatPaired(result.paired)}`] : []),
  ];
}

function describeFile(path: string): string[] {
  const { kind, version, meta, arrays } = decodeContainer(readFileBytes(path), { code: 'DATA', label: path });
  const size = `${(statSync(path).size / 2 ** 20).toFixed(2)} MiB`;
  const title = `${kind} ${shownPath(path)}, version ${version}, ${size}`;
  if (kind === 'demos') return [title, ...describeDemos(loadDemos(path))];
  if (kind === 'policy') return [title, ...describeBundle(loadBundle(path))];
  const rows = [...arrays].map(([name, { shape }]) => ['', name, `[${shape.join(', ')}]`]);
  return [title, ...yaml(meta), 'arrays', ...table(rows)];
}

function describeDemos(demos: Demos): string[] {
  const lengths = demos.episodes.map(({ length }) => length).toSorted((a, b) => a - b);
  const steps = lengths.reduce((sum, length) => sum + length, 0);
  const successes = demos.episodes.filter(({ success }) => success).length;
  const median = lengths[Math.floor(lengths.length / 2)]!;
  return facts([
    ['task', `${demos.task}, hash ${demos.taskHash.slice(0, 16)}`],
    ['episodes', `${demos.episodes.length}, ${percent(successes / demos.episodes.length)} successful`],
    ['steps', `${steps}; an episode has ${lengths[0]} to ${lengths.at(-1)}, median ${median}`],
    ['observation', `${demos.O}: ${fields(demos.observationFields)}`],
    ['action', `${demos.A}: ${demos.actionNames.join(', ')}`],
    ['period', `${demos.controlPeriod} s`],
  ]);
}

const fields = (list: PolicyBundle['observationFields']): string =>
  list.map(({ name, length }) => (length === 1 ? name : `${name}[${length}]`)).join(', ');

function describeBundle(bundle: PolicyBundle): string[] {
  const { base, trained } = bundle;
  const more =
    base.kind === 'chunk'
      ? `, ${base.spec.chunk} actions a chunk, widths ${base.spec.hidden.join(' ')}`
      : base.kind === 'remote'
        ? `, at ${base.endpoint}, ${base.protocol}`
        : '';
  const residual = trained
    ? `${trained.actor.spec.kind}, scale ${bundle.scale}, widths ${trained.actor.spec.hidden.join(' ')}`
    : 'none: the base alone';
  return [
    ...facts([
      ['task', `${bundle.task}, hash ${bundle.taskHash.slice(0, 16)}`],
      ['robot', `hash ${bundle.robotHash.slice(0, 16)}`],
      ['base', `${base.kind}${more}`],
      ['residual', residual],
      ['observation', `${bundle.O}: ${fields(bundle.observationFields)}`],
      ['action', `${bundle.A}: ${bundle.actionNames.join(', ')}`],
      ['period', `${bundle.controlPeriod} s`],
    ]),
    ...yaml({ made: bundle.made }),
  ];
}
