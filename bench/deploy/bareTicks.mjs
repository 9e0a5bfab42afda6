// The floor of bench/deploy/ticks.ts: a thread that sleeps until absolute deadlines and does nothing in between.
// Plain JavaScript, since a worker has no loader of TypeScript. workerData: { rate (Hz), ticks }.
import { createHistogram } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';

const now = () => Number(process.hrtime.bigint()) / 1e6;
const cell = new Int32Array(new SharedArrayBuffer(4));
const period = 1000 / workerData.rate;
const lateness = createHistogram();
let deadline = now();
for (let tick = 0; tick < workerData.ticks; tick++) {
  deadline += period;
  for (let left = deadline - now(); left > 0; left = deadline - now()) Atomics.wait(cell, 0, 0, left);
  lateness.record(Math.max(1, Math.round(1e6 * (now() - deadline))));
}
parentPort.postMessage({ p50: lateness.percentile(50), p99: lateness.percentile(99), max: lateness.max });
