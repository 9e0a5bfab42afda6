import { z } from 'zod';
import { deploySchema } from '#spec/deploySchema';
import { robotSchema } from '#spec/robotSchema';
import { taskSchema } from '#spec/taskSchema';

/** JSON Schema of task, robot and deployment files, for completion and checks in editors: the same zod schemas, as text.
 * docs/schema/ holds what this returns; `# yaml-language-server: $schema=...` in a file points an editor at it. */
export function jsonSchemas(): Readonly<
  Record<'task.schema.json' | 'robot.schema.json' | 'deploy.schema.json', string>
> {
  return {
    'task.schema.json': publish(taskSchema),
    'robot.schema.json': publish(robotSchema),
    'deploy.schema.json': publish(deploySchema),
  };
}

function publish(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' });
  return `${JSON.stringify(json, null, 2)}\n`;
}
