/** What a command gets beside its own options; passed in, so that tests can run commands without a process. */
export interface CliContext {
  /** Overrides of the task file, `residual.scale=0.2`. */
  readonly overrides: readonly string[];
  readonly out: (line: string) => void;
  /** Set by a command that fails without an exception. */
  setExitCode(code: number): void;
}
