import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { VernierError } from '#core/errors';
import type { Picture } from '#core/frame';
import { encodePng } from '#core/png';
import type { ChatEndpointSpec } from '#spec/scores/chatEndpointSchema';

/** Questions to a model behind an OpenAI-compatible endpoint: text and pictures there, text and token probabilities back.
 * Nothing is remembered between questions; what questions share should stand first in them, for the server's prefix cache. */

export type ChatPart = { readonly text: string } | { readonly picture: Picture };

export interface ChatQuestion {
  readonly system?: string;
  readonly parts: readonly ChatPart[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  /** How many likely tokens to be told of, at each place of the answer; none when left out. */
  readonly topTokens?: number;
  /** JSON schema that the answer has to follow, with a name for it. */
  readonly schema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
}

export interface TokenProbability {
  readonly token: string;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
}

export interface ChatAnswer {
  readonly text: string;
  /** Per place of the answer the most likely tokens; empty where the server tells none. */
  readonly tokens: readonly (readonly TokenProbability[])[];
}

export interface ChatClientOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Waits between tries; the clock of the machine when left out. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const firstPauseMs = 250;
const longestPauseMs = 20_000;

export class ChatClient {
  readonly #spec: ChatEndpointSpec;
  readonly #url: string;
  readonly #key: string | undefined;
  readonly #pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #closed = new AbortController();
  readonly #pictures = new WeakMap<Picture, string>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @throws USAGE when the variable of the key is not set */
  constructor(spec: ChatEndpointSpec, options: ChatClientOptions = {}) {
    const { environment = process.env } = options;
    this.#spec = spec;
    this.#url = `${spec.endpoint.replace(/\/+$/, '')}/chat/completions`;
    this.#key = spec.key_variable === undefined ? undefined : environment[spec.key_variable];
    this.#pause = options.pause ?? ((ms, signal) => sleep(ms, undefined, { signal }));
    if (spec.key_variable !== undefined && !this.#key) {
      throw new VernierError('USAGE', `the environment variable ${spec.key_variable} is not set`, {
        hint: `export ${spec.key_variable}=... with the API key for ${spec.endpoint}`,
      });
    }
  }

  /** @param signal gives the question up
   * @throws TIMEOUT without an answer in all tries; USAGE where the key or the model is refused; DATA for an answer that is
   * none; STATE when the client was closed */
  async ask(question: ChatQuestion, signal?: AbortSignal): Promise<ChatAnswer> {
    await this.#turn();
    try {
      return await this.#tries(question, AbortSignal.any([this.#closed.signal, ...(signal ? [signal] : [])]));
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Gives up what is being asked. */
  close(): void {
    this.#closed.abort();
  }

  async #turn(): Promise<void> {
    while (this.#running >= this.#spec.in_flight)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  async #tries(question: ChatQuestion, signal: AbortSignal): Promise<ChatAnswer> {
    const body = JSON.stringify(this.#request(question));
    for (let attempt = 0; ; attempt++) {
      if (signal.aborted) throw givenUp();
      const outcome = await this.#once(body, signal);
      if ('answer' in outcome) return outcome.answer;
      if (!outcome.passing || attempt === this.#spec.retries) throw outcome.error;
      const pauseMs = Math.min(longestPauseMs, outcome.retryAfterMs ?? firstPauseMs * 2 ** attempt);
      await this.#pause(pauseMs, signal).catch(() => {
        throw givenUp();
      });
    }
  }

  async #once(body: string, signal: AbortSignal): Promise<Outcome> {
    const deadline = AbortSignal.timeout(1000 * this.#spec.timeout);
    let status: number;
    let text: string;
    let retryAfterMs: number | undefined;
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#key ? { authorization: `Bearer ${this.#key}` } : {}),
        },
        body,
        signal: AbortSignal.any([signal, deadline]),
      });
      status = response.status;
      retryAfterMs = secondsOf(response.headers.get('retry-after'));
      text = await response.text();
    } catch (cause) {
      if (signal.aborted) throw givenUp();
      return { error: this.#silence(cause, deadline.aborted), passing: true, retryAfterMs: undefined };
    }
    if (status === 200) return { answer: this.#answer(text) };
    const passing = status === 408 || status === 429 || status >= 500;
    return { error: this.#refusal(status, text), passing, retryAfterMs };
  }

  #request({ system, parts, maxTokens, temperature, seed, topTokens, schema }: ChatQuestion): unknown {
    const content = parts.map((part) =>
      'text' in part
        ? { type: 'text', text: part.text }
        : { type: 'image_url', image_url: { url: this.#dataUrl(part.picture) } },
    );
    return {
      model: this.#spec.model,
      messages: [
        ...(system === undefined ? [] : [{ role: 'system', content: system }]),
        { role: 'user', content },
      ],
      max_tokens: maxTokens,
      temperature,
      seed,
      ...(topTokens === undefined ? {} : { logprobs: true, top_logprobs: topTokens }),
      ...(schema
        ? { response_format: { type: 'json_schema', json_schema: { ...schema, strict: true } } }
        : {}),
    };
  }

  #dataUrl(picture: Picture): string {
    const known = this.#pictures.get(picture);
    if (known !== undefined) return known;
    const url = `data:image/png;base64,${Buffer.from(encodePng(picture)).toString('base64')}`;
    this.#pictures.set(picture, url);
    return url;
  }

  #answer(text: string): ChatAnswer {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw this.#foreign('no JSON', text, cause);
    }
    const parsed = completionSchema.safeParse(json);
    if (!parsed.success) throw this.#foreign('no chat completion', text, parsed.error);
    const [choice] = parsed.data.choices;
    return {
      text: choice.message.content ?? '',
      tokens: (choice.logprobs?.content ?? []).map((place) => place.top_logprobs),
    };
  }

  #foreign(what: string, text: string, cause: unknown): VernierError {
    return new VernierError('DATA', `${this.#url} answered ${what}: ${excerpt(text)}`, {
      hint: 'the endpoint has to speak the interface of OpenAI; its URL usually ends in /v1',
      cause,
    });
  }

  #silence(cause: unknown, late: boolean): VernierError {
    const { timeout, endpoint } = this.#spec;
    if (late) {
      return new VernierError('TIMEOUT', `${endpoint} did not answer in ${timeout} s`, {
        hint: 'raise `timeout`, lower `in_flight`, or use a smaller model',
        cause,
      });
    }
    const why = reason(cause);
    return new VernierError('TIMEOUT', `${endpoint} cannot be reached: ${why}`, {
      hint: 'start the server, and compare the port and /v1 of `endpoint` with what it listens to',
      cause,
    });
  }

  #refusal(status: number, text: string): VernierError {
    const { endpoint, model, key_variable: variable } = this.#spec;
    const context = { status };
    const said = excerpt(text);
    if (status === 401 || status === 403) {
      const hint = variable
        ? `check the key in the environment variable ${variable}`
        : 'name the environment variable that holds the API key: `key_variable`';
      return new VernierError('USAGE', `${endpoint} refused the API key: ${said}`, { hint, context });
    }
    if (status === 404) {
      return new VernierError('USAGE', `${endpoint} knows no model "${model}": ${said}`, {
        hint: `curl ${endpoint.replace(/\/+$/, '')}/models lists what it serves`,
        context,
      });
    }
    if (status === 408 || status === 429 || status >= 500) {
      return new VernierError('TIMEOUT', `${endpoint} answered ${status}: ${said}`, {
        hint: status === 429 ? 'lower `in_flight`, or raise `retries`' : "look at the server's log",
        context,
      });
    }
    return new VernierError('DATA', `${endpoint} refused the question (${status}): ${said}`, {
      hint: 'does the model take pictures, and is its context long enough?',
      context,
    });
  }
}

type Outcome =
  | { readonly answer: ChatAnswer }
  | {
      readonly error: VernierError;
      /** Whether another try may help. */
      readonly passing: boolean;
      readonly retryAfterMs: number | undefined;
    };

const tokenSchema = z.object({ token: z.string(), logprob: z.number() });

const choiceSchema = z.object({
  message: z.object({ content: z.string().nullish() }),
  logprobs: z
    .object({
      content: z.array(z.object({ top_logprobs: z.array(tokenSchema).default([]) })).nullish(),
    })
    .nullish(),
});

const completionSchema = z.object({ choices: z.tuple([choiceSchema], z.unknown()) });

function givenUp(): VernierError {
  return new VernierError('STATE', 'the question was given up');
}

/** fetch hides what happened in the cause of its error. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof AggregateError) return error.cause.errors.map(reason).join(', ');
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}

function excerpt(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)}...` : line || 'nothing';
}

/** @param header seconds; dates are left to the own backoff */
function secondsOf(header: string | null): number | undefined {
  const seconds = header === null ? Number.NaN : Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? 1000 * seconds : undefined;
}
