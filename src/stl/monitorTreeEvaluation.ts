import type { DecodedMonitor, Node } from '#stl/monitorDecode';
import { nodeKind } from '#stl/monitorProgram';
import { extremum, slidingWindow, stretchWindow } from '#stl/monitorWindow';

/** The twin of native/stl/tree.cc: the formula at the first sample, from the history that a state keeps. */

/** What follows the last sample: nothing (windows are cut off), or samples of the least or greatest literals. */
export type Unknown = 'none' | 'least' | 'greatest';

export function atFirst(program: DecodedMonitor, state: Float64Array, unknown: Unknown): number {
  const known = Math.min(state[0]!, program.history);
  const samples = known + (unknown === 'none' ? 0 : program.settling + 1);
  const evaluation = new Evaluation(program, state, unknown, known, samples);
  return evaluation.first();
}

class Evaluation {
  readonly #program: DecodedMonitor;
  readonly #state: Float64Array;
  readonly #unknown: Unknown;
  readonly #known: number;
  readonly #samples: number;
  readonly #rows: Float64Array[] = [];
  readonly #kept: Float64Array;

  constructor(
    program: DecodedMonitor,
    state: Float64Array,
    unknown: Unknown,
    known: number,
    samples: number,
  ) {
    this.#program = program;
    this.#state = state;
    this.#unknown = unknown;
    this.#known = known;
    this.#samples = samples;
    this.#kept = new Float64Array(4 + 2 * samples);
  }

  first(): number {
    for (const node of this.#program.nodes) this.#rows.push(this.#row(node));
    return this.#rows.at(-1)![0]!;
  }

  #row(node: Node): Float64Array {
    const out = new Float64Array(this.#samples);
    switch (node.kind) {
      case nodeKind.true:
      case nodeKind.false:
        return out.fill(node.kind === nodeKind.true ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
      case nodeKind.atom:
      case nodeKind.negated:
        return this.#literal(node, out);
      case nodeKind.and:
      case nodeKind.or: {
        const [a, b] = [this.#rows[node.a]!, this.#rows[node.b]!];
        return out.map((_, t) => extremum(node.kind === nodeKind.or, a[t]!, b[t]!));
      }
      case nodeKind.always:
      case nodeKind.eventually:
        this.#over(node, node.kind === nodeKind.eventually, true, out);
        return out;
      case nodeKind.historically:
      case nodeKind.once:
        this.#over(node, node.kind === nodeKind.once, false, out);
        return out;
      default: {
        const isDual = node.kind === nodeKind.release || node.kind === nodeKind.trigger;
        const isFuture = node.kind === nodeKind.until || node.kind === nodeKind.release;
        this.#joining(node, isDual, isFuture, out);
        return out;
      }
    }
  }

  #literal(node: Node, out: Float64Array): Float64Array {
    const sign = node.kind === nodeKind.negated ? -1 : 1;
    const { predicates, historyAt } = this.#program;
    for (let t = 0; t < this.#known; t++) out[t] = sign * this.#state[historyAt + t * predicates + node.a]!;
    return out.fill(
      this.#unknown === 'least' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
      this.#known,
    );
  }

  #width({ from, to }: Node): number {
    return Math.min(to - from + 1, this.#samples);
  }

  /** An operator over the future is one over the past with time reversed. */
  #over(node: Node, isMax: boolean, isReversed: boolean, out: Float64Array): void {
    const x = this.#rows[node.a]!;
    const samples = this.#samples;
    const lead = Math.min(node.from, samples);
    this.#kept.fill(0, 0, 3);
    for (let run = 0; run < samples; run++) {
      const t = isReversed ? samples - 1 - run : run;
      const operand = run < lead ? 0 : x[isReversed ? t + lead : t - lead]!;
      out[t] = slidingWindow(isMax, this.#kept, 0, operand, this.#width(node), node.from);
      // Behind the settled samples all is as at the last.
      if (isReversed && this.#unknown !== 'none' && run < lead) out[t] = x[samples - 1]!;
    }
  }

  #joining(node: Node, isDual: boolean, isReversed: boolean, out: Float64Array): void {
    const left = this.#rows[node.a]!;
    const right = this.#rows[node.b]!;
    const samples = this.#samples;
    const lead = Math.min(node.from, samples);
    const { closed } = this.#program;
    const sample = (run: number): number => (isReversed ? samples - 1 - run : run);
    this.#kept.fill(0, 0, 4);
    for (let run = 0; run < samples; run++) {
      const then = run < lead ? 0 : sample(run - lead);
      const best = closed ? extremum(isDual, left[then]!, right[then]!) : right[then]!;
      const kind = { since: true, dual: isDual };
      out[sample(run)] = stretchWindow(kind, this.#kept, 0, left[then]!, best, this.#width(node), node.from);
    }
    const holds = isReversed && this.#unknown !== 'none';
    let soFar = isDual ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    for (let run = 0; holds && run < lead; run++) {
      soFar = extremum(isDual, soFar, left[sample(run)]!);
      out[sample(run)] = extremum(isDual, soFar, right[samples - 1]!);
    }
    if (lead === 0) return;
    // The left side between the window and the present sample.
    this.#kept.fill(0, 0, 3);
    for (let run = 0; run < samples; run++) {
      const behind = slidingWindow(isDual, this.#kept, 0, left[sample(run)]!, lead, 0);
      out[sample(run)] = extremum(isDual, out[sample(run)]!, behind);
    }
  }
}
