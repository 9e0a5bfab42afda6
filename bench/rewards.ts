import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { type Demos, saveDemos } from '#data/demos';
import { collectDemos } from '#learn/collect';
import { taskProblem } from '#learn/taskProblem';
import { packageRoot } from '#native/addon';
import { inlined, parseProposal } from '#reward/proposals/proposal';
import { loadTask } from '#spec/task';
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
import { cameras, SIDE } from './twoTower/statements.js';

/** `npm run bench:rewards`: one weak base, several rewards: steps to 90 % and success at the end. Each run leaves
 * docs/results/rewards/<task>-<reward>-<seed>.json; the page is written from whatever lies there. */

const USAGE = `npm run bench:rewards -- [options]
  --task a,b          peg_insertion,nut_assembly
  --rewards a,b       ids of the page's table; all of the task when left out
  --seeds 20,21,22    seed of demonstrations, cloning and learning
  --force             run again where there is a result
  --table             only write the page`;

const results = join(packageRoot, 'docs', 'results', 'rewards');

interface Variant {
  readonly what: string;
  /** Keys that take the place of the task's; undefined takes one away. */
  readonly keys: Readonly<Record<string, unknown>>;
  /** Demonstrations of which half are an expert's that hardly aims. */
  readonly mixedDemos?: boolean;
}

interface Subject {
  /** What makes the base weak, and evaluations frequent. */
  readonly overrides: readonly string[];
  readonly variants: Readonly<Record<string, Variant>>;
}

/** What the two-tower model is asked, and from where: its README. */
function clip(goal: string, baseline: string, low: number, high: number) {
  return {
    cameras: Object.fromEntries(
      Object.entries(cameras).map(([name, free]) => [name, { width: SIDE, height: SIDE, free }]),
    ),
    scores: {
      seen: {
        clip: { model: twoTower, goal, baseline, calibrate: { low, high } },
        every: 10,
        cameras: ['front'],
      },
    },
    reward: [{ potential: { score: 'seen' }, weight: 0.3 }],
  };
}

const twoTower = join('..', '..', 'models', 'two_tower');

/** The potential of a reward program, as `vernier propose --from` gives it out. */
function program(task: string): string {
  const proposal = parseProposal(
    readFileSync(join(packageRoot, 'bench', 'programs', `${task}.yaml`), 'utf8'),
    'program',
  );
  if (typeof proposal === 'string') throw new Error(`bench/programs/${task}.yaml: ${proposal}`);
  return inlined(proposal)[0]!;
}

const pegScore = '0.6 * (1 - clamp(lateral / 10 cm, 0, 1)) + 0.4 * clamp((error.z + 10 cm) / 12 cm, 0, 1)';
const pegDecoy = 'lateral < 0.03 and error.z < 0';
const nutScore =
  'if(placed, 1, 0.25 * (1 - clamp(norm(to_handle) / 20 cm, 0, 1)) + if(nut.position.z > 0.06, 0.25, 0) + 0.5 * (1 - clamp(norm([to_peg.x, to_peg.y]) / 30 cm, 0, 1)))';
const nutDecoy = 'nut.position.z > 0.08';

/** The rewards that both tasks are learned with: a score of progress, and one that praises the wrong thing. */
function variants(score: string, decoy: string): Record<string, Variant> {
  const endless = 1000;
  return {
    sparse: { what: '1 on success', keys: { reward: 'sparse' } },
    potential: { what: 'potential of a score of progress', keys: { reward: [{ potential: score }] } },
    raw: {
      what: 'the same score, a tenth of it added in each step',
      keys: { reward: [{ bonus: score, weight: 0.1, cap: endless }] },
    },
    hacked: {
      what: '0.1 in each step for something that is not the goal',
      keys: { reward: [{ bonus: decoy, weight: 0.1, cap: endless }] },
    },
    hacked_gates: {
      what: 'the same behind the outcome gate and with the default cap',
      keys: { reward: [{ bonus: decoy, weight: 0.1, gate: 'success' }] },
    },
    hacked_gate: {
      what: 'the same behind the outcome gate alone',
      keys: { reward: [{ bonus: decoy, weight: 0.1, cap: endless, gate: 'success' }] },
    },
    hacked_cap: {
      what: 'the same with the default cap alone',
      keys: { reward: [{ bonus: decoy, weight: 0.1 }] },
    },
    hacked_potential: {
      what: 'the same as a potential',
      keys: { reward: [{ potential: decoy }] },
    },
  };
}

/** What models say, as both tasks are learned with it. */
function modelVariants(task: string, seen: ReturnType<typeof clip>): Record<string, Variant> {
  return {
    program: {
      what: 'potential of a program that `vernier propose` took; written by hand',
      keys: { reward: [{ potential: program(task) }] },
    },
    clip: { what: 'potential of pictures against two sentences, every tenth step, weight 0.3', keys: seen },
    distilled: {
      what: 'potential of networks that learn from the observation what clip says, weight 0.3',
      keys: {
        ...seen,
        scores: { ...seen.scores, fast: { distilled: { of: 'seen' } } },
        reward: [{ potential: { score: 'fast' }, weight: 0.3 }],
      },
    },
  };
}

const subjects: Readonly<Record<string, Subject>> = {
  peg_insertion: {
    overrides: ['demos.episodes=6', 'residual.evaluate_every=1000', 'residual.evaluate_episodes=50'],
    variants: {
      ...variants(pegScore, pegDecoy),
      ...modelVariants(
        'peg_insertion',
        clip('the peg is in the hole', 'the peg is far from the hole', 0.252, 0.836),
      ),
      stl: {
        what: 'potential of the robustness of the goal as a formula',
        keys: {
          success: undefined,
          spec: {
            formula: 'eventually[0, 100] (error.z > 0.02 and lateral < 0.005)',
            observe: true,
            reward: { kind: 'potential', weight: 5, clip: 0.1 },
          },
        },
      },
      stages: {
        what: 'milestones in order: near, aligned, entered',
        keys: { reward: [{ stages: ['lateral < 0.02', 'aligned', 'entered'], weight: 0.5 }] },
      },
      mixed_demos: {
        what: '1 on success; 20 demonstrations, half of them bad',
        keys: {},
        mixedDemos: true,
      },
      mixed_demos_filter: {
        what: 'the same, cloned through the progress filter',
        keys: { base: { filter: {} } },
        mixedDemos: true,
      },
      attribution: {
        what: 'the return spread by what it depends on',
        keys: { reward: [{ factors: ['clamp(lateral / 10 cm, 0, 1)', 'entered', '1'], weight: 0.5 }] },
      },
    },
  },
  nut_assembly: {
    overrides: ['demos.episodes=14', 'residual.evaluate_every=4000', 'residual.evaluate_episodes=50'],
    variants: {
      ...variants(nutScore, nutDecoy),
      ...modelVariants(
        'nut_assembly',
        clip('the nut is on the peg', 'the nut lies on the table', 0.342, 0.841),
      ),
    },
  },
};

interface RunResult extends LearningRun {
  readonly task: string;
  readonly reward: string;
  readonly seed: number;
}

function options() {
  return parseArgs({
    options: {
      task: { type: 'string', default: Object.keys(subjects).join(',') },
      rewards: { type: 'string' },
      seeds: { type: 'string', default: '20,21,22' },
      force: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

/** The task file with other keys, beside the runs. */
function writeVariant(task: string, reward: string, { keys }: Variant): string {
  const text = readFileSync(join(packageRoot, 'tasks', `${task}.yaml`), 'utf8');
  const content = { ...(parse(text) as Record<string, unknown>), ...keys };
  // A formula tells success, and the last way-point waits for it: it stays to the end.
  const yaml = stringify(content, { keepUndefined: false });
  const file = join(packageRoot, 'runs', 'bench', `${task}-${reward}.yaml`);
  mkdirSync(join(packageRoot, 'runs', 'bench'), { recursive: true });
  writeFileSync(file, 'success' in keys ? yaml.replace('until: success', 'until: false') : yaml);
  return file;
}

/** Ten demonstrations of the task's expert and ten of one with eight times its noise, successful or not.
 * @returns the file, relative to the task files of the bench */
async function writeMixedDemos(task: string, seed: number): Promise<string> {
  const record = async (...overrides: string[]): Promise<Demos> => {
    const resolved = await loadTask(join(packageRoot, 'tasks', `${task}.yaml`), [
      'demos.episodes=10',
      `demos.seed=${1000 + seed}`,
      ...overrides,
    ]);
    return (await collectDemos(taskProblem(resolved), { settings: resolved.spec.demos }))!.demos;
  };
  const good = await record();
  const bad = await record('expert.noise=1', 'demos.successful_only=false', `demos.seed=${1500 + seed}`);
  const joined = (key: 'observation' | 'action' | 'reward'): Float32Array =>
    Float32Array.from([...good[key], ...bad[key]]);
  const name = `${task}-mixed-${seed}.vrn`;
  saveDemos(join(packageRoot, 'runs', 'bench', name), {
    ...good,
    episodes: [...good.episodes, ...bad.episodes],
    observation: joined('observation'),
    action: joined('action'),
    reward: joined('reward'),
  });
  return name;
}

async function runOne(task: string, reward: string, seed: number): Promise<RunResult> {
  const { overrides, variants: all } = subjects[task]!;
  const seeds = [`residual.seed=${seed}`, `base.seed=${seed}`, `demos.seed=${1000 + seed}`];
  const file = writeVariant(task, reward, all[reward]!);
  if (all[reward]!.mixedDemos) seeds.push(`demos.file=${await writeMixedDemos(task, seed)}`);
  const run = await learningRun(`${task}-${reward}-${seed}`, file, [...overrides, ...seeds]);
  return { task, reward, seed, ...run };
}

function table(all: readonly RunResult[]): string {
  const head = [
    'task',
    'id',
    'reward',
    'seeds',
    'base',
    'learned',
    'per seed',
    'last',
    'steps to 90 %',
    'alarms',
    'minutes',
  ];
  const rows = Object.entries(subjects).flatMap(([task, { variants: kinds }]) =>
    Object.entries(kinds).flatMap(([reward, { what }]) => {
      const runs = all.filter((run) => run.task === task && run.reward === reward);
      return runs.length === 0 ? [] : [row(task, reward, what, runs)];
    }),
  );
  return markdownTable([head, ...rows]);
}

function row(task: string, reward: string, what: string, runs: readonly RunResult[]): string[] {
  const minutes = runs.reduce((sum, run) => sum + run.minutes, 0) / runs.length;
  const alarms = runs.map(({ notes }) => notes.filter((note) => note.startsWith('reward alarm')).length);
  return [
    task,
    reward,
    what,
    `${runs.length}`,
    interval(pooled(runs.map((run) => run.base))),
    interval(pooled(runs.map((run) => run.learned))),
    runs.map((run) => percent(run.learned.rate)).join(', '),
    runs.map((run) => percent(run.curve.at(-1)!.score.rate)).join(', '),
    runs.map((run) => stepsTo(0.9, run) ?? '-').join(', '),
    alarms.join(', '),
    minutes.toFixed(1),
  ];
}

function writePage(): void {
  const all = readResults<RunResult>(results);
  if (all.length === 0) return;
  const page = [
    '# Rewards and data: what each did for a weak base',
    '',
    'The same demonstrations, base and learner, other rewards. `learned` is the best policy of the training, as its evaluations picked it,',
    "by the task's own success on 200 held-out starts, with 95 % Wilson intervals over all seeds together; `last` is where training ended,",
    'and steps to 90 % are counted, by evaluations of 50 episodes on other starts. An alarm is a warning of the run that aids were collected without success.',
    '',
    table(all),
    '',
    measuredOn(all.map(({ machine }) => machine)),
    '',
    'Reproduce: `npm run bench:rewards`, or one run of it: `npm run bench:rewards -- --task peg_insertion --rewards potential --seeds 20`.',
    'Scores, weights and decoys stand in `bench/rewards.ts`.',
    '',
    'On peg_insertion 6 demonstrations make a base that 1 on success alone takes to 97 %: there is little for an aid to add. Potentials of a',
    'score, of a program and of pictures end within its interval, those of a formula and of networks that learned from pictures below it.',
    'Pictures were tried first with a weight of 1, on these same seeds and a loaded machine where scores came late, and ended lower.',
    'Adding the score as it is, or praising the wrong thing, ruins learning; the gate and the cap together bring it back, each alone does not.',
    '',
  ];
  writeFileSync(join(packageRoot, 'docs', 'results', 'rewards.md'), page.join('\n'));
  console.log(table(all));
}

const { task, rewards, seeds, force, table: onlyTable, help } = options();
if (help) {
  console.log(USAGE);
} else {
  const runs = new Map<string, () => Promise<RunResult>>();
  for (const seed of onlyTable ? [] : seeds.split(',').map(Number))
    for (const name of task.split(','))
      for (const reward of rewards?.split(',') ?? Object.keys(subjects[name]!.variants))
        runs.set(`${name}-${reward}-${seed}`, () => runOne(name, reward, seed));
  await fillResults(results, runs, force);
  writePage();
}
