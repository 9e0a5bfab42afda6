import type { ExpressionCompiler } from '#expr/compile';
import type { Slot } from '#expr/program';
import type { ConfigFile, Path } from '#spec/configFile';
import type { MethodSpec, ResolvedReward, RewardEntry } from '#spec/resolvedReward';
import type { RewardEntrySpec, RewardSpec } from '#spec/rewardSchema';
import type { TaskSpec } from '#spec/taskSchema';

/** Compiles the reward section: terms into the program's group `reward`, what the aids look at into its signals, named
 * `reward.<entry>`. @throws EXPRESSION, SPEC with the place */
export function resolveReward(
  spec: TaskSpec,
  config: ConfigFile,
  compiler: ExpressionCompiler,
): ResolvedReward | undefined {
  if (spec.reward === 'sparse') return undefined;
  const reader = new EntryReader(config, compiler);
  const entries: RewardEntry[] = [];
  const factors: number[] = [];
  for (const [i, entry] of spec.reward.entries()) {
    if ('term' in entry) reader.term(i, entry);
    else if ('factor' in entry) factors.push(reader.factor(i, entry));
    else entries.push(reader.aid(i, entry));
  }
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
  readonly #names = new Set<string>();

  constructor(config: ConfigFile, compiler: ExpressionCompiler) {
    this.#config = config;
    this.#compiler = compiler;
  }

  term(i: number, { name, weight }: Extract<RewardEntrySpec, { readonly term: unknown }>): void {
    const source = this.#config.expression(['reward', i, 'term']);
    this.#compiler.output('reward', name ?? source.text.trim(), this.#compiler.term(source, weight), source);
  }

  factor(i: number, { name }: Extract<RewardEntrySpec, { readonly factor: unknown }>): number {
    return this.#number(['reward', i, 'factor'], this.#name(i, name ?? 'factor')).offset;
  }

  aid(i: number, entry: Aid): RewardEntry {
    const { method, key } = methodOf(entry);
    const name = this.#name(i, entry.name ?? key);
    const slot = this.#values(['reward', i, key], entry, name);
    const gate = entry.gate === undefined ? undefined : this.#gate(['reward', i, 'gate'], entry.gate, name);
    return {
      name,
      weight: entry.weight,
      ...slot,
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

  /** The slot of all expressions of an entry, one behind the other. */
  #values(path: Path, entry: Aid, name: string): Slot {
    const { kind } = methodOf(entry).method;
    const value = (entry as Readonly<Record<string, unknown>>)[path[2] as string];
    const paths = Array.isArray(value) ? value.map((_, k) => [...path, k]) : [path];
    const slots = paths.map((at, k) => {
      const label = paths.length > 1 ? `${name}.${k + 1}` : name;
      if (kind === 'stages' || kind === 'partial') return this.#condition(at, label);
      return kind === 'novelty' || kind === 'coverage' ? this.#any(at, label) : this.#number(at, label);
    });
    return { offset: slots[0]!.offset, length: slots.reduce((sum, { length }) => sum + length, 0) };
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
