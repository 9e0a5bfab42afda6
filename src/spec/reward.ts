import type { ExpressionCompiler } from '#expr/compile';
import type { Slot } from '#expr/program';
import { nearestHint } from '#expr/source';
import type { ConfigFile, Path } from '#spec/configFile';
import type { MethodSpec, ResolvedReward, RewardEntry, ScoredEntry, ValueSource } from '#spec/resolvedReward';
import type { RewardEntrySpec, RewardSpec, ScoreReferenceSpec } from '#spec/rewardSchema';
import type { TaskSpec } from '#spec/taskSchema';

/** Compiles the reward section: terms into the program's group `reward`, what the aids look at into its signals, named
 * `reward.<entry>`. @throws EXPRESSION, SPEC with the place */
export function resolveReward(
  spec: TaskSpec,
  config: ConfigFile,
  compiler: ExpressionCompiler,
): ResolvedReward | undefined {
  if (spec.reward === 'sparse') return undefined;
  const reader = new EntryReader(config, compiler, Object.keys(spec.scores));
  const entries: RewardEntry[] = [];
  const scored: ScoredEntry[] = [];
  const factors: number[] = [];
  for (const [i, entry] of spec.reward.entries()) {
    if ('term' in entry) reader.term(i, entry);
    else if ('factor' in entry) factors.push(reader.factor(i, entry));
    else {
      const aid = reader.aid(i, entry);
      if ('sources' in aid) scored.push(aid);
      else entries.push(aid);
    }
  }
  if (scored.length > 0) return { entries, scored, factors };
  if (entries.length > 0) return { entries, factors };
  if (factors.length > 0)
    config.fail(['reward'], 'a factor scales what other entries add, and there are none');
  return undefined;
}

/** What belongs to the task itself: its terms. */
export function termsOf(reward: RewardSpec): RewardSpec {
  if (reward === 'sparse') return reward;
  const terms = reward.filter((entry) => 'term' in entry);
  return terms.length > 0 ? terms : 'sparse';
}

type Aid = Exclude<RewardEntrySpec, { readonly term: unknown } | { readonly factor: unknown }>;

class EntryReader {
  readonly #config: ConfigFile;
  readonly #compiler: ExpressionCompiler;
  readonly #scores: readonly string[];
  readonly #names = new Set<string>();

  /** @param scores names of the task's scores */
  constructor(config: ConfigFile, compiler: ExpressionCompiler, scores: readonly string[]) {
    this.#config = config;
    this.#compiler = compiler;
    this.#scores = scores;
  }

  term(i: number, { name, weight }: Extract<RewardEntrySpec, { readonly term: unknown }>): void {
    const source = this.#config.expression(['reward', i, 'term']);
    this.#compiler.output('reward', name ?? source.text.trim(), this.#compiler.term(source, weight), source);
  }

  factor(i: number, { name }: Extract<RewardEntrySpec, { readonly factor: unknown }>): number {
    return this.#number(['reward', i, 'factor'], this.#name(i, name ?? 'factor')).offset;
  }

  aid(i: number, entry: Aid): RewardEntry | ScoredEntry {
    const { method, key } = methodOf(entry);
    const name = this.#name(i, entry.name ?? key);
    const values = this.#values(['reward', i, key], entry, name);
    const gate = entry.gate === undefined ? undefined : this.#gate(['reward', i, 'gate'], entry.gate, name);
    return {
      name,
      weight: entry.weight,
      ...values,
      cap: 'cap' in entry ? entry.cap : undefined,
      gate,
      invariant: method.kind === 'potential' && gate === undefined,
      method,
    };
  }

  #name(i: number, wanted: string): string {
    if (this.#names.has(wanted))
      this.#config.fail(['reward', i], `there are two entries called ${wanted}: give this one another name`);
    this.#names.add(wanted);
    return wanted;
  }

  #gate(path: Path, gate: string | boolean, name: string): number | 'success' {
    if (gate === 'success') return 'success';
    const source = this.#config.expression(path);
    return this.#compiler.output('signals', `reward.${name}.gate`, this.#compiler.condition(source), source)
      .offset;
  }

  /** The slot of all expressions of an entry, one behind the other; or, where models judge, the source of each. */
  #values(path: Path, entry: Aid, name: string): Slot | { readonly sources: readonly ValueSource[] } {
    const { kind } = methodOf(entry).method;
    const value = (entry as Readonly<Record<string, unknown>>)[path[2] as string];
    const values = Array.isArray(value) ? value : [value];
    const paths = Array.isArray(value) ? value.map((_, k) => [...path, k]) : [path];
    const compile = (at: Path, k: number): Slot => {
      const label = paths.length > 1 ? `${name}.${k + 1}` : name;
      if (kind === 'stages' || kind === 'partial') return this.#condition(at, label);
      return kind === 'novelty' || kind === 'coverage' ? this.#any(at, label) : this.#number(at, label);
    };
    if (values.some(isReference)) {
      const sources = values.map((member, k) =>
        isReference(member) ? this.#score(paths[k]!, member) : { signal: compile(paths[k]!, k).offset },
      );
      return { sources };
    }
    const slots = paths.map(compile);
    return { offset: slots[0]!.offset, length: slots.reduce((sum, { length }) => sum + length, 0) };
  }

  #score(path: Path, { score, confidence }: ScoreReferenceSpec): ValueSource {
    if (this.#scores.includes(score)) return { score, confidence };
    const has = this.#scores.length > 0 ? `it has ${this.#scores.join(', ')}` : 'it has none';
    return this.#config.fail(
      [...path, 'score'],
      `the task has no score "${score}"${nearestHint(score, this.#scores)}; ${has}`,
    );
  }

  #condition(path: Path, name: string): Slot {
    const source = this.#config.expression(path);
    return this.#compiler.output('signals', `reward.${name}`, this.#compiler.condition(source), source);
  }

  #number(path: Path, name: string): Slot {
    const source = this.#config.expression(path);
    return this.#compiler.output('signals', `reward.${name}`, this.#compiler.term(source, 1), source);
  }

  #any(path: Path, name: string): Slot {
    const source = this.#config.expression(path);
    return this.#compiler.output('signals', `reward.${name}`, this.#compiler.value(source), source);
  }
}

function methodOf(entry: Aid): { readonly method: MethodSpec; readonly key: string } {
  if ('potential' in entry) return { method: { kind: 'potential', veto: entry.veto }, key: 'potential' };
  if ('bonus' in entry) return { method: { kind: 'bonus' }, key: 'bonus' };
  if ('stages' in entry) return { method: { kind: 'stages' }, key: 'stages' };
  if ('partial' in entry) return { method: { kind: 'partial', inaction: entry.inaction }, key: 'partial' };
  if ('process' in entry)
    return { method: { kind: 'process', form: entry.form, margin: entry.margin }, key: 'process' };
  if ('novelty' in entry)
    return { method: { kind: 'novelty', cell: entry.cell, exponent: entry.exponent }, key: 'novelty' };
  if ('coverage' in entry) return { method: { kind: 'coverage', cell: entry.cell }, key: 'coverage' };
  return { method: { kind: 'attribution', ridge: entry.ridge }, key: 'factors' };
}

function isReference(value: unknown): value is ScoreReferenceSpec {
  return typeof value === 'object' && value !== null && 'score' in value;
}
