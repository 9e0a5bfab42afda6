import { Command } from 'commander';
import pc from 'picocolors';
import type { Component } from '#cli/components';
import type { CliContext } from '#cli/context';

const MARK = { ok: pc.green('ok     '), missing: pc.yellow('missing'), off: pc.dim('off    ') } as const;

export function formatComponents(components: readonly Component[]): string[] {
  const nameWidth = Math.max(...components.map(({ name }) => name.length));
  const versionWidth = Math.max(...components.map(({ version }) => version.length));
  return components.flatMap(({ name, state, version, note, fix }) => {
    const line =
      `${MARK[state]}  ${name.padEnd(nameWidth)}  ${version.padEnd(versionWidth)}  ${note}`.trimEnd();
    return fix ? [line, `${' '.repeat(9)}${pc.cyan('fix:')} ${fix}`] : [line];
  });
}

export function doctorCommand(context: CliContext): Command {
  return new Command('doctor')
    .description('every component, its version, what is active, and the line that brings what is missing')
    .option('--json', 'one JSON object instead of the table')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier doctor
  $ vernier doctor --json | jq '.components[] | select(.state != "ok")'
`,
    )
    .action(async (options: { json?: boolean }) => {
      const { inspectMachine } = await import('#cli/components');
      const components = await inspectMachine();
      if (options.json) context.out(JSON.stringify({ components }, null, 2));
      else for (const line of formatComponents(components)) context.out(line);
    });
}
