import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Percentiles, TimingStats } from '#deploy/robot/controlLink';
import { ControlThread } from '#deploy/robot/controlThread';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { monotonicMs } from '#deploy/robot/sharedBoard';
import { VerdictCounts } from '#deploy/safety/verdict';
import { loadTask } from '#spec/task';
import { FollowingArm } from '../../tests/deploy/robot/followingArm.js';
import { reachBundle } from '../../tests/deploy/robot/reachBundle.js';

/* How late the control thread wakes for its ticks: the worker of the robot process with twin, policy, safety filter and
 * trajectory, on an arm in this process that follows it and says where it is a thousand times a second.
 *   npm run build && node --import ./tests/tools/typescript.mjs bench/deploy/ticks.ts */

/** Milliseconds. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface TickFigures {
  /** Hz */
  readonly rate: number;
  /** Of the control thread, in all turns. */
  readonly ticks: number;
  readonly missed: number;
  /** Percentiles are those of the middle turn, or the worse of the middle two; the largest is that of all. */
  readonly floor: Lateness;
  readonly lateness: Lateness;
  readonly computation: Lateness;
}

/** The control thread in turns with a thread that sleeps to the same deadlines and does nothing.
 * @param rate of ticks, Hz; the policy of `reach` runs in each of them */
export async function measureTicks(
  rate: number,
  { turns = 4, seconds = 5 }: { readonly turns?: number; readonly seconds?: number } = {},
): Promise<TickFigures> {
  const bare: Percentiles[] = [];
  const control: TimingStats[] = [];
  for (let turn = 0; turn < turns; turn++) {
    bare.push(await bareTicks(rate, rate * seconds));
    control.push(await controlTicks(rate, seconds));
  }
  const sum = (of: (stats: TimingStats) => number): number => control.reduce((total, s) => total + of(s), 0);
  return {
    rate,
    ticks: sum(({ ticks }) => ticks),
    missed: sum(({ missed }) => missed),
    floor: together(bare),
    lateness: together(control.map(({ lateness }) => lateness)),
    computation: together(control.map(({ computation }) => computation)),
  };
}

function together(turns: readonly Percentiles[]): Lateness {
  const middle = (of: (turn: Percentiles) => number): number =>
    turns.map(of).sort((a, b) => a - b)[Math.floor(turns.length / 2)]! / 1e6;
  return {
    p50: middle(({ p50 }) => p50),
    p99: middle(({ p99 }) => p99),
    max: Math.max(...turns.map(({ max }) => max)) / 1e6,
  };
}

async function bareTicks(rate: number, ticks: number): Promise<Percentiles> {
  const worker = new Worker(new URL('./bareTicks.mjs', import.meta.url), { workerData: { rate, ticks } });
  const [result] = await once(worker, 'message');
  return result;
}

async function controlTicks(rate: number, seconds: number): Promise<TimingStats> {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-ticks-'));
  const bundle = join(folder, 'reach.vrn');
  // Never there, so that the episode goes on; a step moves as far in a second as at the task's own rate.
  const overrides = ['horizon=1000000000', 'success=gap < 0', `control.period=${1 / rate}`];
  overrides.push(`control.translation=${0.6 / rate}`);
  try {
    await reachBundle(bundle);
    const task = await loadTask('reach', overrides);
    const deployment = resolveDeployment(readDeployment(undefined), task);
    const arm = new FollowingArm(deployment, task.robot.arm.home);
    const verdicts = new VerdictCounts();
    let stats: TimingStats | undefined;
    let fail = (_: Error): void => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const thread = await ControlThread.start(
      { taskFile: task.file, overrides, bundle, deployment },
      {
        onTick: (_, { points, time }) => arm.follow({ ...points, verdicts }, time),
        onEvent: (event) => {
          if (event.kind === 'stats') stats = event.stats;
          else fail(new Error(`the control thread ${event.kind}: ${JSON.stringify(event)}`));
        },
        onDeath: fail,
      },
    );
    const measure = (): void => {
      const now = monotonicMs();
      const turn = now / 2000;
      arm.setBody(0, now, [0.5 + 0.1 * Math.cos(turn), 0.1 * Math.sin(turn), 0.3]);
      thread.memory.inputs.write(arm.measure(now));
    };
    const sensing = setInterval(measure, 1);
    try {
      measure();
      thread.run();
      await Promise.race([failed, new Promise((resume) => setTimeout(resume, 1000 * seconds))]);
    } finally {
      clearInterval(sensing);
      await thread.close();
    }
    if (!stats) throw new Error('the control thread told nothing');
    return stats;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const rate of [100, 500]) console.log(await measureTicks(rate));
}
