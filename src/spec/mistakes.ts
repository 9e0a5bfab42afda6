import { z } from 'zod';
import { nearestName, type SourceLocation, VernierError } from '#core/errors';
import { type ConfigFile, formatPath, type Path } from '#spec/configFile';

/** Turns what zod has to say about a file into one error with its place: what, expected, received, nearest name. */

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

interface Mistake {
  readonly at: SourceLocation;
  readonly message: string;
}

/** The file's value as the schema reads it. `prepare` may fill in presets first.
 * @throws SPEC for the first mistake in the file; `context.mistakes` has them all */
export function parseFile<T extends z.ZodType>(
  file: ConfigFile,
  schema: T,
  prepare: (raw: unknown) => unknown = (raw) => raw,
): z.output<T> {
  const value = prepare(file.value);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const mistakes = result.error.issues
    .flatMap((issue) => explain(issue, [], schema, value, file))
    .sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  const [first, ...others] = mistakes;
  throw new VernierError('SPEC', first!.message, {
    at: first!.at,
    ...(others.length > 0 ? { hint: others.map(formatMistake).join('\n') } : {}),
    context: { mistakes: mistakes.map(formatMistake) },
  });
}

function formatMistake({ at, message }: Mistake): string {
  return `${at.file}:${at.line}:${at.column}: ${message}`;
}

function explain(issue: Issue, prefix: Path, schema: Schema, root: unknown, file: ConfigFile): Mistake[] {
  const path = [...prefix, ...issue.path];
  const received = valueAt(root, path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      at: file.locateKey([...path, key]),
      message: unknownKey([...path, key], key, allowedKeys(schema, path, root)),
    }));
  }
  if (issue.code === 'invalid_union') {
    const inner = bestBranch(issue.errors, received);
    if (inner) return inner.flatMap((branchIssue) => explain(branchIssue, path, schema, root, file));
  }
  const missing = received === undefined && path.length > 0;
  const expected = wantsWholeNumber(issue, schema, path)
    ? 'a whole number'
    : isWithoutBranch(issue)
      ? oneOf(literalsAt(schema, path))
      : expectation(issue);
  return [
    {
      at: file.locate(path),
      message: missing
        ? `${formatPath(path)}: missing key, expected ${expected}`
        : `${formatPath(path)}: expected ${expected}, received ${show(received)}${nearest(issue, received)}`,
    },
  ];
}

/** zod only says `int` when it was given a number. */
function wantsWholeNumber(issue: Issue, schema: Schema, path: Path): boolean {
  if (issue.code !== 'invalid_type' || issue.expected !== 'number') return false;
  const found = schemasAt(schema, path).find((candidate) => candidate instanceof z.ZodNumber);
  return found?.format === 'safeint';
}

/** A union whose alternatives are told apart by a key, and the key has none of their values. */
function isWithoutBranch(issue: Issue): boolean {
  return issue.code === 'invalid_union' && issue.errors.length === 0;
}

function literalsAt(schema: Schema, path: Path): string[] {
  return schemasAt(schema, path).flatMap((candidate) =>
    candidate instanceof z.ZodLiteral ? [...candidate.values].map(String) : [],
  );
}

function unknownKey(path: Path, key: string, allowed: readonly string[]): string {
  const near = nearestName(key, allowed);
  const hint = near === undefined ? '' : `; nearest is "${near}"`;
  return `${formatPath(path)}: unknown key, expected one of ${allowed.join(', ')}${hint}`;
}

/** What the schema wanted, in words. */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeName(issue.expected);
    case 'invalid_value':
      return oneOf(issue.values.map(String));
    case 'too_big':
      return bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'too_small':
      return bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'invalid_union': {
      if (issue.message.startsWith('expected ')) return issue.message.slice('expected '.length);
      const all = issue.errors.flatMap((branch) =>
        branch.filter((inner) => inner.path.length === 0).map(expectation),
      );
      return [...new Set(all)].join(' or ');
    }
    case 'custom':
      return (issue.message || 'another value').replace(/^expected /, '');
    default:
      return issue.message.replace(/^expected /, '');
  }
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `"${values[0]}"` : `one of ${values.join(', ')}`;
}

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a map',
  record: 'a map',
};

function typeName(expected: string): string {
  return typeNames[expected] ?? expected;
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'array')
    return `a list of ${relation} ${limit} ${Number(limit) === 1 ? 'entry' : 'entries'}`;
  if (origin === 'string')
    return limit === 1 ? 'a text that is not empty' : `a text of ${relation} ${limit} characters`;
  return `a ${origin === 'int' ? 'whole number' : 'number'} of ${relation} ${limit}`.replace(
    /of (more|less) than/,
    '$1 than',
  );
}

function nearest(issue: Issue, received: unknown): string {
  if (typeof received !== 'string') return '';
  const values =
    issue.code === 'invalid_value'
      ? issue.values
      : issue.code === 'invalid_union'
        ? issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []))
        : [];
  const near = nearestName(received, values.map(String));
  return near === undefined ? '' : `; nearest is "${near}"`;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The alternative of a union that the value was meant to be: the only one of its type, or, among maps, the one that
 * knows most of its keys. Undefined when it is none of them. */
function bestBranch(
  branches: readonly (readonly Issue[])[],
  received: unknown,
): readonly Issue[] | undefined {
  const fitting = branches.filter(
    (branch) => !branch.some((issue) => issue.path.length === 0 && isTypeIssue(issue)),
  );
  if (fitting.length <= 1 || received === undefined) return fitting[0];
  const rank = (branch: readonly Issue[]): number =>
    branch.reduce(
      (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 100 * issue.keys.length : 1),
      0,
    );
  return [...fitting].sort((a, b) => rank(a) - rank(b))[0];
}

function isTypeIssue(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** Keys the maps at `path` may have, over all alternatives of a union that share a key with the value. */
function allowedKeys(schema: Schema, path: Path, root: unknown): string[] {
  const shapes = schemasAt(schema, path)
    .filter((candidate) => candidate instanceof z.ZodObject)
    .map(({ shape }) => Object.keys(shape));
  const value = valueAt(root, path);
  const present = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const related = shapes.filter((keys) => keys.some((key) => present.includes(key)));
  return [...new Set((related.length > 0 ? related : shapes).flat())];
}

/** All that the value at `path` may be. */
function schemasAt(schema: Schema, path: Path): Schema[] {
  let candidates = unwrap(schema);
  for (const key of path)
    candidates = candidates.flatMap((candidate) => child(candidate, key)).flatMap(unwrap);
  return candidates;
}

/** The schemas behind defaults, optionals and unions. */
function unwrap(schema: Schema): Schema[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option));
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.def.innerType);
  }
  return [schema];
}

function child(schema: Schema, key: PropertyKey): Schema[] {
  if (schema instanceof z.ZodObject) {
    const found = (schema.shape as Record<PropertyKey, Schema>)[key];
    return found ? [found] : [];
  }
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  if (schema instanceof z.ZodTuple) {
    const item = schema.def.items[Number(key)];
    return item ? [item] : [];
  }
  return [];
}
