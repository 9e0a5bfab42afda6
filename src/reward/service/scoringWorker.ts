import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { VernierError } from '#core/errors';
import { EpisodeScorer } from '#reward/service/episodeScorer';
import type { ScoringCommand, ScoringEvent, ScoringSetup } from '#reward/service/messages';

/** The thread that draws and judges episodes: it has a renderer of its own and yields to the learner. */

/** Of 19, the lowest: this thread and those that its driver and models start give way to all others of the process. */
const NICE = 5;

async function main(setup: ScoringSetup, tell: (event: ScoringEvent) => void): Promise<void> {
  // Linux has priorities by thread, and 0 is the calling one; elsewhere it would be the whole process.
  if (process.platform === 'linux') setPriority(0, NICE);
  const scorer = await EpisodeScorer.open(setup, tell);
  let closed = false;
  parentPort!.on('message', (command: ScoringCommand) => {
    if (command.kind === 'close') {
      closed = true;
      // Ends the thread alone, and with it calls that a model has not answered yet.
      void scorer.close().finally(() => process.exit(0));
    } else if (!closed) {
      scorer.score(command.episode).catch((error: unknown) => {
        if (!closed) tell(failureOf(error));
      });
    }
  });
  tell({ kind: 'ready' });
}

function failureOf(error: unknown): ScoringEvent {
  if (!(error instanceof VernierError))
    return { kind: 'failed', code: 'DEFECT', message: (error as Error).stack ?? String(error) };
  const { code, message, hint } = error;
  return { kind: 'failed', code, message, ...(hint === undefined ? {} : { hint }) };
}

if (parentPort) {
  const port = parentPort;
  const tell = (event: ScoringEvent): void => port.postMessage(event);
  main(workerData as ScoringSetup, tell).catch((error: unknown) => {
    tell(failureOf(error));
    port.unref();
  });
}
