import { componentCurves } from '#reward/proposals/componentCurves';
import { examine, type Verdict } from '#reward/proposals/gate';
import { type Attempt, proposalPrompt } from '#reward/proposals/prompt';
import { type Proposal, type ProposalKind, parseProposal } from '#reward/proposals/proposal';
import type { TrialOptions } from '#reward/proposals/trial';
import type { ResolvedTask } from '#spec/resolved';

/** Rounds of proposal, trial and answer, of which the best accepted proposal is kept. */

export interface Round {
  readonly round: number;
  /** Undefined where the answer could not be read. */
  readonly proposal: Proposal | undefined;
  readonly verdict: Verdict;
}

export interface RoundsOptions extends TrialOptions {
  readonly kind: ProposalKind;
  readonly rounds: number;
  /** Puts the question to whoever proposes. */
  readonly ask: (prompt: string, round: number) => Promise<string>;
  readonly report?: (round: Round) => void;
}

/** @returns all rounds; see bestOf */
export async function proposeInRounds(task: ResolvedTask, options: RoundsOptions): Promise<Round[]> {
  const attempts: Attempt[] = [];
  const all: Round[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const answer = await options.ask(proposalPrompt(task, options.kind, attempts), round);
    const proposal = parseProposal(answer, options.kind);
    const readable = typeof proposal !== 'string';
    const verdict = readable
      ? await examine(task, proposal, options)
      : { refusal: proposal, measures: undefined, trial: undefined };
    const done: Round = { round, proposal: readable ? proposal : undefined, verdict };
    all.push(done);
    options.report?.(done);
    const curves = readable && verdict.trial ? componentCurves(proposal, verdict.trial) : undefined;
    attempts.push({ answer, outcome: describeVerdict(verdict), curves });
  }
  return all;
}

/** The accepted round with the largest sum of measures; undefined where none was accepted. */
export function bestOf(rounds: readonly Round[]): Round | undefined {
  const worth = ({ verdict: { measures } }: Round) => (measures!.voc || 0) + measures!.auc;
  return rounds.filter(({ verdict }) => verdict.refusal === undefined).sort((a, b) => worth(b) - worth(a))[0];
}

export function describeVerdict({ refusal, measures }: Verdict): string {
  const told = measures
    ? [
        ...(Number.isNaN(measures.voc) ? [] : [`rank correlation with time ${measures.voc.toFixed(3)}`]),
        `area under the curve of success ${measures.auc.toFixed(3)}`,
      ].join(', ')
    : '';
  if (refusal === undefined) return `accepted: ${told}`;
  return `refused: ${refusal}${told && !refusal.includes('under the curve') ? ` (${told})` : ''}`;
}
