import type { Deployment } from '#deploy/robot/deployment';
import type { EpisodeEnd } from '#deploy/robot/episode';
import { inputLength } from '#deploy/robot/inputs';
import type { RestTimes } from '#deploy/robot/restTimes';
import { SharedBoard } from '#deploy/robot/sharedBoard';
import type { TrajectoryPoints } from '#deploy/safety/shortTrajectory';

/** What the main thread and the control worker say to each other: newest values by shared memory, events by messages. */

/** Words of shared memory, each written by one side. */
export const word = {
  /** By main: what the worker is to do. */
  request: 0,
  /** By main: raised and notified to wake the worker before its deadline. */
  wake: 1,
  /** By main: 1 while the emergency stop is latched. */
  emergencyStop: 2,
  /** By the worker: raised in every round of its loop. */
  heartbeat: 3,
  /** By the worker: 1 while the arm is commanded. */
  busy: 4,
  /** The number of a command that waits to be sent, 0 when none does. The worker sets it; who takes it off, main to send
   * the command or the worker to drop it, is who decides. */
  pending: 5,
} as const;
const WORDS = 6;

export const request = { none: 0, run: 1, stop: 2, exit: 3 } as const;

/** Settings on their board. */
export const setting = { residualScale: 0, speedScale: 1 } as const;

/** The most points that a trajectory may have to fit. */
const POINTS = 320;

export interface ControlMemory {
  readonly words: Int32Array;
  readonly inputs: SharedBoard;
  readonly settings: SharedBoard;
  readonly commands: SharedBoard;
}

/** Everything the worker needs, by structured clone. */
export interface ControlSetup {
  readonly taskFile: string;
  readonly overrides: readonly string[];
  readonly bundle: string;
  readonly deployment: Deployment;
  readonly memory: {
    readonly words: Int32Array;
    readonly inputs: SharedArrayBuffer;
    readonly settings: SharedArrayBuffer;
    readonly commands: SharedArrayBuffer;
  };
}

/** Nanoseconds but for counts. */
export interface TimingStats {
  readonly ticks: number;
  /** Deadlines that passed while a tick before them was going on. */
  readonly missed: number;
  readonly lateness: Percentiles;
  readonly computation: Percentiles;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export type WorkerEvent =
  | {
      readonly kind: 'ready';
      readonly hasResidual: boolean;
      readonly scale: number;
      readonly rest: RestTimes;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly hint?: string }
  /** An activation was refused. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** New values on the board of commands. */
  | {
      readonly kind: 'tick';
      readonly phase: string;
      readonly step: number;
      readonly verdict: string;
    }
  | { readonly kind: 'ended'; readonly end: EpisodeEnd }
  | { readonly kind: 'stats'; readonly stats: TimingStats };

export function controlMemory(deployment: Deployment): ControlMemory {
  return {
    words: new Int32Array(new SharedArrayBuffer(4 * WORDS)),
    inputs: new SharedBoard(inputLength(deployment)),
    settings: new SharedBoard(2),
    commands: new SharedBoard(commandLength(deployment.armJoints)),
  };
}

export function sharedMemory({ words, inputs, settings, commands }: ControlMemory): ControlSetup['memory'] {
  return { words, inputs: inputs.memory, settings: settings.memory, commands: commands.memory };
}

export function openMemory({ memory, deployment }: ControlSetup): ControlMemory {
  return {
    words: memory.words,
    inputs: new SharedBoard(inputLength(deployment), memory.inputs),
    settings: new SharedBoard(2, memory.settings),
    commands: new SharedBoard(commandLength(deployment.armJoints), memory.commands),
  };
}

/** [number, time, departs, gripper, points, points x (time, positions, velocities, accelerations)]. */
const HEAD = 5;

function commandLength(joints: number): number {
  return HEAD + POINTS * (1 + 3 * joints);
}

/** A command as it crosses. */
export interface Command {
  /** Counts up from 1. */
  readonly number: number;
  /** Milliseconds, monotonic: when the trajectory begins, and until when it is what was sent before. */
  readonly time: number;
  readonly departs: number;
  /** Control of the model; undefined: leave the gripper alone. */
  readonly gripper: number | undefined;
  readonly points: Pick<TrajectoryPoints, 'times' | 'positions' | 'velocities' | 'accelerations'>;
}

/** @shape outBoard as a board of commands; RangeError where the trajectory has too many points */
export function packCommand(
  { number, time, departs, gripper, points }: Command,
  outBoard: Float64Array,
): void {
  const { times, positions, velocities, accelerations } = points;
  if (times.length > POINTS)
    throw new RangeError(`a trajectory of ${times.length} points, at most ${POINTS} fit`);
  outBoard.set([number, time, departs, gripper ?? Number.NaN, times.length]);
  let at = HEAD;
  for (const [k, t] of times.entries()) {
    outBoard[at++] = t;
    for (const rows of [positions, velocities, accelerations]) {
      outBoard.set(rows[k]!, at);
      at += rows[k]!.length;
    }
  }
}

export function unpackCommand(board: Float64Array, joints: number): Command {
  const width = 1 + 3 * joints;
  const [number, time, departs, gripper, length] = board as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const rows = Array.from({ length }, (_, k) => board.subarray(HEAD + k * width, HEAD + (k + 1) * width));
  const column = (part: number): Float64Array[] =>
    rows.map((row) => row.slice(1 + part * joints, 1 + (part + 1) * joints));
  return {
    number,
    time,
    departs,
    gripper: Number.isNaN(gripper) ? undefined : gripper,
    points: {
      times: rows.map((row) => row[0]!),
      positions: column(0),
      velocities: column(1),
      accelerations: column(2),
    },
  };
}
