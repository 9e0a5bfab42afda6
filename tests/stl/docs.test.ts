import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { evaluateFormula } from '#cli/stlSession';
import { infixSpellings, prefixSpellings } from '#stl/spellings';

const text = readFileSync('docs/stl.md', 'utf8');

it('docs/stl.md lists every operator with every spelling', () => {
  for (const [kind, words] of Object.entries({ ...prefixSpellings, ...infixSpellings })) {
    const cell = words.map((word) => `\`${word.replaceAll('|', '\\|')}\``).join(' ');
    expect(text).toContain(`| ${kind} | ${cell} |`);
  }
});

it('docs/stl.md shows what its example prints', () => {
  const block = (start: string): string => text.split(`${start}\n`)[1]!.split('```')[0]!;
  const folder = mkdtempSync(join(tmpdir(), 'vernier-stl-'));
  try {
    const [formula, trace] = [join(folder, 'insertion.stl'), join(folder, 'insertion.csv')];
    writeFileSync(formula, block('`insertion.stl`:\n\n```'));
    writeFileSync(trace, block('`insertion.csv`:\n\n```'));
    const lines: string[] = [];
    const flags = { interpolation: 'linear', episode: 0, out: '' } as const;
    evaluateFormula(formula, trace, flags, {
      overrides: [],
      out: (line) => lines.push(line),
      setExitCode: () => {},
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    const printed = `${lines.join('\n').replaceAll(/\u001b\[\d+m/g, '')}\n`;
    expect(block('$ vernier stl eval insertion.stl insertion.csv')).toBe(printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
