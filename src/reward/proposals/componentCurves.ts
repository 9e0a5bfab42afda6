import type { Proposal } from '#reward/proposals/proposal';
import type { Trial, TrialEpisode } from '#reward/proposals/trial';

/** How the parts of a proposal went over time, as a table that a language model can read.
 * @source Ma 2024 (Eureka), arXiv:2310.12931, reward reflection; Xie 2024 (Text2Reward), arXiv:2309.11489 */

const COLUMNS = 6;

/** One episode with success and one without, each part and value at evenly spaced samples. */
export function componentCurves({ parts, values }: Proposal, { episodes }: Trial): string {
  const names = [...parts, ...values].map(({ name }) => name);
  const solved = episodes.find(({ success }) => success);
  const failed =
    episodes.find(({ success, population }) => !success && population === 'disturbed') ??
    episodes.find(({ success }) => !success);
  return [
    ...(solved ? ['An episode with success, from its start to its end:', ...table(solved, names)] : []),
    ...(failed ? ['An episode without success:', ...table(failed, names)] : []),
  ].join('\n');
}

function table({ curves }: TrialEpisode, names: readonly string[]): string[] {
  return names.map((name) => {
    const curve = curves.get(name)!;
    if (curve.length === 0) return `  ${name}: not one number`;
    const at = Array.from({ length: COLUMNS }, (_, i) =>
      Math.round((i * (curve.length - 1)) / (COLUMNS - 1)),
    );
    return `  ${name}: ${at.map((t) => Number(curve[t]!.toPrecision(3))).join(', ')}`;
  });
}
