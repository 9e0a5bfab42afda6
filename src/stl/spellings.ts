import type {
  BinaryTemporalKind,
  ConnectiveKind,
  JunctionKind,
  StepKind,
  UnaryTemporalKind,
} from '#stl/formula';

/** Every way to write an operator, first the canonical one, with the tools that write it so. docs/stl.md holds the same
 * table; a test compares. */

export type PrefixKind = UnaryTemporalKind | StepKind | 'not';
export type InfixKind = BinaryTemporalKind | ConnectiveKind | JunctionKind;

export const prefixSpellings: Readonly<Record<PrefixKind, readonly string[]>> = {
  not: ['not', '!', '~', '¬'],
  always: ['always', 'G', 'globally', 'alw', '[]', '□'],
  eventually: ['eventually', 'F', 'finally', 'ev', '<>', '◇'],
  historically: ['historically', 'H', 'hist'],
  once: ['once', 'O'],
  next: ['next', 'X'],
  prev: ['prev', 'Y'],
  rise: ['rise'],
  fall: ['fall'],
};

export const infixSpellings: Readonly<Record<InfixKind, readonly string[]>> = {
  until: ['until', 'U'],
  release: ['release', 'R'],
  weakUntil: ['unless', 'W'],
  since: ['since', 'S'],
  trigger: ['trigger', 'T'],
  and: ['and', '&&', '&', '∧'],
  or: ['or', '||', '|', '∨'],
  implies: ['->', 'implies', '=>', '→'],
  iff: ['<->', 'iff', '<=>', '↔'],
  xor: ['xor'],
};

/** Symbols that the expressions do not have. `x<->y` is an equivalence: nobody compares with a minus that way. */
export const formulaSymbols = [
  '<->',
  '<=>',
  '->',
  '=>',
  '<>',
  '[]',
  ':',
  '~',
  '¬',
  '□',
  '◇',
  '∧',
  '∨',
  '→',
  '↔',
  '≤',
  '≥',
  '≠',
];

function index<Kind extends string>(
  table: Readonly<Record<Kind, readonly string[]>>,
): ReadonlyMap<string, Kind> {
  const entries = Object.entries(table) as [Kind, readonly string[]][];
  return new Map(entries.flatMap(([kind, words]) => words.map((word): [string, Kind] => [word, kind])));
}

export const prefixByWord: ReadonlyMap<string, PrefixKind> = index(prefixSpellings);
export const infixByWord: ReadonlyMap<string, InfixKind> = index(infixSpellings);

/** Binding powers, loose to tight, in the order of rtamt. */
export const infixPower: Readonly<Record<InfixKind, number>> = {
  xor: 10,
  iff: 20,
  implies: 30,
  or: 40,
  and: 50,
  since: 60,
  trigger: 60,
  weakUntil: 70,
  until: 80,
  release: 80,
};
export const prefixPower = 90;

export function takesInterval(kind: PrefixKind | InfixKind): boolean {
  return [
    'always',
    'eventually',
    'historically',
    'once',
    'until',
    'release',
    'weakUntil',
    'since',
    'trigger',
  ].includes(kind);
}
