import { VernierError } from '#core/errors';
import type { Quality } from '#transport/robotTransport';

/** @throws DATA for a depth or deadline that is none */
export function checkQuality({ depth, deadlineMs }: Quality): void {
  if (!Number.isInteger(depth) || depth < 1 || depth > 2 ** 20)
    throw new VernierError('DATA', `depth: expected a whole number from 1 on, received ${depth}`);
  if (deadlineMs !== undefined && !(deadlineMs > 0 && deadlineMs < 1e9))
    throw new VernierError('DATA', `deadlineMs: expected milliseconds above 0, received ${deadlineMs}`);
}
