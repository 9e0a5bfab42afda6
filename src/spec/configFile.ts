import { existsSync, readFileSync } from 'node:fs';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { type SourceLocation, VernierError } from '#core/errors';
import type { ExpressionSource } from '#expr/source';
import { type Override, parseOverride, setByPath } from '#spec/overrides';
import { scalarOffsets } from '#spec/sourceMap';

/** A YAML file whose every value knows its place, overrides included. */

export type Path = readonly PropertyKey[];

export class ConfigFile {
  /** The path as it was given: what messages show. */
  readonly file: string;
  /** What the file says, overrides applied. */
  readonly value: unknown;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #overrides: readonly Override[];

  /** @throws IO when it cannot be read, SPEC when it is no YAML or an override has no place in it */
  constructor(file: string, overrides: readonly string[] = []) {
    this.file = file;
    this.#text = readText(file);
    this.#document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false });
    const problem = this.#document.errors[0];
    if (problem) {
      throw new VernierError('SPEC', `not valid YAML: ${problem.message}`, {
        at: this.#place(problem.pos[0]),
      });
    }
    this.#overrides = overrides.map(parseOverride);
    let value = this.#toValue();
    for (const override of this.#overrides) value = setByPath(value, override);
    this.value = value;
  }

  /** Place of the value at `path`, or of the nearest thing around it that is there. */
  locate(path: Path): SourceLocation {
    const override = this.#overrideOf(path);
    if (override) return override.locate(override.valueStart);
    for (let depth = path.length; depth >= 0; depth--) {
      const found = this.#find(path.slice(0, depth));
      if (found)
        return this.#place(depth < path.length && found.keyStart >= 0 ? found.keyStart : found.start);
    }
    return { file: this.file, line: 1, column: 1 };
  }

  /** Place of the key that `path` ends in. */
  locateKey(path: Path): SourceLocation {
    const override = this.#overrideOf(path);
    if (override) return override.locate(override.segmentStarts[path.length - 1] ?? 2);
    const found = this.#find(path);
    return found ? this.#place(found.keyStart >= 0 ? found.keyStart : found.start) : this.locate(path);
  }

  /** The text at `path` as an expression whose errors point into the file. */
  expression(path: Path): ExpressionSource {
    const override = this.#overrideOf(path);
    if (override && override.path.length <= path.length)
      return override.expression(path.slice(override.path.length));
    const found = this.#find(path);
    if (!found || !isScalar(found.node)) throw new Error(`no scalar at ${path.join('.')}`);
    const { node } = found;
    const text = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
    const offsets = scalarOffsets(this.#text, node.range![0], node.range![1], text);
    return { text, locate: (offset) => this.#place(offsets[Math.min(offset, text.length)]!) };
  }

  /** The name at the end of `path` as a source: for errors about a key. */
  keySource(path: Path): ExpressionSource {
    return { text: String(path.at(-1)), locate: () => this.locateKey(path) };
  }

  fail(path: Path, message: string, hint?: string): never {
    throw new VernierError('SPEC', `${formatPath(path)}: ${message}`, {
      at: this.locate(path),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #toValue(): unknown {
    try {
      return this.#document.toJS();
    } catch (cause) {
      const why = (cause as Error).message;
      throw new VernierError('SPEC', `not valid YAML: ${why}`, {
        at: { file: this.file, line: 1, column: 1 },
        cause,
      });
    }
  }

  /** The override that wrote the value at `path`, or that made the map at `path` to write into it. */
  #overrideOf(path: Path): Override | undefined {
    const keys = path.map(String);
    return this.#overrides.findLast((override) =>
      override.path.length <= keys.length
        ? override.path.every((key, i) => key === keys[i])
        : keys.every((key, i) => key === override.path[i]) && !this.#find(path),
    );
  }

  #place(offset: number): SourceLocation {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line, column: col };
  }

  #find(path: Path): { node: Node; start: number; keyStart: number } | undefined {
    let node = this.#resolve(this.#document.contents);
    let keyStart = -1;
    for (const key of path) {
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(key),
        );
        if (!pair) return undefined;
        keyStart = isNode(pair.key) ? (pair.key.range?.[0] ?? -1) : -1;
        node = this.#resolve(pair.value);
      } else if (isSeq(node)) {
        node = this.#resolve(node.items[Number(key)]);
        keyStart = -1;
      } else {
        return undefined;
      }
    }
    if (!node) return undefined;
    return { node, start: node.range?.[0] ?? 0, keyStart };
  }

  #resolve(node: unknown): Node | undefined {
    if (isAlias(node)) return node.resolve(this.#document);
    return isNode(node) ? node : undefined;
  }
}

/** `randomize[0].yaw` */
export function formatPath(path: Path): string {
  if (path.length === 0) return 'the file';
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('');
}

function readText(file: string): string {
  if (!existsSync(file)) throw new VernierError('IO', `${file} does not exist`);
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VernierError('IO', `${file} cannot be read`, { cause });
  }
}
