import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import type { CliContext } from '#cli/context';

export function schemaCommand(context: CliContext): Command {
  return new Command('schema')
    .description('the JSON Schema of task, robot or deployment files, for completion in editors')
    .addArgument(new Argument('<kind>', 'of which files').choices(['task', 'robot', 'deploy']))
    .option('--out <folder>', 'write <kind>.schema.json there instead of printing it')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier schema task | less
  $ vernier schema robot --out .vscode

The first line of a task file can point an editor at the published schema:
  # yaml-language-server: $schema=../docs/schema/task.schema.json
`,
    )
    .action(async (kind: 'task' | 'robot' | 'deploy', { out }: { out?: string }) => {
      const { jsonSchemas } = await import('#spec/jsonSchema');
      const name = `${kind}.schema.json` as const;
      const text = jsonSchemas()[name];
      if (out === undefined) {
        context.out(text.trimEnd());
        return;
      }
      mkdirSync(out, { recursive: true });
      writeFileSync(join(out, name), text);
      context.out(`wrote ${join(out, name)}`);
    });
}
