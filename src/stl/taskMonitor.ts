import type { MonitorSpec } from '#native/physicsSpec';
import type { JudgedStep, Judgement, TaskMonitorTwin } from '#native/wasm/evaluators';
import { Monitor, newReading, type Reading } from '#stl/monitor';

/** The twin of native/physics/task_monitor.cc: the formulas of a task, per environment. */
export class TaskMonitor implements TaskMonitorTwin {
  readonly guards: number;
  readonly hasSpecification: boolean;
  /** [B, row]: the potential or the stages paid, what guards are violated, the state of each monitor. */
  readonly words: Float64Array;
  /** Of the last sample. */
  readonly reading = newReading();
  readonly #spec: MonitorSpec;
  readonly #specification: Monitor | undefined;
  readonly #guards: readonly Monitor[];
  readonly #stages: readonly { readonly monitor: Monitor; readonly reading: Reading }[];
  readonly #rowWords: number;
  readonly #scratch = newReading();

  constructor(spec: MonitorSpec, environments: number) {
    this.#spec = spec;
    this.#specification = spec.code && new Monitor(spec.code);
    this.#guards = spec.guards.map(({ code }) => new Monitor(code));
    this.guards = spec.guards.length;
    this.hasSpecification = spec.code !== undefined;
    this.#stages = spec.stages.map((code) => ({ monitor: new Monitor(code), reading: newReading() }));
    const stages = this.#stages.map(({ monitor }) => monitor);
    const monitors = [...(this.#specification ? [this.#specification] : []), ...this.#guards, ...stages];
    this.#rowWords = monitors.reduce((sum, { program }) => sum + program.stateWords, 1 + this.guards);
    this.words = new Float64Array(environments * this.#rowWords);
  }

  begin(i: number): void {
    this.#row(i).fill(0);
  }

  enter(i: number): void {
    this.#row(i)[0] = this.#spec.reward.kind === 'stage' ? this.#progress(i, false) : this.#potential();
  }

  take(i: number, predicates: Float64Array, outFeatures: Float32Array): string | undefined {
    if (predicates.some(Number.isNaN)) return 'the robustness of a predicate is NaN';
    const row = this.#row(i);
    let state = 1 + this.guards;
    const step = (monitor: Monitor, from: number, reading: Reading): number => {
      const { predicates: count, stateWords } = monitor.program;
      monitor.step(predicates.subarray(from, from + count), row.subarray(state, state + stateWords), reading);
      state += stateWords;
      return from + count;
    };
    let used = 0;
    if (this.#specification) {
      used = step(this.#specification, used, this.reading);
      const { observed, reward } = this.#spec;
      for (const [k, register] of observed.entries()) {
        outFeatures[k] = clamp(this.#specification.registers[register]! / reward.clip, 1);
      }
    }
    for (const [g, guard] of this.#guards.entries()) {
      used = step(guard, used, this.#scratch);
      row[1 + g] = this.#scratch.holds === 0 ? 1 : 0;
    }
    for (const { monitor, reading } of this.#stages) step(monitor, 0, reading);
    return undefined;
  }

  violated(i: number, g: number): boolean {
    return this.#row(i)[1 + g] !== 0;
  }

  mustStop(i: number): boolean {
    return this.#spec.guards.some(({ terminates }, g) => terminates && this.violated(i, g));
  }

  judge(i: number, { ends, terminates }: JudgedStep): Judgement {
    const open: Judgement = { succeeds: false, fails: false, robustness: Number.NaN, reward: 0 };
    const specification = this.#specification;
    if (!specification) return open;
    const row = this.#row(i);
    const verdict = this.#spec.terminates || ends ? this.reading.verdict : -1;
    let out = open;
    if (verdict !== -1 || ends) {
      const at = 1 + this.guards;
      const ending = specification.finish(
        this.reading,
        row.subarray(at, at + specification.program.stateWords),
      );
      const succeeds = (verdict === -1 ? ending.verdict : verdict) === 1;
      out = { ...open, succeeds, fails: verdict !== -1 && !succeeds, robustness: ending.robustness };
    }
    const { kind, weight, clip, discount } = this.#spec.reward;
    if (kind === 'final' && !Number.isNaN(out.robustness)) {
      return { ...out, reward: weight * clamp(out.robustness, clip) };
    }
    if (kind === 'stage') {
      const isCutOff = ends && !terminates && !out.fails;
      const reached = this.#progress(i, out.succeeds || isCutOff);
      const reward = weight * (reached - row[0]!);
      row[0] = reached;
      return { ...out, reward };
    }
    if (kind !== 'potential') return out;
    const next = terminates || out.succeeds || out.fails ? 0 : this.#potential();
    const reward = discount * next - row[0]!;
    row[0] = next;
    return { ...out, reward };
  }

  #potential(): number {
    const { kind, weight, clip } = this.#spec.reward;
    if (kind !== 'potential') return 0;
    return (weight * (clamp(this.reading.lower, clip) + clamp(this.reading.upper, clip))) / 2;
  }

  /** The share of the stages that hold however the episode goes on; where it succeeds or is cut off (`ends`), as their end
   * has it. */
  #progress(i: number, ends: boolean): number {
    let at = this.#rowWords;
    let reached = 0;
    for (const { monitor, reading } of this.#stages.toReversed()) {
      at -= monitor.program.stateWords;
      const state = this.#row(i).subarray(at, at + monitor.program.stateWords);
      const verdict =
        ends && reading.verdict === -1 ? monitor.finish(reading, state).verdict : reading.verdict;
      reached += verdict === 1 ? 1 : 0;
    }
    return reached / this.#stages.length;
  }

  #row(i: number): Float64Array {
    return this.words.subarray(i * this.#rowWords, (i + 1) * this.#rowWords);
  }
}

function clamp(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}
