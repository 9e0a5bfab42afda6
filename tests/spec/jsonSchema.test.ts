import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '#native/addon';
import { jsonSchemas } from '#spec/jsonSchema';

describe('the published JSON Schema', () => {
  const folder = join(packageRoot, 'docs', 'schema');

  it.each(Object.entries(jsonSchemas()))('docs/schema/%s is what the zod schema says', (name, text) => {
    // UPDATE_SCHEMA=1 writes it anew after a change of the schema.
    if (process.env.UPDATE_SCHEMA === '1') writeFileSync(join(folder, name), text);
    expect(
      readFileSync(join(folder, name), 'utf8'),
      `run UPDATE_SCHEMA=1 npx vitest run ${import.meta.filename}`,
    ).toBe(text);
  });

  it('describes defaults and refuses unknown keys', () => {
    const task = JSON.parse(jsonSchemas()['task.schema.json']);
    expect(task.additionalProperties).toBe(false);
    expect(task.required).toEqual(['name', 'robot', 'horizon', 'observation']);
    expect(task.properties.residual.properties.scale.default).toBe(0.3);
    expect(task.properties.control.properties.mode.enum).toContain('end_effector_delta');
  });
});
