// Prints `tests: N passed, M failed, K skipped` from vitest's JSON report. A test file that failed to load counts
// as one failure. Usage: node tests/tools/summary.mjs results.json
import { readFileSync } from 'node:fs';

/** Counts from a vitest JSON report. */
export function summarize(report) {
  const all = report.testResults.flatMap((file) => file.assertionResults);
  const count = (...states) => all.filter((test) => states.includes(test.status)).length;
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return {
    passed: count('passed'),
    failed: count('failed') + broken,
    skipped: count('skipped', 'pending', 'todo', 'disabled'),
  };
}

const [path] = process.argv.slice(2);
if (path) {
  const { passed, failed, skipped } = summarize(JSON.parse(readFileSync(path, 'utf8')));
  console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0 || passed === 0) process.exitCode = 1;
}
