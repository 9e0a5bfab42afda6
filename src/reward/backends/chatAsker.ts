import { VernierError } from '#core/errors';
import type { ChatAnswer, ChatClient, ChatPart, ChatQuestion } from '#reward/backends/chatClient';
import {
  expectationOf,
  numberOf,
  numbersOf,
  type WordProbability,
  wordProbability,
} from '#reward/backends/chatReading';

/** Questions whose answer is a number, asked in the way that tells most: the probabilities of one token; where the server
 * tells none, or the model does not answer with such a token, a JSON object of a schema; where it knows no schemas, prose.
 * An answer that cannot be read is missing. What a server turned out not to do is not tried again. */

export interface Reading {
  /** NaN when missing. */
  readonly value: number;
  /** In [0, 1]; 0 when missing. */
  readonly confidence: number;
}

const missing: Reading = { value: Number.NaN, confidence: 0 };

/** A scale of one-digit answers from 0 or 1 to 9, which means `low` to `high`. */
export interface Scale {
  readonly first: 0 | 1;
  readonly low: number;
  readonly high: number;
}

export function digitText({ first }: Scale): string {
  return `Answer with one digit from ${first} to 9.`;
}

export const truthText = 'Answer with True or False.';

/** Less than this on the digits: the model meant to answer otherwise. */
const leastMass = 0.2;
const topTokens = 20;

export class ChatAsker {
  readonly #client: ChatClient;
  #tellsProbabilities = true;
  #takesSchemas = true;

  constructor(client: ChatClient) {
    this.#client = client;
  }

  /** @param parts pictures and the question; how to answer is added
   * @throws what ChatClient.ask throws, but for a server that does not take a way of asking */
  async level(parts: readonly ChatPart[], scale: Scale, seed: number, signal: AbortSignal): Promise<Reading> {
    const values = new Map<string, number>();
    for (let digit = scale.first; digit <= 9; digit++)
      values.set(
        String(digit),
        scale.low + ((digit - scale.first) / (9 - scale.first)) * (scale.high - scale.low),
      );
    const answer = await this.#oneToken([...parts, { text: digitText(scale) }], seed, signal);
    const told = expectationOf(answer?.tokens[0] ?? [], values);
    if (told.mass >= leastMass) return { value: told.value, confidence: told.mass };
    const written = numberOf(
      await this.#written(
        parts,
        'answer',
        { type: 'integer', minimum: scale.first, maximum: 9 },
        seed,
        signal,
      ),
      'answer',
      scale.first,
      9,
    );
    if (Number.isNaN(written)) return missing;
    return {
      value: scale.low + ((written - scale.first) / (9 - scale.first)) * (scale.high - scale.low),
      confidence: 1,
    };
  }

  /** How likely `True` is, as against `False`; undefined where the model answers something else.
   * @throws DATA where the server tells no probabilities */
  async truth(
    parts: readonly ChatPart[],
    seed: number,
    signal: AbortSignal,
  ): Promise<WordProbability | undefined> {
    const answer = await this.#oneToken([...parts, { text: truthText }], seed, signal);
    if (this.#tellsProbabilities) return wordProbability(answer?.tokens[0] ?? [], 'True', 'False');
    throw new VernierError(
      'DATA',
      'the server tells no token probabilities (logprobs), which this score is made of',
      {
        hint: 'take another `mode`, or a server that tells them: vLLM, llama.cpp',
      },
    );
  }

  /** How far A is preferred to B, in [0, 1]; NaN where the answer cannot be read. */
  async preference(parts: readonly ChatPart[], signal: AbortSignal): Promise<number> {
    const answer = await this.#oneToken([...parts, { text: 'Answer with A or B.' }], 0, signal);
    const told = wordProbability(answer?.tokens[0] ?? [], 'A', 'B');
    if (told && told.mass >= leastMass) return told.share;
    const text = await this.#written(parts, 'answer', { enum: ['A', 'B', 'equal'] }, 0, signal);
    const letters = new Set(text.replace(/"answer"/g, '').match(/\b[AB]\b/g));
    if (letters.size !== 1) return Number.NaN;
    return letters.has('A') ? 1 : 0;
  }

  /** One percentage per picture, or undefined. @shape result [count] */
  async percentages(
    parts: readonly ChatPart[],
    count: number,
    seed: number,
    signal: AbortSignal,
  ): Promise<number[] | undefined> {
    const items = { type: 'integer', minimum: 0, maximum: 100 };
    const schema = { type: 'array', items, minItems: count, maxItems: count };
    return numbersOf(
      await this.#written(parts, 'percentages', schema, seed, signal),
      'percentages',
      count,
      0,
      100,
    );
  }

  async #oneToken(
    parts: readonly ChatPart[],
    seed: number,
    signal: AbortSignal,
  ): Promise<ChatAnswer | undefined> {
    if (!this.#tellsProbabilities) return undefined;
    const answer = await this.#tried({ parts, maxTokens: 1, temperature: 1, seed, topTokens }, signal);
    if (!answer || answer.tokens.length === 0) this.#tellsProbabilities = false;
    return answer;
  }

  /** The text of an answer that should be an object with one key. */
  async #written(
    parts: readonly ChatPart[],
    key: string,
    schema: Readonly<Record<string, unknown>>,
    seed: number,
    signal: AbortSignal,
  ): Promise<string> {
    const asked = [...parts, { text: `Answer with JSON and nothing else: {"${key}": ...}` }];
    const question: ChatQuestion = { parts: asked, maxTokens: 400, temperature: 0.7, seed };
    if (this.#takesSchemas) {
      const whole = {
        type: 'object',
        properties: { [key]: schema },
        required: [key],
        additionalProperties: false,
      };
      const answer = await this.#tried({ ...question, schema: { name: key, schema: whole } }, signal);
      if (answer) return answer.text;
      this.#takesSchemas = false;
    }
    return (await this.#client.ask(question, signal)).text;
  }

  /** Undefined where the server does not take the question as it is put. */
  async #tried(question: ChatQuestion, signal: AbortSignal): Promise<ChatAnswer | undefined> {
    try {
      return await this.#client.ask(question, signal);
    } catch (error) {
      if (error instanceof VernierError && error.context.status === 400) return undefined;
      throw error;
    }
  }
}

/** The mean of votes; their spread lowers the confidence: it is 0 from a standard deviation of half the scale on.
 * @param range high - low of the scale @source LLM-as-a-verifier, 2026, K repeats; differs: the spread counts */
export function meanOfVotes(votes: readonly Reading[], range = 1): Reading {
  const known = votes.filter(({ value }) => !Number.isNaN(value));
  if (known.length === 0) return missing;
  const n = known.length;
  const value = known.reduce((sum, vote) => sum + vote.value, 0) / n;
  const deviation = Math.sqrt(known.reduce((sum, vote) => sum + (vote.value - value) ** 2, 0) / n);
  const confidence = votes.reduce((sum, vote) => sum + vote.confidence, 0) / votes.length;
  return { value, confidence: confidence * Math.max(0, 1 - (2 * deviation) / range) };
}
