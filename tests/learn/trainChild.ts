import { RunDirectory } from '#learn/runDirectory';
import { trainProblem } from '#learn/train';
import { kinematicPeg } from './kinematicPeg.js';
import { smallRun } from './smallRun.js';

// A training run in a process of its own: `trainChild.ts <run folder> <JSON: residual settings> <JSON: the rest>`.
const [folder, residual, rest] = process.argv.slice(2);
const result = await trainProblem(
  kinematicPeg(),
  smallRun(JSON.parse(residual ?? '{}'), JSON.parse(rest ?? '{}')),
  new RunDirectory(folder!),
  (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
  new AbortController().signal,
);
process.stdout.write(`${JSON.stringify(result)}\n`);
