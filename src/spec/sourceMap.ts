/** Where the characters of a YAML scalar's value stand in the file: expressions are long enough for columns to matter,
 * and they are written plain, quoted, folded and as blocks alike. */

/** For each character of `value`, and for its end, the offset in `text` of the character it came from. The scalar's
 * own source is text[start, end). Folding and indentation only touch white space, so the other characters are found
 * by walking both side by side; escapes stand for the character they make. */
export function scalarOffsets(text: string, start: number, end: number, value: string): number[] {
  const opener = text[start];
  const double = opener === '"';
  const single = opener === "'";
  let at = start;
  if (double || single) at++;
  else if (opener === '|' || opener === '>') at = skipBlockHeader(text, start);
  const offsets: number[] = [];
  let last = at;
  for (const char of value.split('')) {
    if (/\s/.test(char)) {
      offsets.push(last);
      continue;
    }
    at = skipSpace(text, at, end, double);
    offsets.push(at);
    at += charLength(text, at, single, double);
    last = at;
  }
  offsets.push(last);
  return offsets;
}

function skipBlockHeader(text: string, start: number): number {
  const newline = text.indexOf('\n', start);
  return newline < 0 ? text.length : newline + 1;
}

function skipSpace(text: string, from: number, end: number, double: boolean): number {
  let at = from;
  while (at < end) {
    if (/\s/.test(text[at]!)) at++;
    else if (double && text[at] === '\\' && /[\s nrtN_LPbavfe]/.test(text[at + 1] ?? '')) at += 2;
    else break;
  }
  return at;
}

/** How many characters of the file make one of the value. */
function charLength(text: string, at: number, single: boolean, double: boolean): number {
  if (single && text.startsWith("''", at)) return 2;
  if (!double || text[at] !== '\\') return 1;
  const digits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
  return 2 + (digits[text[at + 1] ?? ''] ?? 0);
}
