import { Draws } from '#core/draws';
import { type ChatAsker, meanOfVotes, type Reading, type Scale } from '#reward/backends/chatAsker';
import type { ChatPart } from '#reward/backends/chatClient';
import {
  anchorParts,
  hopWordings,
  momentParts,
  percentagesText,
  progressWordings,
  taskText,
  truthWordings,
} from '#reward/backends/vlmChatPrompts';
import { fuseEpisode, type Hops } from '#reward/hopFusion';
import type { Moment, ScoreRequest } from '#reward/score';
import type { VlmChatMode } from '#spec/scores/vlmChatSchema';

/** The four ways to ask a vision-language model for progress. Each gives one reading per moment of the request. */

export type Judge = (asker: ChatAsker, request: ScoreRequest, signal: AbortSignal) => Promise<Reading[]>;

const hopScale: Scale = { first: 1, low: -1, high: 1 };
const progressScale: Scale = { first: 0, low: 0, high: 1 };

/** Each moment against the one before, the start and the goal.
 * @source Tan 2025 (Robo-Dopamine), arXiv:2512.23703; differs: the hop is an expectation over nine digits; without a goal
 * picture there is no backward way */
export function hopsJudge({ alpha, votes }: VlmChatMode<'hops'>): Judge {
  return async (asker, { moments, instruction, start = moments[0], goal }, signal) => {
    const anchors = [{ text: taskText(instruction) }, ...anchorParts(start, goal)];
    const hop = async (before: Moment, after: Moment): Promise<number> => {
      const readings = Array.from({ length: votes }, (_, k) => {
        const compared = [...momentParts('BEFORE', before), ...momentParts('AFTER', after)];
        const question = { text: hopWordings[k % hopWordings.length]! };
        return asker.level([...anchors, ...compared, question], hopScale, k, signal);
      });
      return meanOfVotes(await Promise.all(readings), 2).value;
    };
    const hops = moments.slice(1).map(async (moment, t): Promise<Hops> => {
      const [incremental, forward, backward] = await Promise.all([
        hop(moments[t]!, moment),
        hop(start!, moment),
        goal ? hop(goal, moment) : Number.NaN,
      ]);
      return { incremental, forward, backward };
    });
    const fused = fuseEpisode(await Promise.all(hops), alpha);
    return moments.map((_, t) => ({ value: fused[t]!.progress, confidence: fused[t]!.confidence }));
  };
}

/** Percentages of shuffled moments beside a start that counts 0; long episodes in groups that interleave.
 * @source Ma 2024 (GVL), arXiv:2411.04549; differs: the anchor is the reference start where there is one, and votes are
 * shuffled anew */
export function percentagesJudge({ frames, votes }: VlmChatMode<'percentages'>): Judge {
  return async (asker, { moments, instruction, start = moments[0] }, signal) => {
    const groups = Math.ceil(moments.length / frames);
    const ballots = Array.from({ length: votes }, async (_, k) => {
      const ballot = moments.map((): Reading => ({ value: Number.NaN, confidence: 0 }));
      const members = (group: number) => moments.map((_, t) => t).filter((t) => t % groups === group);
      const asked = Array.from({ length: groups }, async (_, group) => {
        const order = shuffled(members(group), k * groups + group);
        const shown = order.flatMap((t, i) => momentParts(`Picture ${i + 1}`, moments[t]!));
        const parts: ChatPart[] = [
          ...anchorParts(start, undefined),
          { text: percentagesText(instruction, order.length) },
          ...shown,
        ];
        const answer = await asker.percentages(parts, order.length, k, signal);
        for (const [i, t] of order.entries())
          if (answer) ballot[t] = { value: answer[i]! / 100, confidence: 1 };
      });
      await Promise.all(asked);
      return ballot;
    });
    const all = await Promise.all(ballots);
    return moments.map((_, t) => meanOfVotes(all.map((ballot) => ballot[t]!)));
  };
}

/** Probability of `True` to the question whether the task is finished, given the episode so far.
 * @source Chen 2026 (TOPReward), arXiv:2602.19313; differs: the calibration is stated, votes, evenly spaced frames */
export function probabilityJudge({ frames, votes, calibration }: VlmChatMode<'probability'>): Judge {
  return async (asker, { moments, instruction }, signal) => {
    const ask = async (t: number): Promise<{ readonly share: Reading; readonly logprob: number }> => {
      const count = Math.min(frames, t + 1);
      const shown = Array.from({ length: count }, (_, i) => Math.round(((i + 1) * (t + 1)) / count) - 1);
      const pictures = shown.flatMap((at, i) => momentParts(`Picture ${i + 1}`, moments[at]!));
      const task = { text: taskText(instruction) };
      const told = await Promise.all(
        Array.from({ length: votes }, (_, k) =>
          asker.truth([task, ...pictures, { text: truthWordings[k % truthWordings.length]! }], k, signal),
        ),
      );
      const known = told.filter((vote) => vote !== undefined);
      const share = meanOfVotes(
        told.map((vote) =>
          vote ? { value: vote.share, confidence: 1 } : { value: Number.NaN, confidence: 0 },
        ),
      );
      return { share, logprob: known.reduce((sum, vote) => sum + vote.logprob, 0) / known.length };
    };
    const answers = await Promise.all(moments.map((_, t) => ask(t)));
    if (calibration === 'share') return answers.map(({ share }) => share);
    const logprobs = answers.map(({ logprob }) => logprob);
    const known = logprobs.filter((value) => !Number.isNaN(value));
    const [low, high] = calibration === 'episode' ? [Math.min(...known), Math.max(...known)] : calibration;
    return answers.map(({ logprob, share }) => ({
      value: low < high ? Math.min(1, Math.max(0, (logprob - low) / (high - low))) : Number.NaN,
      confidence: low < high ? share.confidence : 0,
    }));
  };
}

/** A grade of each moment alone, as the expectation over its digit, averaged over criteria and wordings.
 * @source LLM-as-a-verifier, 2026: score tokens, K repeats, C criteria; differs: repeats are other wordings */
export function expectationJudge({ votes, criteria }: VlmChatMode<'expectation'>): Judge {
  return async (asker, { moments, instruction, start, goal }, signal) => {
    const asked = criteria.length > 0 ? criteria : [instruction];
    const grade = async (moment: Moment): Promise<Reading> => {
      const readings = asked.flatMap((criterion) =>
        Array.from({ length: votes }, (_, k) => {
          const question = `${taskText(instruction)} ${criterion === instruction ? '' : `Only look at: ${criterion}. `}${progressWordings[k % progressWordings.length]}`;
          const parts = [...anchorParts(start, goal), ...momentParts('NOW', moment), { text: question }];
          return asker.level(parts, progressScale, k, signal);
        }),
      );
      return meanOfVotes(await Promise.all(readings));
    };
    return Promise.all(moments.map(grade));
  };
}

/** The same order for the same seed. */
function shuffled(values: readonly number[], seed: number): number[] {
  const draws = new Draws(seed, 0x67766c);
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
