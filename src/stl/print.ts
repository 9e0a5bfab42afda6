import { childrenOf, type Formula, type Interval } from '#stl/formula';

/** How the canonical printer spells each operator; the parser reads all of these back to the same tree. */
export const canonicalSpelling = {
  and: 'and',
  or: 'or',
  implies: '->',
  iff: '<->',
  xor: 'xor',
  until: 'until',
  release: 'release',
  weakUntil: 'unless',
  since: 'since',
  trigger: 'trigger',
  always: 'always',
  eventually: 'eventually',
  once: 'once',
  historically: 'historically',
  next: 'next',
  prev: 'prev',
  rise: 'rise',
  fall: 'fall',
  not: 'not',
} as const;

/** `always[0,10] (x > 0 -> eventually y > 2)`: every operand that is not an atom, a constant or a prefix operator stands
 * in parentheses, so that no precedence has to be known.
 * @param predicateText the text of a predicate, as in `Specification.predicates` */
export function printFormula(formula: Formula, predicateText: (predicate: number) => string): string {
  const operand = (child: Formula): string => {
    const text = printFormula(child, predicateText);
    return isInfix(child) ? `(${text})` : text;
  };
  switch (formula.kind) {
    case 'true':
    case 'false':
      return formula.kind;
    case 'atom':
      return predicateText(formula.predicate);
    case 'rise':
    case 'fall':
      return `${formula.kind}(${printFormula(formula.operand, predicateText)})`;
    default: {
      const interval = 'interval' in formula ? printInterval(formula.interval) : '';
      const operator = `${canonicalSpelling[formula.kind]}${interval}`;
      const operands = childrenOf(formula).map(operand);
      return operands.length === 1
        ? `${operator} ${prefixed(formula, operands[0]!)}`
        : operands.join(` ${operator} `);
    }
  }
}

function isInfix(formula: Formula): boolean {
  return 'operands' in formula || 'left' in formula;
}

/** An atom behind a prefix operator stands in parentheses: `not (x > 0)` reads one way only. */
function prefixed(formula: Formula, operand: string): string {
  const [child] = childrenOf(formula);
  return child!.kind === 'atom' ? `(${operand})` : operand;
}

/** `[0,10]`, `[2,inf]`; nothing for [0, inf). */
export function printInterval({ from, to }: Interval): string {
  if (from === 0 && to === Number.POSITIVE_INFINITY) return '';
  return `[${from},${to === Number.POSITIVE_INFINITY ? 'inf' : to}]`;
}
