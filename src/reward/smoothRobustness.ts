import { VernierError } from '#core/errors';
import * as nn from '#nn/graph';
import {
  defaultSemantics,
  type Formula,
  type Interval,
  negationNormalForm,
  type SemanticsOptions,
} from '#stl/formula';
import type { Smoothing } from '#stl/smooth';

/** Smooth robustness as a graph of the training engine, so that gradients flow from a formula to signals. The values are
 * those of #stl/smooth. */

/** Smooth robustness at the first sample. Memory grows with B times T times the widest window.
 * @param signals the robustness of each predicate @shape signals[p] [B,T], out [B]
 * @throws SHAPE when shapes disagree, or the signals are so short that windows are empty and decide alone */
export function smoothRobustness(
  formula: Formula,
  signals: readonly nn.Tensor[],
  smoothing: Smoothing,
  options: Partial<Pick<SemanticsOptions, 'until'>> = {},
): nn.Tensor {
  const { until } = { ...defaultSemantics, ...options };
  const [B, T] = signals[0]?.shape ?? [];
  for (const [p, { shape }] of signals.entries()) {
    if (shape.length === 2 && shape[0] === B && shape[1] === T) continue;
    throw new VernierError('SHAPE', `predicate ${p}: expected [${B},${T}], received [${shape}]`);
  }
  if (B === undefined || T === undefined) throw new VernierError('SHAPE', 'expected at least one predicate');
  const graph = new SmoothGraph(signals, B, T, smoothing, until === 'closed');
  const { tensor, fixed } = graph.build(negationNormalForm(formula));
  if (!Number.isNaN(fixed[0])) {
    throw new VernierError(
      'SHAPE',
      `${T} samples: a window is empty, so the robustness is ${fixed[0]} whatever they are`,
    );
  }
  return nn.reshape(nn.slice(tensor, 1, 0, 1), [B]);
}

/** Values over time. Where `fixed` is not NaN the value is that infinity, and the tensor holds some finite number. */
interface Series {
  readonly tensor: nn.Tensor;
  readonly fixed: Float64Array;
}

/** Lifts values that do not count above all that do. */
const beyond = 1e6;

class SmoothGraph {
  readonly #signals: readonly nn.Tensor[];
  readonly #B: number;
  readonly #T: number;
  readonly #smoothing: Smoothing;
  readonly #closed: boolean;

  constructor(signals: readonly nn.Tensor[], B: number, T: number, smoothing: Smoothing, closed: boolean) {
    this.#signals = signals;
    this.#B = B;
    this.#T = T;
    this.#smoothing = smoothing;
    this.#closed = closed;
  }

  build(formula: Formula): Series {
    switch (formula.kind) {
      case 'true':
        return this.#constant(Number.POSITIVE_INFINITY);
      case 'false':
        return this.#constant(Number.NEGATIVE_INFINITY);
      case 'atom':
        return {
          tensor: this.#signals[formula.predicate]!,
          fixed: new Float64Array(this.#T).fill(Number.NaN),
        };
      case 'not':
        return negative(this.build(formula.operand));
      case 'and':
        return this.#minimum(formula.operands.map((operand) => this.build(operand)));
      case 'or':
        return this.#maximum(formula.operands.map((operand) => this.build(operand)));
      case 'always':
      case 'historically':
        return this.#minimum(this.#window(this.build(formula.operand), formula, Number.POSITIVE_INFINITY));
      case 'eventually':
      case 'once':
        return this.#maximum(this.#window(this.build(formula.operand), formula, Number.NEGATIVE_INFINITY));
      case 'until':
      case 'since':
        return this.#until(this.build(formula.left), this.build(formula.right), formula);
      case 'release':
      case 'trigger': {
        const [phi, psi] = [this.build(formula.left), this.build(formula.right)].map(negative);
        return negative(this.#until(phi!, psi!, formula));
      }
      default:
        // The negation normal form has no other kind.
        throw new Error(`unexpanded ${formula.kind}`);
    }
  }

  #constant(value: number): Series {
    const tensor = nn.constant(new Float64Array(this.#B * this.#T), [this.#B, this.#T]);
    return { tensor, fixed: new Float64Array(this.#T).fill(value) };
  }

  /** The series as seen from each sample of a window: nothing behind the ends, which `nothing` stands for. */
  #window(
    x: Series,
    { kind, interval }: { kind: Formula['kind']; interval: Interval },
    nothing: number,
  ): Series[] {
    const past = kind === 'once' || kind === 'historically';
    const shifts: Series[] = [];
    for (let d = interval.from; d <= Math.min(interval.to, this.#T - 1); d++) {
      shifts.push(this.#shift(x, past ? -d : d, nothing));
    }
    return shifts.length > 0 ? shifts : [this.#constant(nothing)];
  }

  /** out[t] = x[t + steps]. */
  #shift({ tensor, fixed }: Series, steps: number, nothing: number): Series {
    const T = this.#T;
    if (steps === 0) return { tensor, fixed };
    const gap = nn.constant(new Float64Array(this.#B * Math.abs(steps)), [this.#B, Math.abs(steps)]);
    const kept = steps > 0 ? nn.slice(tensor, 1, steps, T) : nn.slice(tensor, 1, 0, T + steps);
    return {
      tensor: nn.concat(steps > 0 ? [kept, gap] : [gap, kept], 1),
      fixed: fixed.map((_, t) => fixed[t + steps] ?? nothing),
    };
  }

  #until(
    phi: Series,
    psi: Series,
    { kind, interval }: { kind: Formula['kind']; interval: Interval },
  ): Series {
    const past = kind === 'since' || kind === 'trigger';
    const terms: Series[] = [];
    let held = this.#constant(Number.POSITIVE_INFINITY);
    for (let d = 0; d <= Math.min(interval.to, this.#T - 1); d++) {
      const at = (x: Series): Series => this.#shift(x, past ? -d : d, Number.NEGATIVE_INFINITY);
      const next = this.#minimum([held, at(phi)]);
      if (d >= interval.from) terms.push(this.#minimum([this.#closed ? next : held, at(psi)]));
      held = next;
    }
    return terms.length > 0 ? this.#maximum(terms) : this.#constant(Number.NEGATIVE_INFINITY);
  }

  #maximum(parts: readonly Series[]): Series {
    return negative(this.#minimum(parts.map(negative)));
  }

  #minimum(parts: readonly Series[]): Series {
    const [B, T, n] = [this.#B, this.#T, parts.length];
    const fixed = new Float64Array(T);
    const mask = new Float64Array(n * T);
    for (let t = 0; t < T; t++) {
      const values = parts.map((part) => part.fixed[t]!);
      const counts = values.map((value) => (Number.isNaN(value) ? 1 : 0));
      if (values.includes(Number.NEGATIVE_INFINITY)) fixed[t] = Number.NEGATIVE_INFINITY;
      else fixed[t] = counts.includes(1) ? Number.NaN : Number.POSITIVE_INFINITY;
      // Where an infinity decides, all count, so that the unused number is finite.
      for (let i = 0; i < n; i++) mask[i * T + t] = Number.isNaN(fixed[t]) ? counts[i]! : 1;
    }
    if (n === 1) return { tensor: parts[0]!.tensor, fixed };
    const stack = nn.concat(
      parts.map(({ tensor }) => nn.reshape(tensor, [B, 1, T])),
      1,
    );
    return { tensor: smoothMinimum(stack, mask, this.#smoothing), fixed };
  }
}

function negative({ tensor, fixed }: Series): Series {
  return { tensor: nn.neg(tensor), fixed: fixed.map((v) => -v) };
}

/** @shape x [B,N,T]; mask [N,T], 1 where a value counts; out [B,T] */
function smoothMinimum(x: nn.Tensor, mask: Float64Array, smoothing: Smoothing): nn.Tensor {
  const [, N, T] = x.shape as [number, number, number];
  const counts = nn.constant(mask, [N, T]);
  const lifted = nn.add(
    x,
    nn.constant(
      mask.map((m) => (1 - m) * beyond),
      [N, T],
    ),
  );
  const least = nn.stopGradient(nn.min(lifted, [1], true));
  if (smoothing.kind === 'agm') {
    const totals = Float64Array.from({ length: T }, (_, t) => {
      let total = 0;
      for (let i = 0; i < N; i++) total += mask[i * T + t]!;
      return total;
    });
    const mean = (values: nn.Tensor): nn.Tensor =>
      nn.div(nn.sum(nn.mul(values, counts), [1]), nn.constant(totals, [T]));
    const geometric = nn.sub(nn.exp(mean(nn.log(nn.add(nn.maximum(x, 0), 1)))), 1);
    const isPositive = nn.reshape(nn.less(nn.mul(least, 0), least), geometric.shape);
    return nn.where(isPositive, geometric, mean(nn.minimum(x, 0)));
  }
  const weights = nn.mul(nn.exp(nn.mul(nn.sub(lifted, least), -smoothing.sharpness)), counts);
  const total = nn.sum(weights, [1]);
  if (smoothing.kind === 'lse') {
    return nn.sub(nn.reshape(least, total.shape), nn.mul(nn.log(total), 1 / smoothing.sharpness));
  }
  return nn.div(nn.sum(nn.mul(weights, x), [1]), total);
}
