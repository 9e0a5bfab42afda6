import { isNode, isScalar, parseDocument } from 'yaml';
import { type SourceLocation, VernierError } from '#core/errors';
import type { ExpressionSource } from '#expr/source';
import { scalarOffsets } from '#spec/sourceMap';

/** `residual.scale=0.2`: a dotted path into a task file and a YAML value. Its errors name the override as their place. */
export interface Override {
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
  /** Offsets in `text`. */
  readonly segmentStarts: readonly number[];
  readonly valueStart: number;
  locate(offset: number): SourceLocation;
  /** The value at `path` within the override's value, as an expression. */
  expression(path: readonly PropertyKey[]): ExpressionSource;
}

/** @param assignment `a.b.c=value`, with or without leading dashes
 * @throws USAGE when it is not of that form */
export function parseOverride(assignment: string): Override {
  const match = /^-*([A-Za-z_]\w*(?:\.\w+)*)=([\s\S]*)$/.exec(assignment);
  if (!match) {
    throw new VernierError('USAGE', `expected an override like residual.scale=0.2, received "${assignment}"`);
  }
  const [, dotted = '', source = ''] = match;
  const text = `--${dotted}=${source}`;
  const locate = (offset: number): SourceLocation => ({ file: text, line: 1, column: offset + 1 });
  const path = dotted.split('.');
  const valueStart = 2 + dotted.length + 1;
  const document = parseDocument(source, { prettyErrors: false });
  const problem = document.errors[0];
  if (problem) {
    const at = locate(valueStart + problem.pos[0]);
    throw new VernierError('USAGE', `${dotted}: the value is not valid YAML: ${problem.message}`, { at });
  }
  let start = 2;
  const segmentStarts = path.map((segment) => {
    const here = start;
    start += segment.length + 1;
    return here;
  });
  const expression = (inside: readonly PropertyKey[]): ExpressionSource => {
    const node = inside.length === 0 ? document.contents : document.getIn(inside, true);
    const value = isScalar(node) && typeof node.value === 'string' ? node.value : written(node, source);
    const [from, to] = (isNode(node) && node.range) || [0, source.length];
    const offsets = scalarOffsets(source, from, to, value);
    return { text: value, locate: (offset) => locate(valueStart + offsets[Math.min(offset, value.length)]!) };
  };
  return { text, path, value: document.toJS() as unknown, segmentStarts, valueStart, locate, expression };
}

/** A scalar that is no text, as it is written; numbers are expressions too. */
function written(node: unknown, source: string): string {
  return (isNode(node) && node.range ? source.slice(node.range[0], node.range[1]) : source).trim();
}

/** The value with the override written into it; what lies on the way is copied, missing maps are made. */
export function setByPath(root: unknown, override: Override): unknown {
  const set = (value: unknown, depth: number): unknown => {
    const key = override.path[depth];
    if (key === undefined) return override.value;
    if (Array.isArray(value)) {
      const index = Number(key);
      if (!Number.isInteger(index) || index < 0 || index >= value.length) {
        const expected =
          value.length === 0 ? 'the list is empty' : `expected an index from 0 to ${value.length - 1}`;
        throw refuse(override, depth, `${expected}, received "${key}"`);
      }
      return value.map((item, i) => (i === index ? set(item, depth + 1) : item));
    }
    if (value === undefined || value === null) return { [key]: set(undefined, depth + 1) };
    if (typeof value !== 'object') {
      throw refuse(override, depth, `"${key}" has no place in ${JSON.stringify(value)}`);
    }
    return { ...value, [key]: set((value as Record<string, unknown>)[key], depth + 1) };
  };
  return set(root, 0);
}

function refuse(override: Override, depth: number, why: string): VernierError {
  return new VernierError('SPEC', `${override.path.slice(0, depth).join('.')}: ${why}`, {
    at: override.locate(override.segmentStarts[depth]!),
  });
}
