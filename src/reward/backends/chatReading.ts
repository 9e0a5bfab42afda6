import { z } from 'zod';
import type { TokenProbability } from '#reward/backends/chatClient';

/** Numbers out of a model's answers: from token probabilities, from JSON, from prose. What cannot be read is missing. */

export interface Expectation {
  /** NaN where none of the tokens is among the likely ones. */
  readonly value: number;
  /** How much of the probability lies on the tokens that count, in [0, 1]. */
  readonly mass: number;
  /** Standard deviation of the value, as the model spreads its probability. */
  readonly deviation: number;
}

/** Expectation over the score tokens of one place of an answer; tokens are compared without the spaces around them.
 * @param values what each token is worth
 * @source LLM-as-a-verifier, 2026: expectation over score tokens; differs: normalised over the tokens that count */
export function expectationOf(
  tokens: readonly TokenProbability[],
  values: ReadonlyMap<string, number>,
): Expectation {
  let [mass, sum, squares] = [0, 0, 0];
  for (const { token, logprob } of tokens) {
    const value = values.get(token.trim());
    if (value === undefined) continue;
    const p = Math.exp(logprob);
    mass += p;
    sum += p * value;
    squares += p * value ** 2;
  }
  if (mass === 0) return { value: Number.NaN, mass: 0, deviation: Number.NaN };
  const value = sum / mass;
  const deviation = Math.sqrt(Math.max(0, squares / mass - value ** 2));
  return { value, mass: Math.min(1, mass), deviation };
}

export interface WordProbability {
  /** Log-probability of the word at this place, or of the least likely token told where the word is not among them. */
  readonly logprob: number;
  /** The word's probability against that of the other word. */
  readonly share: number;
  /** Probability of either word. */
  readonly mass: number;
}

/** Of `word` against `other`, in any case, with or without spaces; undefined where neither is among the likely tokens. */
export function wordProbability(
  tokens: readonly TokenProbability[],
  word: string,
  other: string,
): WordProbability | undefined {
  const of = (wanted: string) => {
    let sum = 0;
    for (const { token, logprob } of tokens)
      if (token.trim().toLowerCase() === wanted.toLowerCase()) sum += Math.exp(logprob);
    return sum;
  };
  const [p, q] = [of(word), of(other)];
  if (p + q === 0) return undefined;
  const least = tokens.reduce((low, { logprob }) => Math.min(low, logprob), 0);
  return { logprob: p > 0 ? Math.log(p) : least, share: p / (p + q), mass: Math.min(1, p + q) };
}

/** The first number of `key` in a JSON object within the text, else after the key's own word, else the only number of
 * the text; NaN where that is not in [low, high], or there is none. */
export function numberOf(text: string, key: string, low: number, high: number): number {
  const within = (value: number) => (value >= low && value <= high ? value : Number.NaN);
  const json = objectOf(text);
  const parsed = z.object({ [key]: z.number() }).safeParse(json);
  if (parsed.success) return within(parsed.data[key]!);
  const named = new RegExp(`${key}\\W{0,4}(${number})`, 'i').exec(text)?.[1];
  if (named !== undefined) return within(Number(named));
  const all = text.match(new RegExp(number, 'g')) ?? [];
  return all.length === 1 ? within(Number(all[0])) : Number.NaN;
}

/** One number per picture, in their order: of `key` in a JSON object, else after `Frame 1:`, `2)` and the like, the last
 * number of each such line. Undefined where there is not exactly one for each. @shape result [count] */
export function numbersOf(
  text: string,
  key: string,
  count: number,
  low: number,
  high: number,
): number[] | undefined {
  const within = (value: number) => value >= low && value <= high;
  const parsed = z.object({ [key]: z.array(z.number()) }).safeParse(objectOf(text));
  const found = parsed.success ? parsed.data[key]! : fromLines(text, count);
  return found?.length === count && found.every(within) ? found : undefined;
}

const number = '[-+]?\\d+(?:\\.\\d+)?';

function fromLines(text: string, count: number): number[] | undefined {
  const found = new Map<number, number>();
  for (const [, index, value] of text.matchAll(
    new RegExp(
      `(?:^|\\n)\\W*(?:frame|image|picture)?\\s*(\\d+)\\s*[:.)\\]-][^\\n]*?(${number})\\s*%?[^\\d\\n]*(?=\\n|$)`,
      'gi',
    ),
  ))
    found.set(Number(index), Number(value));
  const numbers = Array.from({ length: count }, (_, i) => found.get(i + 1));
  return numbers.every((value) => value !== undefined) ? numbers : undefined;
}

/** The JSON object in a text, whatever stands around it. */
export function objectOf(text: string): unknown {
  const [from, to] = [text.indexOf('{'), text.lastIndexOf('}')];
  if (from < 0 || to < from) return undefined;
  try {
    return JSON.parse(text.slice(from, to + 1));
  } catch {
    return undefined;
  }
}
