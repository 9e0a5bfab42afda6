import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VernierError } from '#core/errors';
import { makeEnv } from '#env/makeEnv';
import type { Score } from '#learn/events';
import { type Plan, planByCem } from '#learn/planning/cem';
import { planByGradient } from '#learn/planning/gradientPlanner';
import { type Rollouts, taskRollouts } from '#learn/planning/rollouts';
import { differentiableProblem } from '#learn/planning/taskDynamics';
import { RunDirectory } from '#learn/runDirectory';
import { trainFormula } from '#learn/tgpo/formulaRun';
import { packageRoot } from '#native/addon';
import { loadFormulaTask } from '#spec/formulaTask';
import type { ResolvedTask } from '#spec/task';
import { type FamilyFormula, type FamilyOptions, generateFormula } from '#stl/families';
import { familySpaces } from '#stl/familySpaces';
import { commit } from './commit.js';
import { readResults } from './results.js';
import { writePage } from './tgpoPage.js';

/** `npm run bench:tgpo`: formulas of the families learned from scratch in each environment, several seeds, TGPO and the
 * baselines of the same trainer. Each formula leaves docs/results/tgpo/<formula>-<algorithm>.json with its runs; the page is
 * drawn from whatever lies there, so that a long bench can be assembled run by run. */

const USAGE = `npm run bench:tgpo -- [options] [--tgpo.steps=... and other overrides]
  --environments a,b  linear,unicycle,quadrotor,panda,ant
  --formulas a,b      only formulas whose names contain one of these
  --seeds 1,2,3       seeds of learning
  --algorithms a,b    tgpo (guided), uniform (TGPO without the critic's plans), tau_mdp, f_mdp, sparse,
                      cem and gradient (open loop, planned anew for each of 20 starts)
  --horizons          the horizon study instead: Linear, T = 50 to 1000
  --tuning            other formulas, for choosing settings: nothing is written
  --force             run again where there is a result
  --page              only draw the page`;

export type Environment = 'linear' | 'unicycle' | 'quadrotor' | 'panda' | 'ant';

/** What was learned of one formula by one algorithm. */
export interface FormulaResults {
  readonly environment: Environment;
  readonly study: 'formulas' | 'horizons';
  readonly algorithm: string;
  readonly name: string;
  readonly family: string;
  readonly subgoals: number;
  readonly layers: FamilyFormula['layers'];
  readonly formula: string;
  readonly horizon: number;
  readonly runs: readonly SeedResult[];
}

export interface SeedResult {
  readonly seed: number;
  readonly score: Pick<Score, 'successes' | 'episodes'>;
  /** Following the critic's best plan, without rehearsals. */
  readonly unrehearsed?: Pick<Score, 'successes' | 'episodes'>;
  readonly environmentSteps: number;
  /** First weights that were tried. */
  readonly attempts: number;
  /** Acting and learning alone. */
  readonly learningSeconds: number;
  readonly seconds: number;
  readonly overrides: readonly string[];
  readonly machine: {
    readonly cpu: string;
    readonly threads: number;
    readonly load: number;
    readonly commit: string;
  };
}

export const results = join(packageRoot, 'docs', 'results', 'tgpo');

/** Families and how many regions each has, the same for every environment. */
const SETS: readonly (readonly [FamilyOptions['subgoals'], Parameters<typeof generateFormula>[0]])[] = [
  [2, 'sequence'],
  [3, 'sequence'],
  [4, 'sequence'],
  [2, 'conjunction'],
  [4, 'conjunction'],
  [3, 'nested'],
  [4, 'nested'],
  [2, 'until'],
  [3, 'until'],
  [2, 'stay'],
  [2, 'patrol'],
  [3, 'avoid'],
];

/** Control steps of an episode: those of the published environments where the robot's speed lets the families fit. A
 * formula gets the first of them in which the generator finds a world for it. */
const HORIZONS: Readonly<Record<Environment, readonly number[]>> = {
  linear: [64],
  unicycle: [64],
  quadrotor: [100],
  panda: [100],
  ant: [300, 400, 500, 600],
};
const STEPS: Readonly<Record<Environment, number>> = {
  linear: 1_200_000,
  unicycle: 1_200_000,
  quadrotor: 1_500_000,
  panda: 1_500_000,
  ant: 2_000_000,
};

/** Ctrl-C keeps the run that is under way: the same command goes on with it. */
const stop = new AbortController();

const PLANNED_STARTS = 20;
const CEM_SEQUENCES = 100;

/** Seeds of the worlds: these are reported, the others are for choosing settings. */
const REPORTED = 1;
const TUNING = 1001;

interface Formula {
  readonly environment: Environment;
  readonly study: FormulaResults['study'];
  readonly subgoals: number;
  readonly drawn: FamilyFormula;
}

function formulasOf(environment: Environment, seed: number): Formula[] {
  const found: Formula[] = [];
  for (const [subgoals, family] of SETS) {
    const drawn = draw(environment, family, subgoals, HORIZONS[environment], seed);
    if (drawn) found.push({ environment, study: 'formulas', subgoals, drawn });
  }
  if (environment === 'linear') {
    const drawn = draw(environment, 'maze', 2, [100], seed);
    if (drawn) found.push({ environment, study: 'formulas', subgoals: 2, drawn });
  }
  return found;
}

/** Sequences and conjunctions over longer and longer horizons, with the same density of work in time. */
function horizonStudy(): Formula[] {
  return [50, 100, 200, 300, 500, 800, 1000].flatMap((horizon) => {
    const drawn = draw('linear', 'sequence', 3, [horizon], REPORTED);
    return drawn ? [{ environment: 'linear' as const, study: 'horizons' as const, subgoals: 3, drawn }] : [];
  });
}

/** A world with room for the formula; undefined, and said so, where the generator finds none. */
function draw(
  environment: Environment,
  family: FamilyFormula['family'],
  subgoals: number,
  horizons: readonly number[],
  seed: number,
): FamilyFormula | undefined {
  for (const horizon of horizons) {
    try {
      return generateFormula(family, { space: familySpaces[environment], subgoals, horizon, seed });
    } catch (error) {
      if (!(error instanceof VernierError)) throw error;
      console.log(`left out: ${error.message}`);
    }
  }
  return undefined;
}

const settingsOf = (algorithm: string): string[] =>
  algorithm === 'uniform' ? ['tgpo.algorithm=tgpo', 'tgpo.uniform_share=1'] : [`tgpo.algorithm=${algorithm}`];

async function learn(
  { environment, drawn }: Formula,
  algorithm: string,
  seed: number,
  overrides: readonly string[],
): Promise<SeedResult | undefined> {
  if (isPlanner(algorithm)) return plan(environment, drawn, algorithm, seed);
  const folder = join(packageRoot, 'runs', 'bench', `${drawn.name}-${algorithm}-${seed}`);
  const all = [
    ...settingsOf(algorithm),
    `tgpo.steps=${STEPS[environment]}`,
    `tgpo.seed=${seed}`,
    'tgpo.checkpoint_every=100000000',
    'evaluation.environments=50',
    ...overrides,
  ];
  const task = await loadFormulaTask(join(packageRoot, 'tasks', `stl_${environment}.yaml`), drawn, all);
  const settings = task.spec.tgpo!;
  const load = loadavg()[0]!;
  const result = await trainFormula(
    task,
    settings,
    new RunDirectory(folder),
    (event) => {
      if (event.kind === 'note') console.log(`  ${event.text}`);
    },
    stop.signal,
  );
  if (!result.finished) return undefined;
  rmSync(folder, { recursive: true, force: true });
  const short = ({ successes, episodes }: Score) => ({ successes, episodes });
  return {
    seed,
    score: short(result.policy!),
    ...(result.unrehearsed ? { unrehearsed: short(result.unrehearsed) } : {}),
    environmentSteps: result.environmentSteps,
    attempts: result.attempts!,
    learningSeconds: result.learningSeconds,
    seconds: result.seconds,
    overrides: all,
    machine: {
      cpu: cpus()[0]!.model.trim(),
      threads: settings.threads ?? cpus().length,
      load,
      commit: commit(),
    },
  };
}

const planners = { cem: cemPlan, gradient: gradientPlan } as const;

const isPlanner = (algorithm: string): algorithm is keyof typeof planners => algorithm in planners;

/** Robustness by the exact monitor of what was planned for one start, and trajectories that were played for it. */
type Planned = Pick<Plan, 'robustness' | 'evaluations'>;

async function cemPlan(task: ResolvedTask, start: number, seed: number): Promise<Planned> {
  const rollouts = await rolloutsFrom(task, start, CEM_SEQUENCES);
  const planned = planByCem(rollouts, { seed });
  rollouts.close();
  return planned;
}

async function gradientPlan(task: ResolvedTask, start: number, seed: number): Promise<Planned> {
  const env = await makeEnv(task, {
    environments: 1,
    seed: task.spec.evaluation.seed,
    firstEnvironment: start,
    threads: 1,
  });
  const planned = planByGradient(differentiableProblem(task, env, 0), { seed }, { threads: 1 });
  env.close();
  const rollouts = await rolloutsFrom(task, start, 1);
  const robustness = new Float64Array(1);
  rollouts.run(planned.actions, robustness);
  rollouts.close();
  return { robustness: robustness[0]!, evaluations: planned.evaluations };
}

function rolloutsFrom(task: ResolvedTask, start: number, sequences: number): Promise<Rollouts> {
  return taskRollouts(task, {
    sequences,
    seed: task.spec.evaluation.seed,
    firstEnvironment: start,
    threads: 1,
  });
}

/** A planner on some of the starts that the policies are judged on. */
async function plan(
  environment: Environment,
  drawn: FamilyFormula,
  planner: keyof typeof planners,
  seed: number,
): Promise<SeedResult> {
  const task = await loadFormulaTask(join(packageRoot, 'tasks', `stl_${environment}.yaml`), drawn);
  const load = loadavg()[0]!;
  const begun = performance.now();
  let successes = 0;
  let environmentSteps = 0;
  for (let start = 0; start < PLANNED_STARTS; start++) {
    const { robustness, evaluations } = await planners[planner](task, start, seed);
    if (robustness > 0) successes++;
    environmentSteps += evaluations * task.horizon;
  }
  const seconds = (performance.now() - begun) / 1000;
  return {
    seed,
    score: { successes, episodes: PLANNED_STARTS },
    environmentSteps,
    attempts: 1,
    learningSeconds: seconds,
    seconds,
    overrides: [],
    machine: { cpu: cpus()[0]!.model.trim(), threads: 1, load, commit: commit() },
  };
}

function fileOf({ study, drawn }: Formula, algorithm: string): string {
  return join(results, `${study === 'horizons' ? 'horizon-' : ''}${drawn.name}-${algorithm}.json`);
}

function keep(formula: Formula, algorithm: string, run: SeedResult): void {
  const file = fileOf(formula, algorithm);
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as FormulaResults).runs : [];
  const { name, family, layers, formula: text, horizon } = formula.drawn;
  const { environment, study, subgoals } = formula;
  const runs = [...before.filter(({ seed }) => seed !== run.seed), run].sort((a, b) => a.seed - b.seed);
  const kept: FormulaResults = {
    ...{ environment, study, algorithm, name, family, subgoals, layers, formula: text, horizon },
    runs,
  };
  writeFileSync(file, `${JSON.stringify(kept, undefined, 1)}\n`);
}

function isKept(formula: Formula, algorithm: string, seed: number): boolean {
  const file = fileOf(formula, algorithm);
  if (!existsSync(file)) return false;
  return (JSON.parse(readFileSync(file, 'utf8')) as FormulaResults).runs.some((run) => run.seed === seed);
}

const args = process.argv.slice(2);
const overrides = args.filter((arg) => /^--\w+(\.\w+)+=/.test(arg)).map((arg) => arg.slice(2));
const { values } = parseArgs({
  args: args.filter((arg) => !/^--\w+(\.\w+)+=/.test(arg)),
  options: {
    environments: { type: 'string', default: 'linear,unicycle,quadrotor,panda,ant' },
    formulas: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    algorithms: { type: 'string', default: 'tgpo' },
    horizons: { type: 'boolean', default: false },
    tuning: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(USAGE);
} else {
  mkdirSync(results, { recursive: true });
  process.once('SIGINT', () => stop.abort());
  const drawn = values.horizons
    ? horizonStudy()
    : (values.environments.split(',') as Environment[]).flatMap((environment) =>
        formulasOf(environment, values.tuning ? TUNING : REPORTED),
      );
  const named = values.formulas?.split(',');
  const wanted = drawn.filter(({ drawn: { name } }) => !named || named.some((part) => name.includes(part)));
  const seeds = values.seeds.split(',').map(Number);
  for (const seed of values.page ? [] : seeds)
    for (const formula of wanted)
      for (const algorithm of values.algorithms.split(',')) {
        if (!values.tuning && !values.force && isKept(formula, algorithm, seed)) continue;
        if (stop.signal.aborted) continue;
        const run = await learn(formula, algorithm, seed, overrides);
        if (!run) continue;
        if (!values.tuning) keep(formula, algorithm, run);
        const rate = ({ successes, episodes }: SeedResult['score']): string =>
          (successes / episodes).toFixed(3);
        const alone = run.unrehearsed ? ` (${rate(run.unrehearsed)} without rehearsals)` : '';
        console.log(
          `${formula.drawn.name} ${algorithm} seed ${seed}: ${rate(run.score)}${alone}, ` +
            `${run.environmentSteps} steps in ${run.learningSeconds.toFixed(1)} s`,
        );
      }
  if (!values.tuning) writePage(readResults<FormulaResults>(results));
}
