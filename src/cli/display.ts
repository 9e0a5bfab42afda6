import { createLogUpdate } from 'log-update';

/** Where a long command shows what it does: finished lines stay, one status line comes and goes. */
export interface Display {
  /** Stays on the screen and in the log. */
  line(text: string): void;
  /** Replaces the status: redrawn on a terminal, a plain line every few seconds elsewhere. Empty removes it. */
  status(text: string): void;
  close(): void;
}

export interface DisplayOptions {
  readonly stream: NodeJS.WriteStream;
  /** Least time between two plain status lines. */
  readonly plainIntervalMs?: number;
  readonly now?: () => number;
}

export function makeDisplay(options: DisplayOptions): Display {
  const { stream, plainIntervalMs = 5000, now = () => performance.now() } = options;
  // A terminal without a width (some recorders) cannot be redrawn.
  const redraws = stream.isTTY && stream.columns > 0;
  return redraws ? terminalDisplay(stream, now) : plainDisplay(stream, plainIntervalMs, now);
}

function plainDisplay(stream: NodeJS.WriteStream, intervalMs: number, now: () => number): Display {
  let last = Number.NEGATIVE_INFINITY;
  const write = (text: string): void => {
    last = now();
    stream.write(`${text}\n`);
  };
  return {
    line: write,
    status: (text) => {
      if (text !== '' && now() - last >= intervalMs) write(text.replaceAll('\n', '  '));
    },
    close: () => {},
  };
}

const REDRAW_MS = 100;

function terminalDisplay(stream: NodeJS.WriteStream, now: () => number): Display {
  const update = createLogUpdate(stream);
  let shown = '';
  let last = Number.NEGATIVE_INFINITY;
  return {
    line: (text) => {
      update.clear();
      stream.write(`${text}\n`);
      if (shown) update(shown);
    },
    status: (text) => {
      shown = text;
      if (text === '') update.clear();
      if (text === '' || now() - last < REDRAW_MS) return;
      last = now();
      update(text);
    },
    close: () => {
      update.clear();
      update.done();
      shown = '';
    },
  };
}
