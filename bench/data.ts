import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '#native/addon';
import { type DistillRun, distillRun } from './distillRun.js';
import {
  interval,
  type LearningRun,
  learningRun,
  markdownTable,
  measuredOn,
  percent,
  pooled,
  stepsTo,
} from './learningRun.js';
import { fillResults, readResults } from './results.js';

/** `npm run bench:data`: what each way to get more out of the same demonstrations did. Each run leaves
 * docs/results/data/<task>-<variant>-<seed>.json; the page is written from whatever lies there. */

const USAGE = `npm run bench:data -- [options]
  --task a,b          all when left out
  --variants a,b      ids of the page's tables; all of the task when left out
  --seeds 20,21,22    seed of demonstrations, cloning and learning
  --out DIR           docs/results/data; where the results lie
  --force             run again where there is a result
  --table             only write the page`;

interface Study {
  /** clone: the base counts; learn: all of a run; distill: a student of the run `teacher` of the same seed. */
  readonly kind: 'clone' | 'learn' | 'distill';
  readonly title: string;
  readonly task: string;
  /** What all variants share. */
  readonly overrides: readonly string[];
  readonly variants: Readonly<
    Record<string, { readonly what: string; readonly overrides: readonly string[] }>
  >;
}

/** Cloning alone: the residual gets one round of steps. */
const cloneOnly = (task: string): Study => ({
  kind: 'clone',
  title: `${task}: a base cloned from 8 demonstrations`,
  task,
  overrides: ['demos.episodes=8', 'residual.steps=16', 'residual.evaluate_episodes=1'],
  variants: {
    plain: { what: 'as recorded', overrides: [] },
    mirror: { what: 'and their mirror images', overrides: ['base.mirror=true'] },
  },
});

const studies: Readonly<Record<string, Study>> = {
  'clone-reach': cloneOnly('reach'),
  'clone-peg_insertion': cloneOnly('peg_insertion'),
  'clone-lift': cloneOnly('lift'),
  'learn-peg_insertion': {
    kind: 'learn',
    title: 'peg_insertion: learning from 4 demonstrations',
    task: 'peg_insertion',
    overrides: [
      ...['demos.episodes=4', 'residual.steps=6000'],
      ...['residual.evaluate_every=1000', 'residual.evaluate_episodes=50'],
    ],
    variants: {
      plain: { what: 'nothing added', overrides: [] },
      mirror: {
        what: 'mirror images for base and replay',
        overrides: ['base.mirror=true', 'residual.mirror=true'],
      },
      backward: {
        what: 'starts from the end of demonstrations backwards',
        overrides: ['residual.starts={kind: backward}'],
      },
      medium: {
        what: 'starts where success is least certain',
        overrides: ['residual.starts={kind: medium}'],
      },
      imitation: {
        what: "imitation in the actor's loss, fading",
        overrides: ['residual.imitation={}'],
      },
      patches: {
        what: 'steps of the expert where an episode has left the demonstrations',
        overrides: ['residual.patches={}'],
      },
      priorities: {
        what: 'replay prioritised by temporal-difference error',
        overrides: ['residual.priorities={}'],
      },
    },
  },
  'distill-peg_insertion': {
    kind: 'distill',
    title: 'peg_insertion: one small network in the place of base and residual',
    task: 'peg_insertion',
    overrides: [],
    variants: {
      student: { what: 'imitation, then reinforcement with a teacher (RPD)', overrides: [] },
      imitation: { what: 'imitation alone', overrides: ['distill.reinforce=0'] },
    },
  },
};

/** Whose students are made. */
const TEACHER = 'learn-peg_insertion-mirror';

interface Labelled {
  readonly study: string;
  readonly variant: string;
  readonly seed: number;
}
type RunResult = Labelled & (LearningRun | DistillRun);

function options() {
  return parseArgs({
    options: {
      task: { type: 'string', default: Object.keys(studies).join(',') },
      variants: { type: 'string' },
      seeds: { type: 'string', default: '20,21,22' },
      out: { type: 'string', default: join(packageRoot, 'docs', 'results', 'data') },
      force: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

async function runOne(study: string, variant: string, seed: number): Promise<RunResult> {
  const { kind, task, overrides, variants } = studies[study]!;
  const seeds = [`residual.seed=${seed}`, `base.seed=${seed}`, `demos.seed=${1000 + seed}`];
  const all = [...overrides, ...variants[variant]!.overrides];
  const file = join(packageRoot, 'tasks', `${task}.yaml`);
  const run =
    kind === 'distill'
      ? await distillRun(`${TEACHER}-${seed}`, file, [...all, `distill.seed=${seed}`])
      : await learningRun(`${study}-${variant}-${seed}`, file, [...all, ...seeds]);
  return { study, variant, seed, ...run };
}

const heads = {
  clone: ['demonstrations', 'seeds', 'base', 'per seed'],
  learn: ['id', 'what', 'seeds', 'base', 'learned', 'per seed', 'last', 'steps to 90 %', 'minutes'],
  distill: [
    ...['what', 'seeds', 'teacher', 'student', 'per seed'],
    ...['parameters', 'microseconds per decision', 'minutes'],
  ],
} as const;

function table(study: string, all: readonly RunResult[]): string {
  const { kind, variants } = studies[study]!;
  const rows = Object.entries(variants).flatMap(([variant, { what }]) => {
    const runs = all.filter((run) => run.study === study && run.variant === variant);
    if (runs.length === 0) return [];
    if (kind === 'distill') return [distillRow(what, runs as readonly DistillRun[])];
    const learning = runs as readonly LearningRun[];
    return [kind === 'clone' ? cloneRow(what, learning) : learnRow(variant, what, learning)];
  });
  return markdownTable([heads[kind], ...rows]);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function distillRow(what: string, runs: readonly DistillRun[]): string[] {
  const both = (of: (run: DistillRun, name: 'teacher' | 'student') => number, digits = 0): string =>
    (['teacher', 'student'] as const)
      .map((name) => mean(runs.map((run) => of(run, name))).toFixed(digits))
      .join(' to ');
  return [
    what,
    `${runs.length}`,
    interval(pooled(runs.map((run) => run.scores.teacher))),
    interval(pooled(runs.map((run) => run.scores.student))),
    runs.map((run) => percent(run.scores.student.rate)).join(', '),
    both((run, name) => run.parameters[name]!),
    both((run, name) => run.latency[name], 1),
    mean(runs.map((run) => run.minutes)).toFixed(1),
  ];
}

function cloneRow(what: string, runs: readonly LearningRun[]): string[] {
  return [
    what,
    `${runs.length}`,
    interval(pooled(runs.map((run) => run.base))),
    runs.map((run) => percent(run.base.rate)).join(', '),
  ];
}

function learnRow(variant: string, what: string, runs: readonly LearningRun[]): string[] {
  return [
    variant,
    what,
    `${runs.length}`,
    interval(pooled(runs.map((run) => run.base))),
    interval(pooled(runs.map((run) => run.learned))),
    runs.map((run) => percent(run.learned.rate)).join(', '),
    runs.map((run) => percent(run.curve.at(-1)!.score.rate)).join(', '),
    runs.map((run) => stepsTo(0.9, run) ?? '-').join(', '),
    mean(runs.map((run) => run.minutes)).toFixed(1),
  ];
}

function writePage(folder: string): void {
  const all = readResults<RunResult>(folder);
  if (all.length === 0) return;
  const tables = Object.entries(studies).flatMap(([study, { title }]) =>
    all.some((run) => run.study === study) ? [`## ${title}`, '', table(study, all), ''] : [],
  );
  const page = [
    '# Data: what each way to get more out of demonstrations and episodes did',
    '',
    "`base`, `learned`, `teacher` and `student` are the task's own success on 200 held-out starts, the same for all, with 95 % Wilson intervals over all seeds",
    'together. `learned` is the best policy of the training, as its evaluations picked it; `last` is where training ended, and steps to 90 % are',
    'counted, by evaluations of 50 episodes on other starts. All else is the same: task, demonstrations, networks, steps. Rows of one seed show a',
    'direction, no more: `per seed` tells how far seeds lie apart. Students are those of the runs with mirror images, of the same seeds.',
    '',
    ...tables,
    measuredOn(all.map(({ machine }) => machine)),
    '',
    'Reproduce: `npm run bench:data`, or one run of it: `npm run bench:data -- --task learn-peg_insertion --variants mirror --seeds 20`.',
    'The overrides of each row stand in `bench/data.ts`.',
    '',
  ];
  writeFileSync(`${folder}.md`, page.join('\n'));
  console.log(tables.join('\n'));
}

const { task, variants, seeds, out, force, table: onlyTable, help } = options();
if (help) {
  console.log(USAGE);
} else {
  const runs = new Map<string, () => Promise<RunResult>>();
  for (const seed of onlyTable ? [] : seeds.split(',').map(Number))
    for (const study of task.split(','))
      for (const variant of variants?.split(',') ?? Object.keys(studies[study]!.variants))
        runs.set(`${study}-${variant}-${seed}`, () => runOne(study, variant, seed));
  await fillResults(out, runs, force);
  writePage(out);
}
