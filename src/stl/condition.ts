import type { Formula } from '#stl/formula';

/** State formulas: conditions on one sample, without time. */

export type Condition =
  | { readonly kind: 'true' | 'false' }
  | { readonly kind: 'literal'; readonly predicate: number; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Condition[] };

/** Whether a formula in negation normal form has no temporal operator. */
export function isStateFormula(formula: Formula): boolean {
  switch (formula.kind) {
    case 'true':
    case 'false':
    case 'atom':
      return true;
    case 'not':
      return formula.operand.kind === 'atom';
    case 'and':
    case 'or':
      return formula.operands.every(isStateFormula);
    default:
      return false;
  }
}

/** A state formula in negation normal form as a condition. @throws Error for any other formula */
export function conditionOf(formula: Formula): Condition {
  switch (formula.kind) {
    case 'true':
    case 'false':
      return { kind: formula.kind };
    case 'atom':
      return { kind: 'literal', predicate: formula.predicate, negated: false };
    case 'and':
    case 'or':
      return { kind: formula.kind, operands: formula.operands.map(conditionOf) };
    case 'not':
      if (formula.operand.kind === 'atom') {
        return { kind: 'literal', predicate: formula.operand.predicate, negated: true };
      }
  }
  throw new Error(`${formula.kind} is no state formula in negation normal form`);
}

/** Robustness of the condition at one sample: minima of conjunctions, maxima of disjunctions.
 * @param predicates robustness of predicate p at `offset + p` */
export function conditionRobustness(condition: Condition, predicates: Float64Array, offset: number): number {
  switch (condition.kind) {
    case 'true':
      return Number.POSITIVE_INFINITY;
    case 'false':
      return Number.NEGATIVE_INFINITY;
    case 'literal': {
      const value = predicates[offset + condition.predicate]!;
      return condition.negated ? -value : value;
    }
    default: {
      const isAnd = condition.kind === 'and';
      let extremum = isAnd ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      for (const operand of condition.operands) {
        const value = conditionRobustness(operand, predicates, offset);
        if (isAnd ? value < extremum : value > extremum) extremum = value;
      }
      return extremum;
    }
  }
}
