import type { SourceLocation } from '#core/errors';
import type { Formula } from '#stl/formula';
import type { TimeOptions } from '#stl/interval';
import type { Predicate } from '#stl/predicate';
import { printFormula } from '#stl/print';

/** Something in the text that other tools read in another way. */
export interface Warning {
  readonly at: SourceLocation;
  readonly message: string;
}

/** A parsed formula: the tree, and the predicates its atoms number. */
export interface Specification {
  /** As it was written. */
  readonly text: string;
  readonly formula: Formula;
  readonly predicates: readonly Predicate[];
  readonly time: TimeOptions;
  readonly warnings: readonly Warning[];
}

/** The canonical text of a specification, or of a sub-formula of it; parsing it gives the same tree. */
export function printSpecification(specification: Specification, formula = specification.formula): string {
  return printFormula(formula, (predicate) => specification.predicates[predicate]!.text);
}
