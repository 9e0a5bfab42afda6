import { type ChildProcess, spawn } from 'node:child_process';

/** The built command line as a process of its own. */
export interface RobotChild {
  readonly process: ChildProcess;
  /** Everything it wrote so far. */
  output(): string;
  /** Resolves when it wrote that; rejects with what it wrote when it ended or took too long. */
  said(text: string | RegExp, timeoutMs?: number): Promise<void>;
  /** Resolves to its exit code, null after a signal. */
  ended(timeoutMs?: number): Promise<number | null>;
}

/** Milliseconds that a busy machine is given for anything. */
const PATIENCE = 120_000;

/** @param args of `vernier`; `env` beside this process's */
export function vernier(args: readonly string[], env: Readonly<Record<string, string>> = {}): RobotChild {
  const child = spawn(process.execPath, ['bin/vernier.js', ...args], {
    env: { ...process.env, ...env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let code: number | null | undefined;
  child.stdout!.on('data', (data: Buffer) => {
    text += data.toString();
  });
  child.stderr!.on('data', (data: Buffer) => {
    text += data.toString();
  });
  // Not 'exit': what it wrote last may come after that.
  child.on('close', (status) => {
    code = status;
  });
  const until = async (condition: () => boolean, what: string, timeoutMs: number): Promise<void> => {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`no ${what} in ${timeoutMs} ms; it wrote:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return {
    process: child,
    output: () => text,
    async said(pattern, timeoutMs = PATIENCE) {
      const has = (): boolean => (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text));
      await until(() => has() || code !== undefined, `"${pattern}"`, timeoutMs);
      if (!has()) throw new Error(`it ended with ${code} before "${pattern}":\n${text}`);
    },
    async ended(timeoutMs = PATIENCE) {
      await until(() => code !== undefined, 'end', timeoutMs);
      return code!;
    },
  };
}
