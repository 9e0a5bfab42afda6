import { Command, Option } from 'commander';
import { wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';
import type { ArrayEncoding } from '#transport/zeromq/msgpackWriter';

export interface ServeFlags {
  readonly policy: 'policy' | 'base';
  readonly task?: string;
  readonly host: string;
  readonly port: number;
  readonly encoding: ArrayEncoding;
  readonly curveKeys?: string;
  readonly curveClients?: readonly string[];
  readonly newKeys?: string;
}

export function serveCommand(context: CliContext): Command {
  return new Command('serve')
    .description(
      'answer get_action over ZeroMQ: a policy for other processes, other machines, other languages',
    )
    .argument('[what]', 'a run folder or a bundle (.vrn)')
    .addOption(
      new Option('--policy <name>', 'base: its whole chunks; policy: base and residual, an action at a time')
        .choices(['policy', 'base'])
        .default('policy'),
    )
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--port <n>', '0 finds a free one', wholeNumber, 5555)
    .option('--host <address>', 'where to listen; 0.0.0.0 is everywhere', '127.0.0.1')
    .addOption(
      new Option('--encoding <how>', 'of arrays, where a request has none to go by')
        .choices(['groot', 'openpi'])
        .default('groot'),
    )
    .option('--curve-keys <file>', "the server's keys (.key_secret): CurveZMQ, and nothing unencrypted")
    .option('--curve-clients <files...>', 'public keys (.key) of the clients that are let in (default: all)')
    .option('--new-keys <name>', 'make <name>.key and <name>.key_secret, and serve nothing')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier serve runs/demo
  $ vernier serve runs/demo --policy base --port 5556
  $ vernier serve --new-keys robot && vernier serve runs/demo --host 0.0.0.0 --curve-keys robot.key_secret
`,
    )
    .action(async (what: string | undefined, flags: ServeFlags) => {
      const { serveFromCommandLine } = await import('#cli/serveSession');
      await serveFromCommandLine(what, flags, context);
    });
}
