import { afterEach } from 'vitest';
import { VernierError } from '#core/errors';

/** What a test file opens and the end of each test closes, the newest first. */
export function closedAfterEach(): <T extends { close(): unknown }>(one: T) => T {
  const opened: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });
  return (one) => {
    opened.push(one);
    return one;
  };
}

/** The error that is expected. */
export async function failure(pending: Promise<unknown>): Promise<VernierError> {
  const error = await pending.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof VernierError)) throw new Error(`expected a VernierError, received ${error}`);
  return error;
}
