import { childrenOf, type Formula, mapChildren } from '#stl/formula';
import { nodeKind } from '#stl/monitorProgram';

/** A formula in negation normal form as a list of nodes, operands before what they belong to. */
export class MonitorTree {
  readonly nodes: number[][] = [];

  /** @returns the index of its node */
  add(formula: Formula): number {
    switch (formula.kind) {
      case 'true':
      case 'false':
        return this.#node(nodeKind[formula.kind], 0, 0);
      case 'atom':
        return this.#node(nodeKind.atom, formula.predicate, 0);
      case 'not': {
        if (formula.operand.kind !== 'atom') break;
        return this.#node(nodeKind.negated, formula.operand.predicate, 0);
      }
      case 'and':
      case 'or': {
        const kind = nodeKind[formula.kind];
        return formula.operands.map((operand) => this.add(operand)).reduce((a, b) => this.#node(kind, a, b));
      }
      case 'always':
      case 'eventually':
      case 'historically':
      case 'once': {
        const { from, to } = formula.interval;
        return this.#node(nodeKind[formula.kind], this.add(formula.operand), 0, from, to);
      }
      case 'until':
      case 'release':
      case 'since':
      case 'trigger': {
        const { from, to } = formula.interval;
        const [left, right] = [this.add(formula.left), this.add(formula.right)];
        return this.#node(nodeKind[formula.kind], left, right, from, to);
      }
      default:
    }
    throw new Error(`unexpected ${formula.kind} in a negation normal form`);
  }

  #node(...words: number[]): number {
    this.nodes.push([...words, 0, 0].slice(0, 5));
    return this.nodes.length - 1;
  }
}

/** Without operands of `and` and `or` that cannot matter. */
export function simplify(formula: Formula): Formula {
  const inner = mapChildren(formula, simplify);
  if (inner.kind !== 'and' && inner.kind !== 'or') return inner;
  const [neutral, absorbing] = inner.kind === 'and' ? ['true', 'false'] : ['false', 'true'];
  const found = inner.operands.find((operand) => operand.kind === absorbing);
  if (found) return found;
  const operands = inner.operands.filter((operand) => operand.kind !== neutral);
  if (operands.length === inner.operands.length) return inner;
  return operands.length > 1 ? { ...inner, operands } : (operands[0] ?? inner.operands[0]!);
}

/** Samples behind the last known one after which no value changes any more: an unbounded past operator settles one
 * sample after its operands, as its recursion is idempotent. */
export function settlingTime(formula: Formula): number {
  const inner = Math.max(0, ...childrenOf(formula).map(settlingTime));
  if (!('interval' in formula)) return inner;
  const { from, to } = formula.interval;
  return inner + (Number.isFinite(to) ? to : from) + 1;
}
