import { nearestName, VernierError } from '#core/errors';
import { type Literal, numberLiteral, stringLiteral } from '#transport/messageLiteral';
import { isNumberKind, type NumberKind, numberFacts } from '#transport/numberKinds';

/** Message definitions of ROS 2 (`.msg` texts) as typed descriptions. */

export type ElementType =
  | { readonly kind: 'number'; readonly number: NumberKind }
  /** `bound`: most bytes of UTF-8 without the NUL behind them. */
  | { readonly kind: 'string'; readonly bound: number | undefined }
  | { readonly kind: 'struct'; readonly struct: StructDefinition };

export type ArrayExtent =
  | { readonly kind: 'fixed'; readonly length: number }
  | { readonly kind: 'sequence'; readonly bound: number | undefined };

export interface FieldDefinition {
  readonly name: string;
  readonly element: ElementType;
  /** undefined: one element. */
  readonly array: ArrayExtent | undefined;
  /** What the definition gives a new message; int64 and uint64 as bigint. */
  readonly initial: Literal | readonly Literal[] | undefined;
}

export interface StructDefinition {
  /** `geometry_msgs/msg/Pose`. */
  readonly type: string;
  readonly fields: readonly FieldDefinition[];
  readonly constants: Readonly<Record<string, Literal>>;
  /** Structs inside of each other, 1 without any. */
  readonly depth: number;
  /** No message of the type takes fewer bytes in CDR. */
  readonly leastSize: number;
}

/** Types deeper than this are refused: what walks a message may recurse. */
const deepestNesting = 32;

/** Characters of a line without its comment, and of a name worth a suggestion. */
const longestLine = 10_000;
const longestName = 200;

/** `std_msgs/Header` and `std_msgs/msg/Header` name the same type; services and actions keep their middle part. */
export function fullTypeName(type: string): string {
  const parts = type.split('/');
  return parts.length === 2 ? `${parts[0]}/msg/${parts[1]}` : type;
}

/** Texts by type, resolved when they are asked for. */
export class MessageDefinitions {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #resolved = new Map<string, StructDefinition>();
  readonly #open = new Set<string>();

  /** @param texts by full type name */
  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts;
  }

  get types(): readonly string[] {
    return [...this.#texts.keys()];
  }

  /** @throws DATA where the type or one that it uses is missing, contains itself or cannot be read, with type and line */
  struct(type: string): StructDefinition {
    return this.#resolve(fullTypeName(type));
  }

  #resolve(type: string): StructDefinition {
    const known = this.#resolved.get(type);
    if (known) return known;
    const text = this.#texts.get(type);
    if (text === undefined) throw this.#missing(type);
    if (this.#open.has(type)) throw new VernierError('DATA', `${type} contains itself`);
    if (this.#open.size >= deepestNesting) throw tooDeep(type);
    this.#open.add(type);
    try {
      const struct = this.#parse(type, text);
      this.#resolved.set(type, struct);
      return struct;
    } finally {
      this.#open.delete(type);
    }
  }

  #parse(type: string, text: string): StructDefinition {
    const fields: FieldDefinition[] = [];
    const constants = new Map<string, Literal>();
    const names = new Set<string>();
    for (const [i, line] of text.split(/\r?\n/).entries()) {
      const declaration = new Declaration(type, i + 1, line);
      if (declaration.isEmpty) continue;
      const name = declaration.name;
      if (names.has(name)) throw declaration.mistake(`${name} is declared twice`);
      names.add(name);
      if (declaration.isConstant) constants.set(name, declaration.constant());
      else fields.push(declaration.field((used) => this.#resolve(this.#typeNamed(used, type))));
    }
    const depth = 1 + Math.max(0, ...new Set(fields.map(depthOf)));
    if (depth > deepestNesting) throw tooDeep(type);
    // A struct without fields takes a byte.
    const leastSize = fields.length === 0 ? 1 : fields.reduce((sum, field) => sum + leastSizeOf(field), 0);
    return { type, fields, constants: Object.fromEntries(constants), depth, leastSize };
  }

  /** A name without a package means the package that uses it; `Header` alone also means that of std_msgs. */
  #typeNamed(used: string, user: string): string {
    if (used.includes('/')) return fullTypeName(used);
    const sibling = `${user.split('/')[0]}/msg/${used}`;
    return used === 'Header' && !this.#texts.has(sibling) ? 'std_msgs/msg/Header' : sibling;
  }

  #missing(type: string): VernierError {
    const user = [...this.#open].at(-1);
    const candidates =
      type.length > longestName ? [] : this.types.filter((name) => name.length <= longestName);
    const near = nearestName(type, candidates);
    return new VernierError('DATA', `${user ? `${user}: ` : ''}the definition of ${type} is missing`, {
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    });
  }
}

function tooDeep(type: string): VernierError {
  return new VernierError('DATA', `${type}: types are nested more than ${deepestNesting} deep`);
}

function depthOf({ element }: FieldDefinition): number {
  return element.kind === 'struct' ? element.struct.depth : 0;
}

function leastSizeOf({ element, array }: FieldDefinition): number {
  return array?.kind === 'sequence' ? 4 : leastElementSize(element) * (array?.length ?? 1);
}

/** Bytes that an element takes in CDR at least, without padding. */
export function leastElementSize(element: ElementType): number {
  if (element.kind === 'number') return numberFacts(element.number).size;
  return element.kind === 'string' ? 4 : element.struct.leastSize;
}

/** One line: `float64[<=3] name default  # comment` or `int8 NAME=1`. */
class Declaration {
  readonly #type: string;
  readonly #line: number;
  readonly #text: string;
  readonly #indent: number;
  readonly #parts: RegExpExecArray | null;

  constructor(type: string, line: number, text: string) {
    this.#type = type;
    this.#line = line;
    this.#text = withoutComment(text).trim();
    this.#indent = text.length - text.trimStart().length;
    if (this.#text.length > longestLine)
      throw this.mistake(`a line of ${this.#text.length} characters, expected at most ${longestLine}`);
    this.#parts = /^(\S+)\s+([A-Za-z]\w*)(?:\s*=\s*(.*)|\s+([^\s=].*))?$/.exec(this.#text);
  }

  get isEmpty(): boolean {
    return this.#text === '';
  }

  get isConstant(): boolean {
    return this.#parts?.[3] !== undefined;
  }

  get name(): string {
    if (!this.#parts) throw this.mistake(`expected "type name", received "${this.#text}"`);
    return this.#parts[2]!;
  }

  mistake(what: string): VernierError {
    const at = { file: this.#type, line: this.#line, column: this.#indent + 1 };
    return new VernierError('DATA', what, { at });
  }

  constant(): Literal {
    const { element, array } = this.#declared(undefined);
    if (array) throw this.mistake(`the constant ${this.name} is an array`);
    return this.#literal(element, this.#parts![3]!);
  }

  /** @param structOf the type of a name in this definition */
  field(structOf: (type: string) => StructDefinition): FieldDefinition {
    const { element, array } = this.#declared(structOf);
    return { name: this.name, element, array, initial: this.#initial(element, array, this.#parts![4]) };
  }

  #declared(structOf: ((type: string) => StructDefinition) | undefined): {
    readonly element: ElementType;
    readonly array: ArrayExtent | undefined;
  } {
    const written = this.#parts![1]!;
    const [, base, textBound, extent, most, count] =
      /^([A-Za-z]\w*(?:\/\w+){0,2})(?:<=(\d+))?(\[(<=)?(\d*)\])?$/.exec(written) ?? [];
    if (base === undefined || (most && count === '')) throw this.mistake(`"${written}" is no type`);
    if (textBound !== undefined && base !== 'string')
      throw this.mistake(`only a string has a bound, received "${written}"`);
    const bound = count ? this.#count(count) : undefined;
    const array: ArrayExtent | undefined = !extent
      ? undefined
      : bound !== undefined && !most
        ? { kind: 'fixed', length: bound }
        : { kind: 'sequence', bound };
    if (base === 'string')
      return { element: { kind: 'string', bound: textBound ? this.#count(textBound) : undefined }, array };
    return { element: this.#element(base, structOf), array };
  }

  #element(base: string, structOf: ((type: string) => StructDefinition) | undefined): ElementType {
    if (isNumberKind(base)) return { kind: 'number', number: base };
    if (base === 'wstring') throw this.mistake('wstring is refused: its bytes differ between middlewares');
    if (!structOf) throw this.mistake(`a constant is a number or a string, received ${base}`);
    return { kind: 'struct', struct: structOf(base) };
  }

  #count(digits: string): number {
    const count = Number(digits);
    if (count < 1 || count > 0xffff_ffff) throw this.mistake(`the size ${digits} is not in 1 to 4294967295`);
    return count;
  }

  #initial(element: ElementType, array: ArrayExtent | undefined, text: string | undefined) {
    if (text === undefined) return undefined;
    if (!array) return this.#literal(element, text);
    const [, list] = /^\[(.*)\]$/.exec(text) ?? [];
    if (list === undefined) throw this.mistake(`expected a default like [1, 2], received ${text}`);
    const items = list.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,\s][^,]*/g) ?? [];
    const most = array.kind === 'fixed' ? array.length : (array.bound ?? Number.POSITIVE_INFINITY);
    if (array.kind === 'fixed' ? items.length !== most : items.length > most)
      throw this.mistake(
        `expected ${array.kind === 'fixed' ? '' : 'at most '}${most} defaults, received ${items.length}`,
      );
    return items.map((item) => this.#literal(element, item.trim()));
  }

  #literal(element: ElementType, text: string): Literal {
    if (element.kind === 'struct') throw this.mistake(`${element.struct.type} takes no default`);
    const isNumber = element.kind === 'number';
    const literal = isNumber ? numberLiteral(element.number, text) : stringLiteral(element.bound, text);
    if (literal === undefined) throw this.mistake(`${text} is no ${isNumber ? element.number : 'string'}`);
    return literal;
  }
}

/** A `#` in quotes is no comment. */
function withoutComment(line: string): string {
  let quote: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!;
    if (quote && character === '\\') i++;
    else if (quote) quote = character === quote ? undefined : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '#') return line.slice(0, i);
  }
  return line;
}
