/** Every error the stack raises on purpose is a VernierError: a code to test for, a message that says
 * what was expected and received, and a hint that says what to do. */

export type ErrorCode =
  | 'SPEC' // a task, robot or scene file is wrong; `at` says where
  | 'EXPRESSION' // an expression does not parse, type-check or resolve
  | 'SHAPE' // a tensor or buffer has the wrong size
  | 'NUMERIC' // NaN or infinity in physics, loss, gradient or data
  | 'PHYSICS' // MuJoCo refused a model or raised an error
  | 'BACKEND' // a native or WASM backend is missing or of the wrong version
  | 'PLAN' // a compiled training plan is malformed
  | 'CHECKPOINT' // a checkpoint or bundle is torn, foreign or does not match
  | 'DATA' // demonstrations or episodes do not fit the task
  | 'IO' // a file could not be read or written
  | 'TIMEOUT' // another process did not answer in time
  | 'USAGE' // the command line or an option is wrong
  | 'STATE'; // the call is not possible now (closed, busy)

/** A place in a text file; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface VernierErrorOptions {
  readonly hint?: string;
  readonly at?: SourceLocation;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class VernierError extends Error {
  override readonly name = 'VernierError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly at: SourceLocation | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: VernierErrorOptions = {}) {
    const where = options.at ? `${options.at.file}:${options.at.line}:${options.at.column}: ` : '';
    super(`${where}${message}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.at = options.at;
    this.context = options.context ?? {};
  }
}

/** The candidate closest to `name` by edit distance, if it is close enough to be a likely slip. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
    }
    previous = current;
  }
  return previous[b.length]!;
}
