import { CommanderError } from 'commander';
import pc from 'picocolors';
import { type ErrorCode, VernierError } from '#core/errors';

/** Exit codes: 0 done, 1 a defect of Vernier, 2 wrong input, 3 something the machine lacks or refuses, 130 interrupted. */
export const EXIT = { defect: 1, input: 2, machine: 3, interrupted: 130 } as const;

const EXIT_OF = {
  SPEC: EXIT.input,
  EXPRESSION: EXIT.input,
  SHAPE: EXIT.input,
  NUMERIC: EXIT.input,
  PHYSICS: EXIT.input,
  BACKEND: EXIT.machine,
  PLAN: EXIT.defect,
  CHECKPOINT: EXIT.input,
  DATA: EXIT.input,
  IO: EXIT.input,
  TIMEOUT: EXIT.machine,
  USAGE: EXIT.input,
  STATE: EXIT.defect,
} as const satisfies Record<ErrorCode, number>;

/** What a failed file operation means and what to do about it. */
const SYSTEM_ERRORS: Readonly<Record<string, readonly [string, string, number]>> = {
  ENOENT: ['no such file', 'check the path', EXIT.input],
  EACCES: ['permission denied', 'check who owns the file', EXIT.machine],
  ENOSPC: ['the disk is full', 'free some space and run the same command again: it resumes', EXIT.machine],
  EROFS: ['the file system is read-only', 'choose another folder with --out', EXIT.machine],
  EISDIR: ['a folder where a file was expected', 'check the path', EXIT.input],
  ENOTDIR: ['a file where a folder was expected', 'check the path', EXIT.input],
};

export interface Failure {
  readonly text: string;
  readonly exit: number;
}

/** An error as the user reads it: one message with a hint for what was foreseen, a stack for a defect. */
export function describeFailure(error: unknown, debug: boolean): Failure {
  if (error instanceof CommanderError) return { text: '', exit: error.exitCode === 0 ? 0 : EXIT.input };
  const known = foreseen(error);
  if (known) {
    const hint = known.hint ? `\n${pc.cyan('hint:')} ${known.hint}` : '';
    const stack = debug && error instanceof Error ? `\n${pc.dim(fullStack(error))}` : '';
    return { text: `${pc.red('error:')} ${known.message}${hint}${stack}`, exit: known.exit };
  }
  const stack = error instanceof Error ? fullStack(error) : String(error);
  return {
    text: `${pc.red('unexpected error:')} ${stack}\nThis is a defect of Vernier. Please report it with the lines above and \`vernier doctor\`.`,
    exit: EXIT.defect,
  };
}

function foreseen(error: unknown): { message: string; hint: string | undefined; exit: number } | undefined {
  if (error instanceof VernierError) {
    return { message: error.message, hint: error.hint, exit: EXIT_OF[error.code] };
  }
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const code = String(error.code);
  const path = 'path' in error ? `${String(error.path)}: ` : '';
  const system = SYSTEM_ERRORS[code];
  if (system) return { message: `${path}${system[0]}`, hint: system[1], exit: system[2] };
  // Coded errors of the addon keep their code on the way out.
  if (code in EXIT_OF) return { message: error.message, hint: undefined, exit: EXIT_OF[code as ErrorCode] };
  return undefined;
}

function fullStack(error: Error): string {
  const stack = error.stack ?? String(error);
  return error.cause instanceof Error ? `${stack}\ncaused by ${fullStack(error.cause)}` : stack;
}
