import { appendFileSync } from 'node:fs';
import { RunDirectory } from '#learn/runDirectory';
import { runConfig, train } from '#learn/train';
import { loadTask } from '#spec/task';

// A training run of a task file in a process of its own: `scoredChild.ts <task> <run folder> <events file> [override...]`.
// SIGTERM stops it as Ctrl-C would.
const [file = '', folder = '', events = '', ...overrides] = process.argv.slice(2);
const task = await loadTask(file, overrides);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const report = (event: unknown): void => appendFileSync(events, `${JSON.stringify(event)}\n`);
await train(task, runConfig(task), new RunDirectory(folder), report, stop.signal);
