import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '#core/container';
import { VernierError } from '#core/errors';
import type { TrainEvent } from '#learn/events';
import { lockFile } from '#learn/runLock';

/** The folder of one training run.
 *
 * | file | what |
 * |---|---|
 * | config.json | the resolved settings the run was started with |
 * | demos.vrn | demonstrations (docs/demos.md) |
 * | base.vrn | the cloned base with its normaliser |
 * | checkpoint-*.vrn | the newest two checkpoints |
 * | scores.log, scores-*.vrn | what models said of pictures, and networks that learned of it |
 * | metrics.jsonl | every event, one JSON object a line, `seconds` since the start added |
 * | policy.vrn | the bundle to deploy |
 * | result.json | base against policy, with intervals |
 * | run.lock | the process that works in the folder |
 */
export class RunDirectory {
  readonly path: string;
  #locked = false;

  /** Opens the folder, making it if it is not there. */
  constructor(path: string) {
    this.path = path;
    try {
      mkdirSync(path, { recursive: true });
    } catch (cause) {
      throw new VernierError('IO', `${path}: cannot make the run folder: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Takes the folder for this process and returns what gives it back. Whoever has the folder already through this
   * object goes on having it.
   * @throws VernierError USAGE when another process, or another object of this one, has it */
  lock(): () => void {
    if (this.#locked) return () => {};
    const unlock = lockFile(join(this.path, 'run.lock'));
    this.#locked = true;
    return () => {
      unlock();
      this.#locked = false;
    };
  }

  file(
    name: 'config.json' | 'demos.vrn' | 'base.vrn' | 'metrics.jsonl' | 'policy.vrn' | 'result.json',
  ): string {
    return join(this.path, name);
  }

  has(name: Parameters<RunDirectory['file']>[0]): boolean {
    return existsSync(this.file(name));
  }

  writeJson(name: 'config.json' | 'result.json', value: unknown): void {
    writeFileAtomic(this.file(name), new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`));
  }

  /** @throws VernierError CHECKPOINT where the file is not JSON */
  readJson(name: 'config.json' | 'result.json'): unknown {
    try {
      return JSON.parse(readFileSync(this.file(name), 'utf8'));
    } catch (cause) {
      throw new VernierError(
        'CHECKPOINT',
        `${this.file(name)}: cannot be read: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /** Adds one event to metrics.jsonl. */
  log(event: TrainEvent, seconds: number): void {
    try {
      appendFileSync(this.file('metrics.jsonl'), `${JSON.stringify({ seconds, ...event })}\n`);
    } catch (cause) {
      throw new VernierError(
        'IO',
        `${this.file('metrics.jsonl')}: cannot be written: ${(cause as Error).message}`,
        {
          hint: 'the last checkpoint is intact: free some space and run again to resume',
          cause,
        },
      );
    }
  }

  get metricsBytes(): number {
    return this.has('metrics.jsonl') ? statSync(this.file('metrics.jsonl')).size : 0;
  }

  /** Drops the lines written after a checkpoint that had this many bytes: they will be made again. */
  truncateMetrics(bytes: number): void {
    if (this.metricsBytes > bytes) truncateSync(this.file('metrics.jsonl'), bytes);
  }
}
