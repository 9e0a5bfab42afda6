import type { Deployment } from '#deploy/robot/deployment';
import type { EpisodeEnd } from '#deploy/robot/episode';
import { inputLength } from '#deploy/robot/inputs';
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
} as const;
const WORDS = 5;

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
  | { readonly kind: 'ready'; readonly hasResidual: boolean; readonly scale: number }
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

/** [time, gripper, points, points x (time, positions, velocities, accelerations)]. */
function commandLength(joints: number): number {
  return 3 + POINTS * (1 + 3 * joints);
}

/** A command as it crosses. */
export interface Command {
  /** Milliseconds, monotonic: when the trajectory begins. */
  readonly time: number;
  /** Control of the model; undefined: leave the gripper alone. */
  readonly gripper: number | undefined;
  readonly points: Pick<TrajectoryPoints, 'times' | 'positions' | 'velocities' | 'accelerations'>;
}

/** @shape outBoard as a board of commands; RangeError where the trajectory has too many points */
export function packCommand({ time, gripper, points }: Command, outBoard: Float64Array): void {
  const { times, positions, velocities, accelerations } = points;
  if (times.length > POINTS)
    throw new RangeError(`a trajectory of ${times.length} points, at most ${POINTS} fit`);
  outBoard[0] = time;
  outBoard[1] = gripper ?? Number.NaN;
  outBoard[2] = times.length;
  let at = 3;
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
  const rows = Array.from({ length: board[2]! }, (_, k) =>
    board.subarray(3 + k * width, 3 + (k + 1) * width),
  );
  const column = (part: number): Float64Array[] =>
    rows.map((row) => row.slice(1 + part * joints, 1 + (part + 1) * joints));
  return {
    time: board[0]!,
    gripper: Number.isNaN(board[1]!) ? undefined : board[1]!,
    points: {
      times: rows.map((row) => row[0]!),
      positions: column(0),
      velocities: column(1),
      accelerations: column(2),
    },
  };
}
