import { and, binaryTemporal, type Formula, negationNormalForm, sameFormula, temporal } from '#stl/formula';
import { simplify } from '#stl/monitorTree';

/** The stages of a formula: weaker formulas that become true one after the other on the way to it, for rewards that pay
 * as it goes. Each part of a conjunction has its own; within an eventually or until, those of what shall be reached, each
 * with all that comes before it:
 *   F(a and F b) and G c        F a;  F(a and F b);  G c
 * A formula holds exactly when all of its stages do. */
export function stagesOf(formula: Formula): Formula[] {
  const stages: Formula[] = [];
  for (const stage of partsOf(simplify(negationNormalForm(formula)))) {
    if (!stages.some((known) => sameFormula(known, stage))) stages.push(stage);
  }
  return stages;
}

function partsOf(formula: Formula): Formula[] {
  return formula.kind === 'and' ? formula.operands.flatMap(partsOf) : prefixesOf(formula);
}

/** From the weakest to the formula itself, each implied by the next. */
function prefixesOf(formula: Formula): Formula[] {
  switch (formula.kind) {
    case 'eventually':
      return prefixesOf(formula.operand).map((goal) => temporal('eventually', goal, formula.interval));
    case 'until':
      return prefixesOf(formula.right).map((goal) =>
        binaryTemporal('until', formula.left, goal, formula.interval),
      );
    case 'and': {
      const waits = (operand: Formula): boolean => operand.kind === 'eventually' || operand.kind === 'until';
      let before = formula.operands.filter((operand) => !waits(operand));
      const stages: Formula[] = before.length > 0 ? [and(...before)] : [];
      for (const operand of formula.operands.filter(waits)) {
        stages.push(...prefixesOf(operand).map((goal) => and(...before, goal)));
        before = [...before, operand];
      }
      return stages;
    }
    default:
      return [formula];
  }
}
