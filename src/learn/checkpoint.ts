import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ContainerArray,
  type ContainerData,
  decodeContainer,
  encodeContainer,
  readFileBytes,
  writeFileAtomic,
} from '#core/container';
import { VernierError } from '#core/errors';

/** A checkpoint holds everything a run needs to go on bit for bit: networks, optimisers, normaliser, replay,
 * positions of the random streams, environment state, counters. Files are `checkpoint-<steps>.vrn`; the newest
 * two are kept, so that a torn one costs an interval and not the run. */

const KIND = 'checkpoint';
const VERSION = 2;
const NAME = /^checkpoint-(\d+)\.vrn$/;

export interface Checkpoint {
  /** Counters, stream positions and whatever else is a number or a word. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, ContainerData>;
}

/** Writes one checkpoint atomically and drops all but the newest two. */
export function writeCheckpoint(folder: string, step: number, checkpoint: Checkpoint): string {
  const path = join(folder, `checkpoint-${String(step).padStart(10, '0')}.vrn`);
  const arrays = new Map<string, ContainerArray>();
  for (const [name, data] of checkpoint.arrays) arrays.set(name, { shape: [data.length], data });
  writeFileAtomic(path, encodeContainer({ kind: KIND, version: VERSION, meta: checkpoint.meta, arrays }));
  for (const old of listCheckpoints(folder).slice(2)) rmSync(old, { force: true });
  return path;
}

/** Paths of the checkpoints in a folder, newest first. */
export function listCheckpoints(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort((a, b) => Number(NAME.exec(b)![1]) - Number(NAME.exec(a)![1]))
    .map((name) => join(folder, name));
}

export interface LoadedCheckpoint extends Checkpoint {
  readonly path: string;
  /** One line for each newer file that could not be used. */
  readonly skipped: readonly string[];
}

/** The newest checkpoint that is whole; undefined where there is none at all.
 * @throws VernierError CHECKPOINT when there are files but none is whole */
export function loadLatestCheckpoint(folder: string): LoadedCheckpoint | undefined {
  const skipped: string[] = [];
  for (const path of listCheckpoints(folder)) {
    try {
      const options = { kind: KIND, version: VERSION, code: 'CHECKPOINT', label: path } as const;
      const { meta, arrays } = decodeContainer(readFileBytes(path), options);
      return { path, skipped, meta, arrays: new Map([...arrays].map(([name, { data }]) => [name, data])) };
    } catch (error) {
      if (!(error instanceof VernierError)) throw error;
      skipped.push(error.message);
    }
  }
  if (skipped.length === 0) return undefined;
  throw new VernierError('CHECKPOINT', `no checkpoint in ${folder} is whole: ${skipped.join('; ')}`, {
    hint: 'start afresh in another run folder, or delete the torn files',
  });
}

/** Gathers and gives back the arrays of a run's parts under dotted names. */
export class StateCollector {
  readonly arrays = new Map<string, ContainerData>();

  /** Adds the arrays of one part. */
  add(part: string, arrays: Readonly<Record<string, ContainerData>>): void {
    for (const [name, data] of Object.entries(arrays)) this.arrays.set(`${part}.${name}`, data);
  }
}

/** The arrays of one part, by the names the part gave them. */
export function partOf(checkpoint: Checkpoint, part: string): Record<string, ContainerData> {
  const prefix = `${part}.`;
  const found: Record<string, ContainerData> = {};
  for (const [name, data] of checkpoint.arrays)
    if (name.startsWith(prefix)) found[name.slice(prefix.length)] = data;
  return found;
}

/** Copies saved arrays into the live ones of the same names.
 * @throws VernierError CHECKPOINT when a name is missing or a size differs */
export function restoreInto(
  live: Readonly<Record<string, ContainerData>>,
  saved: Readonly<Record<string, ContainerData>>,
  part: string,
): void {
  for (const [name, target] of Object.entries(live)) {
    const source = saved[name];
    if (source?.length !== target.length)
      throw new VernierError(
        'CHECKPOINT',
        `${part}.${name}: expected ${target.length} numbers, the checkpoint has ${source?.length ?? 'none'}`,
        { hint: 'the checkpoint belongs to another configuration of this task' },
      );
    target.set(source as never);
  }
}
