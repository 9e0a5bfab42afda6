import { createHash } from 'node:crypto';
import { Draws } from '#core/draws';
import { ChatAsker } from '#reward/backends/chatAsker';
import { ChatClient, type ChatPart } from '#reward/backends/chatClient';
import { momentParts, taskText } from '#reward/backends/vlmChatPrompts';
import { enoughRounds, expectedWins, swissTournament } from '#reward/bradleyTerry';
import type { Moment, ScoreRequest, Scorer, ScorerContext, Scores } from '#reward/score';
import type { PairwiseSpec } from '#spec/scores/pairwiseSchema';

/** Progress by ranking: the moments of an episode meet in a tournament, and a moment's progress is how often it is expected
 * to be preferred to another one.
 * @source Wang 2024 (RL-VLM-F), arXiv:2402.03681, preferences over pairs of pictures, description first; differs: both
 * orders are asked, and a Bradley-Terry fit of the episode in the place of one over the whole replay */
export async function makePairwiseScorer(settings: PairwiseSpec, context: ScorerContext): Promise<Scorer> {
  return new PairwiseScorer(settings, context);
}

const describeText = 'Describe in a few words what is done of the task in A, and what in B.';
const preferText = 'In which picture is the robot nearer to the finished task, A or B?';

class PairwiseScorer implements Scorer {
  readonly scope = 'episode';
  readonly model: string;
  readonly prompt: string;
  readonly #client: ChatClient;
  readonly #judge: PreferenceJudge;
  readonly #rounds: number | undefined;

  constructor(settings: PairwiseSpec, { instruction }: ScorerContext) {
    const { rounds, describe, ...endpoint } = settings;
    this.#client = new ChatClient(endpoint);
    this.#judge = new PreferenceJudge(this.#client, describe);
    this.#rounds = rounds;
    this.model = hash(['pairwise', endpoint.model]);
    this.prompt = hash([rounds, describe, describeText, preferText, instruction]);
  }

  async score(requests: readonly ScoreRequest[]): Promise<readonly Scores[]> {
    const given = new AbortController();
    const ranked = requests.map((request) => this.#rank(request, given.signal));
    try {
      return await Promise.all(ranked);
    } catch (error) {
      given.abort();
      await Promise.allSettled(ranked);
      throw error;
    }
  }

  async #rank({ moments, instruction }: ScoreRequest, signal: AbortSignal): Promise<Scores> {
    const began = performance.now();
    const compare = async (a: number, b: number): Promise<number | undefined> => {
      const preferred = await this.#judge.prefer(moments[a]!, moments[b]!, instruction, signal);
      return preferred === undefined ? undefined : [a, b][preferred];
    };
    const n = moments.length;
    const rounds = this.#rounds ?? enoughRounds(n);
    const { strengths, decided } = await swissTournament(n, rounds, compare, new Draws(n, 0x5357));
    const met = new Float64Array(n);
    for (const { winner, loser } of decided)
      for (const i of [winner, loser]) met[i]! += 1 / Math.min(rounds, n - 1);
    return {
      phi: expectedWins(strengths).map((value, i) => (met[i] === 0 ? Number.NaN : value)),
      confidence: met.map((share) => Math.min(1, share)),
      latencyMs: performance.now() - began,
    };
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

/** Which of two moments is nearer to the goal. */
export class PreferenceJudge {
  readonly #client: ChatClient;
  readonly #asker: ChatAsker;
  readonly #describe: boolean;

  constructor(client: ChatClient, describe: boolean) {
    this.#client = client;
    this.#asker = new ChatAsker(client);
    this.#describe = describe;
  }

  /** 0 for the first, 1 for the second; undefined where the order in which they are shown decides. */
  async prefer(
    first: Moment,
    second: Moment,
    instruction: string,
    signal: AbortSignal,
  ): Promise<0 | 1 | undefined> {
    const [ahead, behind] = await Promise.all([
      this.#share(first, second, instruction, signal),
      this.#share(second, first, instruction, signal),
    ]);
    if (ahead > 0.5 && behind < 0.5) return 0;
    return ahead < 0.5 && behind > 0.5 ? 1 : undefined;
  }

  /** How far A is preferred to B; NaN where the answer cannot be read. */
  async #share(a: Moment, b: Moment, instruction: string, signal: AbortSignal): Promise<number> {
    const shown: ChatPart[] = [
      { text: taskText(instruction) },
      ...momentParts('A', a),
      ...momentParts('B', b),
    ];
    if (this.#describe) {
      const question = {
        parts: [...shown, { text: describeText }],
        maxTokens: 200,
        temperature: 0.7,
        seed: 0,
      };
      shown.push({ text: (await this.#client.ask(question, signal)).text });
    }
    return this.#asker.preference([...shown, { text: preferText }], signal);
  }
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
