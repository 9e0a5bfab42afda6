import { createHash } from 'node:crypto';
import { ChatAsker } from '#reward/backends/chatAsker';
import { ChatClient } from '#reward/backends/chatClient';
import {
  expectationJudge,
  hopsJudge,
  type Judge,
  percentagesJudge,
  probabilityJudge,
} from '#reward/backends/vlmChatModes';
import {
  hopWordings,
  percentagesText,
  progressWordings,
  truthWordings,
} from '#reward/backends/vlmChatPrompts';
import type { ScoreRequest, Scorer, ScorerContext, Scores } from '#reward/score';
import type { VlmChatSpec } from '#spec/scores/vlmChatSchema';

/** Progress as a vision-language model behind an OpenAI-compatible endpoint sees it. @throws USAGE without the API key */
export async function makeVlmChatScorer(settings: VlmChatSpec, context: ScorerContext): Promise<Scorer> {
  return new VlmChatScorer(settings, context);
}

class VlmChatScorer implements Scorer {
  readonly scope: Scorer['scope'];
  readonly model: string;
  readonly prompt: string;
  readonly #client: ChatClient;
  readonly #asker: ChatAsker;
  readonly #judge: Judge;
  readonly #context: ScorerContext;

  constructor(settings: VlmChatSpec, context: ScorerContext) {
    const { endpoint, model, key_variable, timeout, retries, in_flight, ...asked } = settings;
    const key = key_variable === undefined ? {} : { key_variable };
    this.#client = new ChatClient({ endpoint, model, timeout, retries, in_flight, ...key });
    this.#asker = new ChatAsker(this.#client);
    this.#judge = judgeOf(settings);
    this.#context = context;
    this.scope = settings.mode === 'expectation' ? 'moment' : 'episode';
    this.model = hash(['vlm-chat', model]);
    const wordings = [hopWordings, progressWordings, truthWordings, percentagesText('', 0)];
    this.prompt = hash([asked, wordings, context.instruction, picturesOf(context)]);
  }

  /** One question in flight that fails for good ends all others: nothing is known of any request then. */
  async score(requests: readonly ScoreRequest[]): Promise<readonly Scores[]> {
    const given = new AbortController();
    const { start, goal } = this.#context;
    const judged = requests.map(async (request): Promise<Scores> => {
      const began = performance.now();
      const whole = { ...(start ? { start } : {}), ...(goal ? { goal } : {}), ...request };
      const readings = await this.#judge(this.#asker, whole, given.signal);
      return {
        phi: Float64Array.from(readings, ({ value }) => value),
        confidence: Float64Array.from(readings, ({ confidence }) => confidence),
        latencyMs: performance.now() - began,
      };
    });
    try {
      return await Promise.all(judged);
    } catch (error) {
      given.abort();
      await Promise.allSettled(judged);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

function judgeOf(settings: VlmChatSpec): Judge {
  switch (settings.mode) {
    case 'hops':
      return hopsJudge(settings);
    case 'percentages':
      return percentagesJudge(settings);
    case 'probability':
      return probabilityJudge(settings);
    case 'expectation':
      return expectationJudge(settings);
    default:
      return settings satisfies never;
  }
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function picturesOf({ start, goal }: ScorerContext): unknown {
  return [start, goal].map((moment) => moment?.views.map((view) => view.hash) ?? null);
}
