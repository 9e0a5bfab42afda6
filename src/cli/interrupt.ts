import { EXIT } from '#cli/failure';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** True once the user asked to stop. */
  readonly requested: boolean;
  dispose(): void;
}

/** Turns the first Ctrl-C (or SIGTERM) into an abort, which lets the command save and end; the second one exits
 * at once. `announce` tells the user, with what is done now. */
export function catchInterrupt(announce: (text: string) => void, doing = 'stopping'): Interrupt {
  const controller = new AbortController();
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    announce(`${doing} (Ctrl-C again exits at once)`);
    controller.abort();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    get requested() {
      return controller.signal.aborted;
    },
    dispose: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
