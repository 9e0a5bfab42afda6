/** Formulas of signal temporal logic: an immutable tree over predicates that are numbered elsewhere
 * (#stl/specification), its rewriting and its reach in time.
 *
 * Semantics, with rho(f, t) the robustness at sample t, samples before the first never exist, and [a, b] the interval:
 *   until      phi U psi       max over t' in t + [a, b] of min(psi(t'), min of phi over [t, t') or [t, t'])
 *   release    phi R psi       not (not phi U not psi)
 *   weakUntil  phi W psi       (phi U psi) or always[0, b] phi
 *   since      phi S psi       max over t' in t - [a, b] of min(psi(t'), min of phi over (t', t] or [t', t])
 *   trigger    phi T psi       not (not phi S not psi)
 *   next, prev                 eventually[1, 1], once[1, 1]
 *   rise                       phi and not prev phi
 *   fall                       rise of not phi: both take the first sample for a change */

/** Both bounds belong to it; control steps, or seconds in a formula for dense time. */
export interface Interval {
  readonly from: number;
  /** Infinity where unbounded. */
  readonly to: number;
}

export const unbounded: Interval = { from: 0, to: Number.POSITIVE_INFINITY };

export type JunctionKind = 'and' | 'or';
export type ConnectiveKind = 'implies' | 'iff' | 'xor';
export type UnaryTemporalKind = 'always' | 'eventually' | 'once' | 'historically';
export type BinaryTemporalKind = 'until' | 'release' | 'weakUntil' | 'since' | 'trigger';
export type StepKind = 'next' | 'prev' | 'rise' | 'fall';

export type Formula =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  /** `predicate` is an index into the predicates of the specification. */
  | { readonly kind: 'atom'; readonly predicate: number }
  | { readonly kind: 'not' | StepKind; readonly operand: Formula }
  /** Two or more operands. */
  | { readonly kind: JunctionKind; readonly operands: readonly Formula[] }
  | { readonly kind: ConnectiveKind; readonly left: Formula; readonly right: Formula }
  | { readonly kind: UnaryTemporalKind; readonly operand: Formula; readonly interval: Interval }
  | {
      readonly kind: BinaryTemporalKind;
      readonly left: Formula;
      readonly right: Formula;
      readonly interval: Interval;
    };

/** What tools disagree on. */
export interface SemanticsOptions {
  /** Whether phi of `phi until psi` must still hold at the sample where psi does: `halfopen` no, `closed` yes.
   * Since, release, weak until and trigger follow. */
  readonly until: 'closed' | 'halfopen';
  /** What a window asks of samples behind the last: `vacuous` nothing (it is cut off, an empty always is +inf and an
   * empty eventually -inf), `pessimistic` the worst any continuation may bring, `undefined` a value of NaN. */
  readonly end: 'vacuous' | 'pessimistic' | 'undefined';
}

export const defaultSemantics: SemanticsOptions = { until: 'halfopen', end: 'vacuous' };

export const truth: Formula = { kind: 'true' };
export const falsehood: Formula = { kind: 'false' };

export function atom(predicate: number): Formula {
  return { kind: 'atom', predicate };
}

/** The negation; a double one cancels. */
export function not(operand: Formula): Formula {
  return operand.kind === 'not' ? operand.operand : { kind: 'not', operand };
}

/** A conjunction; nested ones are drawn into it, and one operand is itself. */
export function and(...operands: readonly Formula[]): Formula {
  return junction('and', operands);
}

export function or(...operands: readonly Formula[]): Formula {
  return junction('or', operands);
}

function junction(kind: JunctionKind, operands: readonly Formula[]): Formula {
  const flat = operands.flatMap((operand) => (operand.kind === kind ? operand.operands : [operand]));
  if (flat.length === 0) return kind === 'and' ? truth : falsehood;
  return flat.length === 1 ? flat[0]! : { kind, operands: flat };
}

export function connective(kind: ConnectiveKind, left: Formula, right: Formula): Formula {
  return { kind, left, right };
}

export function temporal(kind: UnaryTemporalKind, operand: Formula, interval = unbounded): Formula {
  return { kind, operand, interval };
}

export function binaryTemporal(
  kind: BinaryTemporalKind,
  left: Formula,
  right: Formula,
  interval = unbounded,
): Formula {
  return { kind, left, right, interval };
}

export function stepOperator(kind: StepKind, operand: Formula): Formula {
  return { kind, operand };
}

export function childrenOf(formula: Formula): readonly Formula[] {
  if ('operands' in formula) return formula.operands;
  if ('operand' in formula) return [formula.operand];
  return 'left' in formula ? [formula.left, formula.right] : [];
}

/** The formula with every child replaced by `f(child)`; the same object where nothing changed. */
export function mapChildren(formula: Formula, f: (child: Formula) => Formula): Formula {
  const children = childrenOf(formula);
  const mapped = children.map(f);
  if (mapped.every((child, i) => child === children[i])) return formula;
  if ('operands' in formula) return { ...formula, operands: mapped };
  if ('operand' in formula) return { ...formula, operand: mapped[0]! };
  return { ...formula, left: mapped[0]!, right: mapped[1]! } as Formula;
}

/** Every sub-formula once per place it stands, children before parents: the formula itself comes last. */
export function subformulas(formula: Formula): Formula[] {
  return [...childrenOf(formula).flatMap(subformulas), formula];
}

/** The indices of the predicates it uses, ascending. */
export function predicatesOf(formula: Formula): number[] {
  const found = new Set<number>();
  for (const part of subformulas(formula)) if (part.kind === 'atom') found.add(part.predicate);
  return [...found].sort((a, b) => a - b);
}

/** How far behind sample t the value at t can look: steps (seconds in dense time), Infinity where unbounded. */
export function horizon(formula: Formula): number {
  const inner = Math.max(0, ...childrenOf(formula).map(horizon));
  switch (formula.kind) {
    case 'always':
    case 'eventually':
    case 'until':
    case 'release':
    case 'weakUntil':
      return inner + formula.interval.to;
    case 'next':
      return inner + 1;
    default:
      return inner;
  }
}

/** How far before sample t the value at t can look. */
export function pastHorizon(formula: Formula): number {
  const inner = Math.max(0, ...childrenOf(formula).map(pastHorizon));
  switch (formula.kind) {
    case 'once':
    case 'historically':
    case 'since':
    case 'trigger':
      return inner + formula.interval.to;
    case 'prev':
    case 'rise':
    case 'fall':
      return inner + 1;
    default:
      return inner;
  }
}

const oneStep: Interval = { from: 1, to: 1 };

/** Rewrites implies, iff, xor, weak until, next, prev, rise and fall by and, or, not and the windows that define them;
 * with `not` where it stood. */
export function expand(formula: Formula): Formula {
  const inner = mapChildren(formula, expand);
  switch (inner.kind) {
    case 'implies':
      return or(not(inner.left), inner.right);
    case 'iff':
      return and(or(not(inner.left), inner.right), or(inner.left, not(inner.right)));
    case 'xor':
      return or(and(inner.left, not(inner.right)), and(not(inner.left), inner.right));
    case 'weakUntil':
      return or(
        binaryTemporal('until', inner.left, inner.right, inner.interval),
        temporal('always', inner.left, { from: 0, to: inner.interval.to }),
      );
    case 'next':
      return temporal('eventually', inner.operand, oneStep);
    case 'prev':
      return temporal('once', inner.operand, oneStep);
    case 'rise':
      return and(inner.operand, not(temporal('once', inner.operand, oneStep)));
    case 'fall':
      return and(not(inner.operand), not(temporal('once', not(inner.operand), oneStep)));
    default:
      return inner;
  }
}

const dual = {
  and: 'or',
  or: 'and',
  always: 'eventually',
  eventually: 'always',
  once: 'historically',
  historically: 'once',
  until: 'release',
  release: 'until',
  since: 'trigger',
  trigger: 'since',
} as const;

/** The expanded formula with negations only on atoms. Its kinds: true, false, atom, not (of an atom), and, or, always,
 * eventually, once, historically, until, release, since, trigger. The robustness is the same, to the bit. */
export function negationNormalForm(formula: Formula): Formula {
  return push(expand(formula), false);
}

function push(formula: Formula, negated: boolean): Formula {
  switch (formula.kind) {
    case 'true':
    case 'false':
      return (formula.kind === 'true') !== negated ? truth : falsehood;
    case 'atom':
      return negated ? not(formula) : formula;
    case 'not':
      return push(formula.operand, !negated);
    case 'and':
    case 'or':
      return junction(
        negated ? dual[formula.kind] : formula.kind,
        formula.operands.map((operand) => push(operand, negated)),
      );
    case 'always':
    case 'eventually':
    case 'once':
    case 'historically':
      return {
        kind: negated ? dual[formula.kind] : formula.kind,
        operand: push(formula.operand, negated),
        interval: formula.interval,
      };
    case 'until':
    case 'release':
    case 'since':
    case 'trigger':
      return {
        kind: negated ? dual[formula.kind] : formula.kind,
        left: push(formula.left, negated),
        right: push(formula.right, negated),
        interval: formula.interval,
      };
    default:
      // expand() leaves no other kind.
      throw new Error(`unexpanded ${formula.kind}`);
  }
}

/** Whether two formulas are the same tree. */
export function sameFormula(a: Formula, b: Formula): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'atom' && b.kind === 'atom') return a.predicate === b.predicate;
  if ('interval' in a && 'interval' in b) {
    if (a.interval.from !== b.interval.from || a.interval.to !== b.interval.to) return false;
  }
  const [x, y] = [childrenOf(a), childrenOf(b)];
  return x.length === y.length && x.every((child, i) => sameFormula(child, y[i]!));
}
