import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Document, isScalar, parseDocument, Scalar } from 'yaml';
import { scalarOffsets } from '#spec/sourceMap';

/** Words and symbols of expressions, with everything YAML has to escape or fold. */
const words = fc.array(
  fc.constantFrom(
    'a',
    'norm(x)',
    '<',
    "'odd name'",
    '"q"',
    '\\',
    '# no',
    ': b',
    '-',
    '[1, 2]',
    'é',
    '\t',
    '\n',
    ' ',
  ),
  { minLength: 1, maxLength: 12 },
);

const styles = [
  Scalar.PLAIN,
  Scalar.QUOTE_SINGLE,
  Scalar.QUOTE_DOUBLE,
  Scalar.BLOCK_LITERAL,
  Scalar.BLOCK_FOLDED,
] as const;

describe('scalarOffsets', () => {
  it.each(styles)('finds every character of a %s scalar in the file', (style) => {
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 80 }), (parts, lineWidth) => {
        const scalar = new Scalar(parts.join(' '));
        scalar.type = style;
        const text = new Document({ list: [{ key: scalar }] }).toString({ lineWidth });
        const node = parseDocument(text).getIn(['list', 0, 'key'], true);
        if (!isScalar(node) || typeof node.value !== 'string') throw new Error('the text does not come back');
        const offsets = scalarOffsets(text, node.range![0], node.range![1], node.value);
        expect(offsets).toHaveLength(node.value.length + 1);
        for (const [i, char] of node.value.split('').entries()) {
          if (/\s/.test(char)) continue;
          const there = text.slice(offsets[i]!, offsets[i]! + 2);
          expect(
            [char, `\\${char}`, '\\x', '\\u'].some((spelling) => there.startsWith(spelling)),
            `"${char}" at ${i}`,
          ).toBe(true);
        }
      }),
    );
  });
});
