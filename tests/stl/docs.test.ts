import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { CliContext } from '#cli/context';
import { stlCommand } from '#cli/stl';
import { evaluateFormula } from '#cli/stlSession';
import { jsonSchemas } from '#spec/jsonSchema';
import { compileMonitor } from '#stl/compileMonitor';
import { robustness } from '#stl/evaluate';
import { defaultSemantics } from '#stl/formula';
import { Monitor, newReading } from '#stl/monitor';
import { parseFormula } from '#stl/parse';
import { evaluatePredicates } from '#stl/signals';
import { printSpecification } from '#stl/specification';
import { infixPower, infixSpellings, prefixSpellings } from '#stl/spellings';

const text = readFileSync('docs/stl.md', 'utf8');
const tasks = readFileSync('docs/tasks.md', 'utf8');
const context: CliContext = { overrides: [], out: () => {}, setExitCode: () => {} };

/** The rows of the table that follows a line, as cells. */
function table(page: string, head: string): string[][] {
  const [, behind] = page.split(`| ${head} |`);
  expect(behind, head).toBeDefined();
  const rows = behind!.split('\n').slice(2);
  const end = rows.findIndex((row) => !row.startsWith('|'));
  return rows.slice(0, end).map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe('docs/stl.md', () => {
  it('lists every operator with every spelling', () => {
    const rows = table(text, 'operator | spellings | holds at t when');
    const listed = Object.fromEntries(rows.map(([kind, words]) => [kind, codes(words!)]));
    expect(listed).toEqual({ ...prefixSpellings, ...infixSpellings });
  });

  it('says what an atom is worth', () => {
    for (const [atom, value, holds] of table(text, 'atom | robustness | holds at robustness 0')) {
      for (const [i, written] of codes(atom!).entries()) {
        if (written === 'true' || written === 'false') continue;
        const specification = parseFormula(written.replace('contact(a, b)', 'on'));
        const [predicate] = specification.predicates;
        const columns = { x: [5], c: [3], on: [true] };
        const [got] = robustness(specification.formula, evaluatePredicates(specification, { columns }));
        const stated: Readonly<Record<string, number>> = {
          'x - c': 2,
          'c - x': -2,
          '-abs(x - c)': -2,
          'abs(x - c)': 2,
          x: 5,
          '+inf or -inf': Number.POSITIVE_INFINITY,
        };
        expect(got, written).toBe(stated[value!]);
        const atZero = holds!.split(', ')[i] ?? holds!;
        if (atZero !== '') expect(predicate!.holdsAtZero, written).toBe(atZero === 'yes');
      }
    }
  });

  it('has the operators in their order of binding', () => {
    const [, sentence] = /From tight to loose: arithmetic; comparisons; ([\s\S]*?)\./.exec(text)!;
    const [first, ...levels] = sentence!.split(';').map((level) => level.trim().split(', '));
    expect(first).toEqual(['`not`', 'temporal prefix operators']);
    const kinds = Object.entries(infixSpellings);
    const powers = levels.map((level) =>
      level.map((word) => {
        const [kind] = kinds.find(([name, words]) => name === word || words.includes(word))!;
        return infixPower[kind as keyof typeof infixPower];
      }),
    );
    for (const level of powers) expect(new Set(level).size).toBe(1);
    const order = powers.map(([power]) => power!);
    expect(order).toEqual(order.toSorted((a, b) => b - a));
    expect(new Set(order).size).toBe(new Set(Object.values(infixPower)).size);
    for (const operator of ['->', 'until', 'release']) {
      const { formula, predicates } = parseFormula(`a ${operator} b ${operator} c`);
      expect(printSpecification({ ...parseFormula('a'), formula, predicates })).toBe(
        `a ${operator} (b ${operator} c)`,
      );
    }
  });

  it('warns where it says so', () => {
    expect(parseFormula('a -> b -> c').warnings).toHaveLength(1);
    expect(parseFormula('G x > 3 and y > 2').warnings).toHaveLength(1);
    expect(text).toContain('`G x > 3 and y > 2`: here `(G x > 3) and y > 2`');
  });

  it('reads every form of interval it names', () => {
    const [, section] = text.split('## Intervals');
    const forms = codes(section!.split('##')[0]!).filter((code) => /^\[.*[\])]$/.test(code));
    expect(forms).toHaveLength(7);
    for (const form of forms) {
      const interval = form.replace('a', '2').replace('b', '5');
      const { formula } = parseFormula(`F${interval} x > 0`);
      expect(formula).toMatchObject({
        interval: {
          from: /a/.test(form) ? 2 : 0,
          to: /b/.test(form) ? 5 : Number.POSITIVE_INFINITY,
        },
      });
    }
  });

  it('lists the options with their values, on the command line and in task files too', () => {
    const values: Record<string, string[]> = {};
    let option = '';
    for (const [name, value, meaning] of table(text, 'option | value | meaning | as in')) {
      option = codes(name!)[0] ?? option;
      values[option] = [...(values[option] ?? []), codes(value!)[0]!];
      if (value!.includes('(default)')) {
        expect(defaultSemantics[option as 'until']).toBe(codes(value!)[0]);
      }
      expect(meaning).not.toBe('');
    }
    const evaluate = stlCommand(context).commands.find((command) => command.name() === 'eval')!;
    for (const name of ['until', 'end'] as const) {
      const { argChoices } = evaluate.options.find(({ long }) => long === `--${name}`)!;
      expect(values[name]!.toSorted()).toEqual(argChoices!.toSorted());
    }
  });

  it('names functions that are there', () => {
    for (const [names, ,] of table(text, 'function | gives')) {
      const modules = [...names!.matchAll(/((?:`\w+`,? ?)+)\((.*?)`#([\w/]+)`/g)];
      expect(modules.length, names).toBeGreaterThan(0);
      for (const [, functions, , module] of modules) {
        const source = readFileSync(`src/${module}.ts`, 'utf8');
        for (const name of codes(functions!))
          expect(source).toMatch(new RegExp(`export function ${name}\\b`));
      }
    }
  });

  it('says which robust intervals are not in constant time', () => {
    const constant = (written: string): boolean => {
      const { formula, predicates } = parseFormula(written);
      const { lower, upper } = compileMonitor(formula, predicates.length).constantTime;
      return lower && upper;
    };
    const slow = table(text, 'formula | for example').flatMap(([, examples]) => codes(examples!));
    expect(slow.filter(constant)).toEqual([]);
    expect(slow).toHaveLength(9);
    const [, sentence] = /In constant time are, for example, ([\s\S]*?)\.\n/.exec(text)!;
    expect(codes(sentence!)).toHaveLength(7);
    expect(codes(sentence!).filter((written) => !constant(written))).toEqual([]);
  });

  it('shows what its example prints', () => {
    const block = (start: string): string => text.split(`${start}\n`)[1]!.split('```')[0]!;
    const folder = mkdtempSync(join(tmpdir(), 'vernier-stl-'));
    try {
      const [formula, trace] = [join(folder, 'insertion.stl'), join(folder, 'insertion.csv')];
      writeFileSync(formula, block('`insertion.stl`:\n\n```'));
      writeFileSync(trace, block('`insertion.csv`:\n\n```'));
      const lines: string[] = [];
      const flags = { interpolation: 'linear', episode: 0, out: '' } as const;
      evaluateFormula(formula, trace, flags, { ...context, out: (line) => lines.push(line) });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      const printed = `${lines.join('\n').replaceAll(/\u001b\[\d+m/g, '')}\n`;
      expect(block('$ vernier stl eval insertion.stl insertion.csv')).toBe(printed);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the guard of docs/stl.md', () => {
  it('stops when the speed has been over its limit for three steps', () => {
    const [, code] = /```ts\n([\s\S]*?)```/.exec(text)!;
    const imports = [...code!.matchAll(/^import \{ (.*) \} from 'vernier\/(.*)';$/gm)];
    expect(imports).toHaveLength(3);
    const known = { compileMonitor, Monitor, newReading, parseFormula };
    expect(imports.flatMap(([, names]) => names!.split(', ')).toSorted()).toEqual(
      Object.keys(known).toSorted(),
    );
    for (const [, , module] of imports) expect(existsSync(`src/${module}.ts`), module).toBe(true);
    const body = code!
      .replaceAll(/^import .*$/gm, '')
      .replace('export function mustStop(speed: number): boolean', 'return function mustStop(speed)');
    const make = new Function(...Object.keys(known), body) as (
      ...all: unknown[]
    ) => (speed: number) => boolean;
    const mustStop = make(...Object.values(known));
    expect([0.5, 1.2, 1.1, 0.9, 1.3, 1.4, 1.1, 0.2].map(mustStop)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
  });
});

describe.each([
  ['docs/tasks.md', tasks],
  ['docs/stl.md', text],
])('%s', (_, page) => {
  it('shows the formulas of tasks/reach_hold.yaml', () => {
    const block = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].find(([, yaml]) =>
      yaml!.startsWith('spec:'),
    )!;
    const { spec, guard } = parseYaml(readFileSync('tasks/reach_hold.yaml', 'utf8')) as Record<
      string,
      unknown
    >;
    expect(parseYaml(block[1]!)).toEqual({ spec, guard });
  });
});

describe('docs/tasks.md', () => {
  it('lists the keys of `spec` with their values, the default first, and the kinds of reward', () => {
    const schema = JSON.parse(jsonSchemas()['task.schema.json']);
    const { properties } = schema.properties.spec.anyOf.find(
      ({ type }: { type: string }) => type === 'object',
    );
    const rows = table(tasks, 'key of `spec` | values, the default first | meaning');
    expect(rows.map(([key]) => codes(key!)[0]).toSorted()).toEqual(Object.keys(properties).toSorted());
    for (const [key, values] of rows) {
      const { enum: all, default: first, type } = properties[codes(key!)[0]!];
      if (all === undefined && type !== 'boolean') continue;
      const listed = codes(values!);
      expect(listed[0], key).toBe(String(first));
      expect(listed.toSorted(), key).toEqual((all ?? ['true', 'false']).toSorted());
    }
    const kinds = table(tasks, '`reward.kind` | adds').map(([kind]) => codes(kind!)[0]);
    expect(kinds.toSorted()).toEqual(properties.reward.properties.kind.enum.toSorted());
  });
});
